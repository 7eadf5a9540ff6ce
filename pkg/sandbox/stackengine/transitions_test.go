package stackengine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

// transitions is the status machine of a stack: documentation of stack status
// codes, of stack failure options, and A9 for the way back out of a delete.
var transitions = map[string][]string{
	"":                     {"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS"},
	"REVIEW_IN_PROGRESS":   {"CREATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"CREATE_IN_PROGRESS":   {"CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"CREATE_COMPLETE":      {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"CREATE_FAILED":        {"UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"ROLLBACK_IN_PROGRESS": {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"},
	"ROLLBACK_COMPLETE":    {"DELETE_IN_PROGRESS"},
	"ROLLBACK_FAILED":      {"DELETE_IN_PROGRESS"},

	"UPDATE_IN_PROGRESS":                           {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS"},
	"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":          {"UPDATE_COMPLETE"},
	"UPDATE_COMPLETE":                              {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"UPDATE_FAILED":                                {"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"UPDATE_ROLLBACK_IN_PROGRESS":                  {"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"},
	"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": {"UPDATE_ROLLBACK_COMPLETE"},
	"UPDATE_ROLLBACK_COMPLETE":                     {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"UPDATE_ROLLBACK_FAILED":                       {"UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"},

	"DELETE_IN_PROGRESS": {"DELETE_COMPLETE", "DELETE_FAILED", "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"},
	"DELETE_FAILED":      {"DELETE_IN_PROGRESS"},
	"DELETE_COMPLETE":    {},

	"IMPORT_IN_PROGRESS":          {"IMPORT_COMPLETE", "IMPORT_ROLLBACK_IN_PROGRESS"},
	"IMPORT_COMPLETE":             {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	"IMPORT_ROLLBACK_IN_PROGRESS": {"IMPORT_ROLLBACK_COMPLETE"},
	"IMPORT_ROLLBACK_COMPLETE":    {"UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "DELETE_IN_PROGRESS"},
	// Giving back what was taken over cannot fail here.
	"IMPORT_ROLLBACK_FAILED": {},
}

func TestMachineKnowsEveryStatus(t *testing.T) {
	for _, s := range types.StackStatus("").Values() {
		if _, ok := transitions[string(s)]; !ok {
			t.Errorf("%s is not in the machine", s)
		}
	}
}

// checkMachine walks a stack's events.
func checkMachine(t interface{ Errorf(string, ...any) }, s *stackengine.Stack) {
	at := ""
	for _, ev := range s.Events {
		if ev.Type != "AWS::CloudFormation::Stack" {
			continue
		}
		if !slices.Contains(transitions[at], ev.Status) {
			t.Errorf("stack %s goes from %q to %s", s.Name, at, ev.Status)
		}
		at = ev.Status
	}
	if at != s.Status {
		t.Errorf("stack %s is in %s, its events end in %s", s.Name, s.Status, at)
	}
}

// reach gives a stack s in each status, or nothing where there is no way.
func reach(w *world, status types.StackStatus) bool {
	next := edit(network, "alerts of", "news of", "web servers", "all servers")
	update := func(noRollback bool) {
		must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: &next, DisableRollback: &noRollback})
	}
	until := func() bool {
		for range 1000 {
			if w.e.State.Names["s"] != "" && w.stack("s").StackStatus == status {
				return true
			}
			at, ok := w.e.Next()
			if !ok {
				break
			}
			w.now = at
		}
		return false
	}
	switch status {
	case "REVIEW_IN_PROGRESS":
		w.change("s", "first", "CREATE", network)
	case "CREATE_IN_PROGRESS", "CREATE_COMPLETE":
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: ptr(network)})
	case "CREATE_FAILED":
		w.fail("Topic", stackengine.PhaseCreate, 1, "no")
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: ptr(network), DisableRollback: ptr(true)})
	case "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE":
		w.fail("Topic", stackengine.PhaseCreate, 1, "no")
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: ptr(network)})
	case "ROLLBACK_FAILED":
		w.fail("Topic", "", 2, "no")
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: ptr(network)})
	case "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE":
		w.create("s", network)
		update(false)
	case "UPDATE_FAILED":
		w.create("s", network)
		w.fail("Topic", stackengine.PhaseUpdate, 1, "no")
		update(true)
	case "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE":
		w.create("s", network)
		w.fail("Topic", stackengine.PhaseUpdate, 1, "no")
		update(false)
	case "UPDATE_ROLLBACK_FAILED":
		w.create("s", network)
		w.fail("Topic", "", 2, "no")
		update(false)
	case "DELETE_IN_PROGRESS":
		w.create("s", network)
		must[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: ptr("s")})
	case "DELETE_FAILED":
		w.create("s", network)
		w.fail("Topic", "", 1, "no")
		must[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: ptr("s")})
	case "DELETE_COMPLETE":
		w.create("s", network)
		w.delete("s")
		return true
	case "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE":
		importLog(w, strings.Contains(string(status), "ROLLBACK"))
	default:
		return false
	}
	return until()
}

// importLog makes stack s and imports a log group that another stack left; when
// taken a third stack is faster.
func importLog(w *world, taken bool) {
	keep := "Resources: {Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}}"
	w.create("s", network)
	w.create("old", keep)
	w.delete("old")
	body := strings.Replace(network, "Outputs:", `
  Kept: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}
Outputs:`, 1)
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: ptr("s"), ChangeSetName: ptr("i"), ChangeSetType: "IMPORT", TemplateBody: &body,
		ResourcesToImport: []types.ResourceToImport{{LogicalResourceId: ptr("Kept"), ResourceType: ptr("AWS::Logs::LogGroup"), ResourceIdentifier: map[string]string{"LogGroupName": "/kept"}}},
	})
	w.pass(5 * time.Second)
	if taken {
		first := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
			StackName: ptr("faster"), ChangeSetName: ptr("i"), ChangeSetType: "CREATE", TemplateBody: &keep, ImportExistingResources: ptr(true),
		})
		w.pass(5 * time.Second)
		must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: first.Id})
		w.settle()
	}
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id})
}

// Every changing request in every status: accepted, or refused in AWS's words.
func TestRequestsInEveryStatus(t *testing.T) {
	body := edit(network, "10.0.0.0/24", "10.0.7.0/24")
	name := ptr("s")
	requests := []struct {
		name string
		send func(w *world) error
	}{
		{"CreateStack", func(w *world) error {
			_, err := try[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: name, TemplateBody: &body})
			return err
		}},
		{"UpdateStack", func(w *world) error {
			_, err := try[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: name, TemplateBody: &body})
			return err
		}},
		{"CreateChangeSet CREATE", func(w *world) error {
			_, err := try[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: name, ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body})
			return err
		}},
		{"CreateChangeSet UPDATE", func(w *world) error {
			_, err := try[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: name, ChangeSetName: ptr("c"), TemplateBody: &body})
			return err
		}},
		{"DeleteStack", func(w *world) error {
			_, err := try[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: name})
			return err
		}},
		{"CancelUpdateStack", func(w *world) error {
			_, err := try[cfn.CancelUpdateStackOutput](w, &cfn.CancelUpdateStackInput{StackName: name})
			return err
		}},
		{"ContinueUpdateRollback", func(w *world) error {
			_, err := try[cfn.ContinueUpdateRollbackOutput](w, &cfn.ContinueUpdateRollbackInput{StackName: name})
			return err
		}},
		{"RollbackStack", func(w *world) error {
			_, err := try[cfn.RollbackStackOutput](w, &cfn.RollbackStackInput{StackName: name})
			return err
		}},
	}
	var b strings.Builder
	for _, status := range types.StackStatus("").Values() {
		fmt.Fprintf(&b, "%s\n", status)
		for _, request := range requests {
			w := newWorld(t)
			if !reach(w, status) {
				fmt.Fprintf(&b, "  is not reached\n")
				break
			}
			arn := w.e.State.Names["s"]
			answer := "accepted"
			if err := request.send(w); err != nil {
				answer = err.Error()
				if arn != "" {
					answer = strings.ReplaceAll(answer, arn, "ARN")
				}
			}
			w.settle()
			after := "none"
			if id := w.e.State.Names["s"]; id != "" {
				after = w.e.State.Stacks[id].Status
			} else if arn != "" {
				after = w.e.State.Stacks[arn].Status
			}
			fmt.Fprintf(&b, "  %-23s %s → %s\n", request.name, answer, after)
			for _, s := range w.e.State.Stacks {
				checkMachine(t, s)
			}
		}
	}
	golden(t, "requests.txt", b.String())
}
