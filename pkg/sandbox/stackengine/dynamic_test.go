package stackengine_test

import (
	"fmt"
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

func TestDynamicReferences(t *testing.T) {
	world := func() *world {
		w := newWorld(t)
		w.e.Parameter = func(name, version string) (string, bool) {
			return "plain", name == "/there" && (version == "" || version == "1")
		}
		w.e.Secure = func(name, _ string) bool { return name == "/hidden" }
		w.e.Secret = func(id, stage, _ string) (string, string) {
			if id != "db" && id != "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf" || stage != "" && stage != "AWSCURRENT" {
				return "", "Secrets Manager can't find the specified secret."
			}
			return `{"password":"s3cr3t-value"}`, ""
		}
		return w
	}
	database := func(password string) string {
		return fmt.Sprintf("Resources: {Db: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceClass: db.t4g.micro, Engine: postgres, AllocatedStorage: '20', MasterUsername: a, MasterUserPassword: '%s'}}}", password)
	}
	topic := func(name string) string {
		return fmt.Sprintf("Resources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: '%s'}}}", name)
	}
	// Refused at once.
	for body, want := range map[string]string{
		topic("{{resolve:ssm:/none}}"):              "Parameters: [ssm:/none] cannot be found.",
		topic("a {{resolve:ssm:/there:2}} b"):       "Parameters: [ssm:/there:2] cannot be found.",
		topic("{{resolve:ssm-secure:/hidden}}"):     "SSM Secure reference is not supported in: [AWS::SNS::Topic/Properties/DisplayName]",
		topic("{{resolve:ssm:/there:latest}}"):      "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/there:latest}}]",
		database("{{resolve:ssm-secure:/hidden:}}"): "Incorrect format is used in the following SSM reference: [{{resolve:ssm-secure:/hidden:}}]",
		database("{{resolve:ssm-secure:/none:1}}"):  "Parameters: [ssm-secure:/none:1] cannot be found.",
	} {
		if got := refuses[cfn.CreateStackOutput](world(), &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body}); got != "ValidationError: "+want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
	// Seen when the resource is made; "" where it is.
	for password, want := range map[string]string{
		"{{resolve:ssm-secure:/hidden:3}}":                               "",
		"{{resolve:secretsmanager:db}}":                                  "",
		"{{resolve:secretsmanager:db:SecretString:password}}":            "",
		"{{resolve:secretsmanager:db:SecretString:password:AWSCURRENT}}": "",
		"{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf:SecretString:password}}": "",
		"{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:none-AbCdEf}}":                     "",
		"{{resolve:secretsmanager:gone:SecretString:password}}":                                                           "Secrets Manager can't find the specified secret.",
		"{{resolve:secretsmanager:db:SecretString:password:OLD}}":                                                         "Secrets Manager can't find the specified secret.",
		"{{resolve:secretsmanager:db:SecretString:user}}":                                                                 "Could not find a value associated with JSONKey in SecretString",
	} {
		w := world()
		w.create("s", database(password))
		events := w.events("s")
		if want == "" && w.status("s") != "CREATE_COMPLETE" || !strings.Contains(events, want) {
			t.Errorf("%s: %s\n%s", password, w.status("s"), events)
		}
		if strings.Contains(events, "s3cr3t") || strings.Contains(fmt.Sprint(w.e.State.Stacks), "s3cr3t") {
			t.Errorf("%s: a secret is shown", password)
		}
	}
}
