package cloud

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

func TestFailureKinds(t *testing.T) {
	tests := map[string]struct {
		code, message string
		want          apply.FailureKind
	}{
		"a stack that never was":     {"ValidationError", "Stack with id bp-x does not exist", apply.FailureAbsent},
		"a stack by ARN":             {"ValidationError", "Stack with id " + stackARN + " does not exist", apply.FailureAbsent},
		"a stack in brackets":        {"ValidationError", "Stack [bp-x] does not exist", apply.FailureAbsent},
		"another validation error":   {"ValidationError", "Stack name cannot be empty", apply.FailureOther},
		"text around it":             {"ValidationError", "No: Stack with id bp-x does not exist", apply.FailureOther},
		"not a validation error":     {"AccessDenied", "Stack with id bp-x does not exist", apply.FailureDenied},
		"a human's update (A14)":     {"ValidationError", "Stack:" + stackARN + " is in UPDATE_IN_PROGRESS state and can not be updated.", apply.FailureBusy},
		"a failed creation (A1)":     {"ValidationError", "Stack:" + stackARN + " is in ROLLBACK_COMPLETE state and can not be updated.", apply.FailureOther},
		"protected (A12)":            {"ValidationError", "Stack [x] cannot be deleted while TerminationProtection is enabled", apply.FailureOther},
		"create on an existing (B9)": {"ValidationError", "Stack [x] already exists and cannot be created again with the changeSet [y].", apply.FailureConflict},
		"a name race (C3)":           {"AlreadyExistsException", "Stack [x] already exists", apply.FailureConflict},
		"obsolete (B3)":              {"InvalidChangeSetStatus", "ChangeSet [arn] cannot be executed in its current execution status of [OBSOLETE]", apply.FailureConflict},
		"still creating (B4)":        {"InvalidChangeSetStatus", "ChangeSet [arn] cannot be executed in its current status of [CREATE_IN_PROGRESS]", apply.FailureBusy},
		"token used (B26)":           {"TokenAlreadyExistsException", "A client request token already exists.", apply.FailureConflict},
		"capabilities (B21)":         {"InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]", apply.FailureOther},
		"a quota (C4)":               {"LimitExceededException", "x", apply.FailureOther},
		"a parameter exists (E1)":    {"ParameterAlreadyExists", "x", apply.FailureConflict},
		"a parameter is missing":     {"ParameterNotFound", "x", apply.FailureAbsent},
		"expired (D11)":              {"ExpiredToken", "The security token included in the request is expired", apply.FailureOther},
		"denied (D15)":               {"AccessDeniedException", "x", apply.FailureDenied},
		"a change set is gone":       {"ChangeSetNotFound", "x", apply.FailureAbsent},
		"unknown (D22)":              {"Wobble", "x", apply.FailureOther},
	}
	c := &Cloud{}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := c.failure("the item", &smithy.OperationError{Err: &smithy.GenericAPIError{Code: tt.code, Message: tt.message}})
			want := &apply.Failure{Code: tt.code, Message: "the item: " + tt.message, Kind: tt.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFailureOfOurOwnSide(t *testing.T) {
	c := &Cloud{}
	for name, tt := range map[string]struct {
		err  error
		want apply.Failure
	}{
		"cancelled":            {context.Canceled, apply.Failure{Kind: apply.FailureCanceled, Message: "x: interrupted"}},
		"cancelled in the SDK": {&smithy.OperationError{Err: &aws.RequestCanceledError{Err: context.DeadlineExceeded}}, apply.Failure{Kind: apply.FailureCanceled, Message: "x: interrupted"}},
		"a server error":       {&smithy.OperationError{Err: &smithy.GenericAPIError{Code: "InternalFailure", Message: "oops"}}, apply.Failure{Message: "x: InternalFailure: oops"}},
		"transport":            {errors.New("dial tcp: no\nroute"), apply.Failure{Message: "x: dial tcp: no route"}},
		"a failure already":    {&apply.Failure{Message: "as it is"}, apply.Failure{Message: "as it is"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&tt.want, c.failure("x", tt.err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNoChanges(t *testing.T) {
	for text, want := range map[string]bool{
		"The submitted information didn't contain changes. Submit different information to create a change set.": true,
		"No updates are to be performed.":                                     true,
		"Hook failed: No updates are to be performed.":                        false,
		"Transform failed: The submitted information didn't contain changes.": false,
		"Parameters: [x] must have values":                                    false,
		"":                                                                    false,
		"The following hook(s)/validation failed: [AWS::EarlyValidation::Foo]": false,
	} {
		if got := noChanges(text); got != want {
			t.Errorf("noChanges(%q) = %v", text, got)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	c := &Cloud{}
	made, err := generate("laravel-key")
	if err != nil {
		t.Fatal(err)
	}
	c.masks.add("hunter2-hunter2")
	got := c.failure("write", &smithy.GenericAPIError{Code: "ValidationException",
		Message: "Value 'hunter2-hunter2' at 'value' and " + made + " by AKIAIOSFODNN7EXAMPLE failed"})
	if want := "write: Value '***' at 'value' and *** by *** failed"; got.Message != want {
		t.Errorf("got %q, want %q", got.Message, want)
	}
}

// Every status that the SDK knows has an action in the plan (failure-modes 2.0).
func TestEveryStackStatusHasAnAction(t *testing.T) {
	for _, s := range types.StackStatus("").Values() {
		if _, ok := plan.ActionFor(string(s)); !ok {
			t.Errorf("%s: the plan does not know this status", s)
		}
	}
}

// Every call of an SDK client in this package either reads, by its name, or
// has a class in the table of mutations; and the table has nothing else.
func TestEveryMutationIsClassified(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]bool{"cfn": true, "sts": true, "ssm": true, "asg": true, "ecr": true, "ecs": true, "secrets": true, "logs": true, "s3": true, "s3Data": true, "acm": true}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 1 {
				if own, ok := call.Fun.(*ast.SelectorExpr); ok && own.Sel.Name == "ec2" {
					if lit, ok := call.Args[1].(*ast.BasicLit); ok {
						used[strings.Trim(lit.Value, `"`)] = true
					}
				}
			}
			method, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if client, ok := method.X.(*ast.SelectorExpr); ok && clients[client.Sel.Name] {
				used[method.Sel.Name] = true
			}
			return true
		})
	}
	if len(used) < 30 {
		t.Fatalf("only %d operations found: the test no longer sees the calls", len(used))
	}
	table := mutations()
	for op := range used {
		reads := false
		for _, prefix := range []string{"Describe", "List", "Get", "Head"} {
			reads = reads || strings.HasPrefix(op, prefix)
		}
		if _, ok := table[op]; ok == reads {
			t.Errorf("%s: reads %v, in the table %v", op, reads, ok)
		}
	}
	for op := range table {
		if !used[op] {
			t.Errorf("%s is in the table and not used", op)
		}
	}
}

// What a person reads when AWS is not there, or something stands in its place.
func TestTroubleOnTheWay(t *testing.T) {
	for name, tt := range map[string]struct {
		answer answer
		want   string
	}{
		"reset":   {answer{err: &url.Error{Op: "Post", URL: "https://cloudformation.us-east-1.amazonaws.com/?x=y", Err: syscall.ECONNRESET}}, "no answer from cloudformation.us-east-1.amazonaws.com: connection reset by peer"},
		"no host": {answer{err: &url.Error{Op: "Post", URL: "https://cloudformation.us-east-1.amazonaws.com/", Err: &net.DNSError{Err: "no such host", Name: "cloudformation.us-east-1.amazonaws.com", IsNotFound: true}}}, "no answer from cloudformation.us-east-1.amazonaws.com: lookup cloudformation.us-east-1.amazonaws.com: no such host"},
		"a proxy": {answer{status: 407, body: "<html><p>Sign in</html>"}, "an answer that is none of AWS's, with status 407: "},
		"busy":    {answer{status: 503, body: "<html>busy</html>"}, "an answer that is none of AWS's, with status 503"},
		"cut off": {answer{body: "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>bp"}, "an answer that is none of AWS's, with status 200: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": func(ask) answer { return tt.answer }})
				_, err := c.describeStack(t.Context(), "bp-network")
				if want := "describe stack bp-network: " + tt.want; err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			})
		})
	}
}
