package stackengine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"pgregory.net/rapid"

	"reconcile/pkg/sandbox/stackengine"
)

// randomTemplate draws a template: resources R0 to R5, each referring only to
// lower ones, some with names, policies and dependencies.
func randomTemplate(t *rapid.T, label string) string {
	resources := map[string]any{}
	for i := range rapid.IntRange(1, 6).Draw(t, label+" resources") {
		if i > 0 && rapid.IntRange(0, 4).Draw(t, label+" skip") == 0 {
			continue
		}
		r := map[string]any{}
		reference := func() any {
			below := slices.Sorted(maps.Keys(resources))
			word := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, label+" word")
			if len(below) == 0 || rapid.Bool().Draw(t, label+" literal") {
				return word
			}
			target := rapid.SampledFrom(below).Draw(t, label+" target")
			if rapid.Bool().Draw(t, label+" by ref") {
				return map[string]any{"Ref": target}
			}
			return map[string]any{"Fn::Sub": word + " ${" + target + "}"}
		}
		switch rapid.IntRange(0, 3).Draw(t, label+" type") {
		case 0:
			r["Type"], r["Properties"] = "AWS::SNS::Topic", map[string]any{"DisplayName": reference()}
		case 1:
			r["Type"], r["Properties"] = "AWS::EC2::SecurityGroup", map[string]any{"GroupDescription": reference()} // any change replaces
		case 2:
			r["Type"], r["Properties"] = "AWS::Logs::LogGroup", map[string]any{"LogGroupName": fmt.Sprintf("/l/%d/%s", i, rapid.SampledFrom([]string{"x", "y"}).Draw(t, label+" name"))}
		default:
			r["Type"], r["Properties"] = "AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": reference()}
		}
		if p := rapid.SampledFrom([]string{"", "", "Delete", "Retain", "RetainExceptOnCreate"}).Draw(t, label+" policy"); p != "" {
			r["DeletionPolicy"] = p
		}
		// A logical id keeps its type: CloudFormation refuses anything else.
		resources[fmt.Sprintf("R%d%s", i, strings.ReplaceAll(r["Type"].(string), ":", ""))] = r
	}
	raw, err := json.Marshal(map[string]any{"Resources": resources})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Whatever is asked in whatever order, with whatever failing, a stack stays in
// the machine, comes to rest and leaks nothing.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.e.State.Seed = rapid.Uint64().Draw(rt, "seed")
		name := ptr("s")
		send := func(in any) { // refusals are fine, anything else is not
			_, err := w.e.Handle(context.Background(), "", in)
			var api *stackengine.Error
			if err != nil && !asError(err, &api) {
				rt.Fatalf("%T: %v", in, err)
			}
		}
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			label := fmt.Sprint(step)
			body := randomTemplate(rt, label)
			noRollback := rapid.IntRange(0, 4).Draw(rt, label+" no rollback") == 0
			switch rapid.IntRange(0, 9).Draw(rt, label+" request") {
			case 0, 1:
				send(&cfn.CreateStackInput{StackName: name, TemplateBody: &body, DisableRollback: &noRollback})
			case 2, 3, 4:
				send(&cfn.UpdateStackInput{StackName: name, TemplateBody: &body, DisableRollback: &noRollback})
			case 5:
				send(&cfn.DeleteStackInput{StackName: name})
			case 6:
				send(&cfn.CancelUpdateStackInput{StackName: name})
			case 7:
				send(&cfn.ContinueUpdateRollbackInput{StackName: name, ResourcesToSkip: failedUpdates(w)})
			case 8:
				send(&cfn.RollbackStackInput{StackName: name})
			default:
				kind := types.ChangeSetType(rapid.SampledFrom([]string{"CREATE", "UPDATE"}).Draw(rt, label+" kind"))
				set := "c" + label
				send(&cfn.CreateChangeSetInput{StackName: name, ChangeSetName: &set, ChangeSetType: kind, TemplateBody: &body})
				w.pass(5 * time.Second)
				send(&cfn.ExecuteChangeSetInput{StackName: name, ChangeSetName: &set})
			}
			if rapid.IntRange(0, 2).Draw(rt, label+" fault") == 0 {
				phase := rapid.SampledFrom([]stackengine.Phase{"create", "update", "delete", "rollback"}).Draw(rt, label+" phase")
				w.e.State.Faults = append(w.e.State.Faults, stackengine.Fault{Phase: phase, Times: rapid.IntRange(1, 2).Draw(rt, label+" times"), Message: "no"})
			}
			w.pass(time.Duration(rapid.IntRange(0, 40).Draw(rt, label+" seconds")) * time.Second)
			if rapid.Bool().Draw(rt, label+" reopen") {
				w.reopen()
			}
			if rapid.IntRange(0, 2).Draw(rt, label+" settle") > 0 {
				w.settle()
				checkRest(rt, w)
			}
		}
		w.settle()
		checkRest(rt, w)
	})
}

func asError(err error, target **stackengine.Error) bool {
	return errors.As(err, target)
}

func failedUpdates(w *world) []string {
	var out []string
	if s := w.e.State.Stacks[w.e.State.Names["s"]]; s != nil {
		for id, r := range s.Resources {
			if r.Status == "UPDATE_FAILED" {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out
}

// checkRest holds what is true of every stack at rest.
func checkRest(t *rapid.T, w *world) {
	owned := map[string]int{}
	for _, item := range w.e.State.Items {
		owned[item.Owner]++
	}
	for _, s := range w.e.State.Stacks {
		checkMachine(t, s)
		if s.Op != nil {
			t.Fatalf("%s still runs", s.Status)
		}
		has := 0
		for id, r := range s.Resources {
			if r.PhysicalID != "" && r.Status != "DELETE_COMPLETE" && r.Status != "DELETE_SKIPPED" {
				item := w.e.State.Items[r.Type+"|"+r.PhysicalID]
				if item == nil || item.Owner != s.ID {
					t.Fatalf("%s: %s (%s) is not there", s.Status, id, r.Status)
				}
				has++
			}
		}
		failed := strings.HasSuffix(s.Status, "_FAILED")
		if !failed && owned[s.ID] != has {
			t.Fatalf("%s: the stack owns %d items and knows %d\n%s", s.Status, owned[s.ID], has, w.events(s.ID))
		}
		if failed || s.Status == "REVIEW_IN_PROGRESS" {
			continue
		}
		if len(s.Garbage) > 0 || s.Stable != nil && s.Status != "DELETE_COMPLETE" && s.Status != "ROLLBACK_COMPLETE" {
			t.Fatalf("%s: %d left to clean up, stable %v", s.Status, len(s.Garbage), s.Stable != nil)
		}
		if !strings.HasSuffix(s.Status, "E_COMPLETE") || s.Status == "DELETE_COMPLETE" {
			continue
		}
		var wanted struct{ Resources map[string]any }
		if err := json.Unmarshal([]byte(s.Deployed.Template), &wanted); err != nil {
			t.Fatal(err)
		}
		if a, b := slices.Sorted(maps.Keys(wanted.Resources)), slices.Sorted(maps.Keys(s.Resources)); !slices.Equal(a, b) {
			t.Fatalf("%s: template has %v, stack has %v", s.Status, a, b)
		}
		for id, r := range s.Resources {
			if r.Before != nil || r.Fresh {
				t.Fatalf("%s: %s is not settled", s.Status, id)
			}
		}
	}
}

// What a change set announces is what its execution does: nothing happens that
// was not announced, a replacement that is sure happens, one that is ruled out
// does not.
func TestAnnouncedIsDone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.create("s", randomTemplate(rt, "before"))
		before := maps.Clone(w.e.State.Stacks[w.e.State.Names["s"]].Resources)
		events := len(w.e.State.Stacks[w.e.State.Names["s"]].Events)
		set := w.change("s", "c", "UPDATE", randomTemplate(rt, "after"))
		if set.Status == "FAILED" {
			if len(set.Changes) > 0 {
				rt.Fatal("a failed change set has changes")
			}
			return
		}
		announced := map[string]*types.ResourceChange{}
		for _, c := range set.Changes {
			announced[*c.ResourceChange.LogicalResourceId] = c.ResourceChange
		}
		must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: set.ChangeSetId})
		w.settle()
		s := w.e.State.Stacks[w.e.State.Names["s"]]
		for _, ev := range s.Events[events:] {
			if ev.LogicalID != "s" && announced[ev.LogicalID] == nil {
				rt.Fatalf("%s %s was not announced", ev.LogicalID, ev.Status)
			}
		}
		if s.Status != "UPDATE_COMPLETE" {
			return
		}
		for id, c := range announced {
			was, is := before[id], s.Resources[id]
			switch {
			case c.Action == "Add" && (was != nil || is == nil),
				c.Action == "Remove" && (was == nil || is != nil),
				c.Replacement == "True" && was.PhysicalID == is.PhysicalID,
				c.Action == "Modify" && c.Replacement == "False" && was.PhysicalID != is.PhysicalID:
				rt.Fatalf("%s was announced as %s %s", id, c.Action, c.Replacement)
			}
		}
	})
}

// The same requests against the same seed give the same state, byte for byte.
func TestDeterministic(t *testing.T) {
	run := func() string {
		w := newWorld(t)
		w.create("net", network)
		w.fail("Topic", stackengine.PhaseUpdate, 1, "no")
		w.update("net", edit(network, "web servers", "all servers"))
		w.change("net", "c", "UPDATE", edit(network, "10.0.0.0/24", "10.0.9.0/24"))
		w.delete("net")
		raw, err := json.Marshal(w.e.State)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	first := run()
	for range 5 {
		if run() != first {
			t.Fatal("two runs differ")
		}
	}
}
