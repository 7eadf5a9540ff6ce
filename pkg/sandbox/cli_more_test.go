package sandbox_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reconcile/pkg/sandbox"
)

// Change sets, failures, drift, hand edits and injected faults, through the CLI.
func TestAWSCLIWhenThingsGoWrong(t *testing.T) {
	t.Parallel()
	cli := awsCLI(t)
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file://" + path
	}
	runCLI(t, cli, server.URL, dir, clk, append(cliStacks(file), cliHands(box)...))
}

func cliStacks(file func(name, body string) string) []cliStep {
	queue := file("queue.json", `{"Parameters":{"Delay":{"Type":"Number","Default":"0","MaxValue":900}},"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"cli","DelaySeconds":{"Ref":"Delay"}}}},"Outputs":{"Arn":{"Value":{"Fn::GetAtt":["Q","Arn"]},"Export":{"Name":"cli-arn"}}}}`)
	renamed := file("renamed.json", `{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"cli-2"}}}}`)
	user := file("user.json", `{"Resources":{"T":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::ImportValue":"cli-arn"}}}}}`)
	role := file("role.json", `{"Resources":{"R":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[]}}}}}`)
	broken := file("broken.json", `{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":{"Ref":"Nobody"}}}}}`)
	wrong := file("wrong.json", `{"Resources":{"S":{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":"vpc-0123456789abcdef0","CidrBlock":"10.0.9.0/24"}}}}`)
	const refused, set = "(ValidationError)", "cloudformation create-change-set --stack-name cli --change-set-name "
	return []cliStep{
		// What is refused at once.
		{command: "cloudformation create-stack --stack-name 1_bad --template-body " + queue, fails: true, want: []string{refused, "stackName"}},
		{command: "cloudformation create-stack --stack-name cli --template-body " + broken, fails: true, want: []string{refused, "Unresolved resource dependencies [Nobody]"}},
		{command: "cloudformation create-stack --stack-name cli --template-body " + role, fails: true, want: []string{"(InsufficientCapabilitiesException)", "CAPABILITY_IAM"}},
		{command: "cloudformation create-stack --stack-name cli --template-body " + queue + " --parameters ParameterKey=Delay,ParameterValue=901", fails: true, want: []string{refused, "Delay"}},
		{command: "cloudformation validate-template --template-body " + broken, fails: true, want: []string{refused}},
		{command: "cloudformation create-stack --stack-name cli", fails: true, want: []string{refused}},
		{command: "cloudformation create-stack --template-body " + queue, usage: true, want: []string{"--stack-name"}},

		// A stack's life, its export and who imports it.
		{command: "cloudformation create-stack --stack-name cli --template-body " + queue + " --parameters ParameterKey=Delay,ParameterValue=5", want: []string{"stack/cli/"}},
		{command: "cloudformation create-stack --stack-name cli --template-body " + queue, fails: true, want: []string{"(AlreadyExistsException)", "Stack [cli] already exists"}},
		{command: "cloudformation wait stack-create-complete --stack-name cli", pass: time.Hour},
		{command: "cloudformation list-exports", want: []string{`"Name": "cli-arn"`, ":cli"}},
		{command: "cloudformation create-stack --stack-name user --template-body " + user},
		{command: "cloudformation list-imports --export-name cli-arn", pass: time.Hour, want: []string{`"user"`}},
		{command: "cloudformation list-imports --export-name none", fails: true, want: []string{refused}},
		{command: "cloudformation delete-stack --stack-name cli"},
		{command: "cloudformation describe-stacks --stack-name cli", pass: time.Hour, want: []string{`"CREATE_COMPLETE"`, "cannot be deleted as it is in use by user"}},
		{command: "cloudformation delete-stack --stack-name user"},

		// Change sets: what they announce, refuse and become.
		{command: set + "same --use-previous-template --parameters ParameterKey=Delay,UsePreviousValue=true", pass: time.Hour},
		{command: "cloudformation describe-change-set --stack-name cli --change-set-name same", pass: time.Minute, want: []string{`"Status": "FAILED"`, "The submitted information didn't contain changes."}},
		{command: "cloudformation wait change-set-create-complete --stack-name cli --change-set-name same", fails: true, want: []string{"FAILED"}},
		{command: "cloudformation execute-change-set --stack-name cli --change-set-name same", fails: true, want: []string{"(InvalidChangeSetStatus)"}},
		{command: set + "delay --use-previous-template --parameters ParameterKey=Delay,ParameterValue=9"},
		{command: set + "delay --use-previous-template --parameters ParameterKey=Delay,ParameterValue=9", fails: true, want: []string{"(AlreadyExistsException)"}},
		{command: "cloudformation describe-change-set --stack-name cli --change-set-name delay --include-property-values", pass: time.Minute, want: []string{`"Replacement": "False"`, `"BeforeValue": "5"`, `"AfterValue": "9"`, `"CausingEntity": "Delay"`}},
		{command: set + "rename --template-body " + renamed},
		{command: "cloudformation describe-change-set --stack-name cli --change-set-name rename", pass: time.Minute, want: []string{`"Replacement": "True"`, `"RequiresRecreation": "Always"`}},
		{command: "cloudformation list-change-sets --stack-name cli", want: []string{`"delay"`, `"rename"`, `"AVAILABLE"`}},
		{command: "cloudformation execute-change-set --stack-name cli --change-set-name delay"},
		{command: "cloudformation execute-change-set --stack-name cli --change-set-name rename", fails: true},
		{command: "cloudformation wait stack-update-complete --stack-name cli", pass: time.Hour},
		{command: "cloudformation describe-change-set --stack-name cli --change-set-name none", fails: true, want: []string{"(ChangeSetNotFound)"}},
		{command: set + "new --change-set-type CREATE --template-body " + queue, fails: true, want: []string{refused}},

		// A failed create rolls back, and can only be deleted.
		{command: "cloudformation create-stack --stack-name wrong --template-body " + wrong},
		{command: "cloudformation describe-stack-events --stack-name wrong", pass: time.Hour, want: []string{"CREATE_FAILED", "vpc-0123456789abcdef0", "ROLLBACK_COMPLETE"}},
		{command: "cloudformation update-stack --stack-name wrong --template-body " + queue, fails: true, want: []string{refused, "ROLLBACK_COMPLETE"}},
		{command: "cloudformation continue-update-rollback --stack-name wrong", fails: true, want: []string{refused}},
		{command: "cloudformation delete-stack --stack-name wrong"},
	}
}

func cliHands(box *sandbox.Sandbox) []cliStep {
	const refused = "(ValidationError)"
	return []cliStep{
		// Somebody's hand is drift.
		{
			command: "cloudformation detect-stack-resource-drift --stack-name cli --logical-resource-id Q", pass: time.Hour, want: []string{`"MODIFIED"`, `"/DelaySeconds"`, `"ActualValue": "77"`},
			hand: func() error {
				_, err := box.Mutate(sandbox.Mutation{Target: "cli/Q", Pointer: "/DelaySeconds", Value: []byte("77")})
				return err
			},
		},
		{command: "cloudformation detect-stack-drift --stack-name cli", want: []string{"StackDriftDetectionId"}},
		{command: "cloudformation detect-stack-drift --stack-name cli", fails: true, want: []string{refused, "already in progress"}},
		{command: "cloudformation describe-stack-resource-drifts --stack-name cli --stack-resource-drift-status-filters MODIFIED", pass: time.Hour, want: []string{`"NOT_EQUAL"`, `"ExpectedValue": "9"`}},
		{command: "cloudformation describe-stacks --stack-name cli", want: []string{`"StackDriftStatus": "DRIFTED"`}},
		{
			command: "cloudformation detect-stack-resource-drift --stack-name cli --logical-resource-id Q", want: []string{`"DELETED"`},
			hand: func() error {
				_, err := box.Mutate(sandbox.Mutation{Target: "cli/Q", Delete: true})
				return err
			},
		},

		// Injected faults look as AWS's own.
		{
			command: "ssm get-parameter --name /cli/none", fails: true, want: []string{"(ThrottlingException)", "Rate exceeded"},
			hand: func() error {
				return box.AddFault(sandbox.FaultRule{Service: "ssm", Times: 1, Fault: sandbox.Fault{Throttle: true}})
			},
		},
		{command: "ssm get-parameter --name /cli/none", fails: true, want: []string{"(ParameterNotFound)"}},
		{
			command: "cloudformation list-stacks", fails: true, want: []string{"(InternalFailure)"},
			hand: func() error {
				return box.AddFault(sandbox.FaultRule{Service: "cloudformation", Operation: "ListStacks", Times: 1, Fault: sandbox.Fault{Code: "InternalFailure", Message: "try again", Status: 500}})
			},
		},
		{
			command: "ssm put-parameter --name /cli/lost --value v --type String", fails: true, want: []string{"Connection was closed"},
			hand: func() error {
				return box.AddFault(sandbox.FaultRule{Service: "ssm", Times: 1, Fault: sandbox.Fault{Lost: sandbox.LostAfter}})
			},
		},
		{command: "ssm get-parameter --name /cli/lost", want: []string{`"Value": "v"`}},
	}
}
