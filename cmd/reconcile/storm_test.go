package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// throttles are the services' own words for "too fast".
var throttleCodes = map[string]string{
	"cloudformation": "Throttling", "autoscaling": "Throttling", "sts": "Throttling", "ec2": "RequestLimitExceeded",
	"ssm": "ThrottlingException", "secretsmanager": "ThrottlingException", "logs": "ThrottlingException",
	"ecr": "ThrottlingException", "ecs": "ThrottlingException", "acm": "ThrottlingException", "s3": "SlowDown",
}

// Each operation of each service is throttled, then broken, then answered into
// nowhere, and works at last. No step fails of it, and nothing is done twice.
func TestStormOnEveryService(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]func(service string) []sandbox.Fault{
		"throttled": func(service string) []sandbox.Fault {
			f := sandbox.Fault{Code: throttleCodes[service], Message: "Rate exceeded"}
			return []sandbox.Fault{f, f, f, f, f}
		},
		"broken": func(string) []sandbox.Fault {
			return []sandbox.Fault{
				{Code: "InternalFailure", Status: 500}, {Code: "ServiceUnavailable", Status: 503}, {Code: "InternalError", Status: 502},
			}
		},
		"never sent": func(string) []sandbox.Fault {
			return []sandbox.Fault{{Lost: sandbox.LostBefore}, {Lost: sandbox.LostBefore}}
		},
		"unanswered": func(string) []sandbox.Fault { return []sandbox.Fault{{Lost: sandbox.LostAfter}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.run("plan")
			for service := range throttleCodes {
				for _, operation := range operationsOf(service) {
					for i, f := range faults(service) {
						r.rule(sandbox.FaultRule{Service: service, Operation: operation, After: i, Times: 1, Fault: f})
					}
				}
			}
			s := r.run("apply --yes --stats")
			if s.code != 0 {
				t.Fatalf("exit code %d\n%s", s.code, s.all())
			}
			r.empty()
			r.once()
			r.struck("CreateChangeSet", "ExecuteChangeSet", "DescribeStackEvents", "PutParameter", "GetParameters", "PutSecretValue", "CreateLogGroup", "UpdateTerminationProtection")
		})
	}
}

// A storm in the middle of the run, on anything: every seventh call or so.
func TestStormOnAnything(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.run("plan")
	faults := []sandbox.Fault{{Code: "Throttling"}, {Status: 500, Code: "InternalFailure"}, {Lost: sandbox.LostAfter}, {Lost: sandbox.LostBefore}}
	for i := range 60 {
		r.rule(sandbox.FaultRule{After: 5 + 7*i + i%3, Times: 1, Fault: faults[i%len(faults)]})
	}
	r.want(0, "apply --yes")
	r.calm()
	r.empty()
	r.once()
}

// operationsOf are those that a run can come to; a service without a list is
// hit in any operation.
func operationsOf(service string) []string {
	switch service {
	case "cloudformation":
		return strings.Fields("ListStacks DescribeStacks CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStackEvents UpdateTerminationProtection GetTemplate ListStackResources")
	case "ssm":
		return strings.Fields("GetParameters GetParameter PutParameter GetParametersByPath DescribeParameters AddTagsToResource")
	case "secretsmanager":
		return strings.Fields("DescribeSecret PutSecretValue GetRandomPassword")
	case "logs":
		return strings.Fields("DescribeLogGroups CreateLogGroup PutRetentionPolicy")
	}
	return []string{""}
}

// struck holds that the operations were hit by every rule for them.
func (r *rig) struck(operations ...string) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		for _, f := range box.Faults() {
			if slices.Contains(operations, f.Operation) && f.Seen <= f.After {
				r.t.Errorf("%s %s came %d times, the fault was for call %d", f.Service, f.Operation, f.Seen, f.After+1)
			}
		}
	})
}

// once holds that each thing was made one time: one version of each parameter
// and one value of each secret, one creation of each stack, no change set left.
func (r *rig) once() {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		parameters := ssm.NewFromConfig(cfg)
		var next *string
		for {
			out, err := parameters.DescribeParameters(ctx, &ssm.DescribeParametersInput{NextToken: next})
			if err != nil {
				r.t.Fatal(err)
			}
			for _, p := range out.Parameters {
				if p.Version != 1 {
					r.t.Errorf("parameter %s has version %d", *p.Name, p.Version)
				}
			}
			if next = out.NextToken; next == nil {
				break
			}
		}
		secrets := secretsmanager.NewFromConfig(cfg)
		for _, name := range []string{"/bp/laravel/app-key", "/bp/oauth/secrets"} {
			out, err := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
			if err != nil {
				r.t.Fatal(err)
			}
			if len(out.VersionIdsToStages) != 1 {
				r.t.Errorf("secret %s has the versions %v", name, out.VersionIdsToStages)
			}
		}
		stacks := cloudformation.NewFromConfig(cfg)
		out, err := stacks.ListStacks(ctx, &cloudformation.ListStacksInput{})
		if err != nil {
			r.t.Fatal(err)
		}
		seen := map[string]int{}
		for _, s := range out.StackSummaries {
			if seen[*s.StackName]++; seen[*s.StackName] > 1 || s.StackStatus != "CREATE_COMPLETE" {
				r.t.Errorf("stack %s: %s", *s.StackName, s.StackStatus)
			}
			events, err := stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: s.StackId})
			if err != nil {
				r.t.Fatal(err)
			}
			operations := map[string]bool{}
			for _, e := range events.StackEvents {
				operations[fmt.Sprint(aws.ToString(e.ClientRequestToken))] = true
			}
			sets, err := stacks.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: s.StackId})
			if err != nil {
				r.t.Fatal(err)
			}
			// The set that was executed stays with AWS in no list of what can still run.
			for _, set := range sets.Summaries {
				if set.ExecutionStatus == "AVAILABLE" {
					r.t.Errorf("change set %s of stack %s is left over", *set.ChangeSetName, *s.StackName)
				}
			}
			if len(operations) > 2 { // the change set's review, the execution
				r.t.Errorf("stack %s had the operations %v", *s.StackName, operations)
			}
		}
	})
}
