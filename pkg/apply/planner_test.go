package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

const owner = "bp"

// wish is a stack that a test asks for.
type wish struct {
	name     string
	template cfn.Template
	needs    []string
}

// topic is a template with one resource whose name comes from value, a string
// or an open reference, and one output.
func topic(value any) cfn.Template {
	return cfn.Template{
		Description: "A topic",
		Resources: map[string]cfn.Resource{
			"Topic": {Type: "AWS::SNS::Topic", Properties: map[string]any{"DisplayName": value}},
		},
		Outputs: map[string]cfn.Output{"Value": {Value: "value of " + text(value)}},
	}
}

func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return "a reference"
}

// computePlan is a small planner of its own: what the fake has against wishes.
func computePlan(f *fake, wishes ...wish) plan.Plan {
	p := plan.Plan{FormatVersion: plan.FormatVersion, Target: plan.Target{Platform: owner}}
	changing := map[string]bool{}
	for _, w := range wishes {
		var live *plan.LiveStack
		if s := f.find(w.name); s != nil {
			live = &s.LiveStack
		}
		step := stackStepFor(f, w, live, changing)
		if step == nil {
			continue
		}
		if action, _ := plan.ActionFor(statusOf(live)); action.Recover != "" {
			recover := plan.Step{
				ID: plan.RecoverID(w.name), Kind: plan.KindStack, Target: w.name, Action: plan.ActionRecover, Base: step.Base,
				Body: plan.Body{Recover: &plan.RecoverBody{Name: w.name, ID: live.ID, Status: live.Status, Operation: action.Recover}},
			}
			step.Needs = append(step.Needs, recover.ID)
			step.Base = plan.BaseAfter(recover.ID)
			p.Steps = append(p.Steps, recover)
		}
		p.Steps = append(p.Steps, *step)
	}
	return seal(p)
}

func seal(p plan.Plan) plan.Plan {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	p.Digest = hex.EncodeToString(sum[:])
	return p
}

func statusOf(s *plan.LiveStack) string {
	if s == nil {
		return ""
	}
	return s.Status
}

// stackStepFor is the step for one wish, nil when there is nothing to do.
func stackStepFor(f *fake, w wish, live *plan.LiveStack, changing map[string]bool) *plan.Step {
	lookup := func(r cfn.Ref) (string, bool) {
		s := f.find(r.Stack)
		if s == nil || changing[r.Stack] {
			return "", false
		}
		v, ok := s.Outputs[r.Output]
		return v, ok
	}
	resolved := cfn.ResolveTemplate(w.template, lookup)
	if d, err := cfn.DigestOf(resolved, nil, nil); err == nil && settledWell(live) && markerOf(live).Digest == d {
		return nil
	}
	changing[w.name] = true
	template := w.template
	step := &plan.Step{
		ID: plan.ID(plan.KindStack, w.name), Kind: plan.KindStack, Target: w.name, Action: plan.ActionCreate,
		Base: plan.FingerprintStack(live), Source: spec.Source{File: "specs/" + w.name + ".yaml", Line: 1},
		Body: plan.Body{Stack: &plan.StackBody{Name: w.name, Owner: owner, Template: &template}},
	}
	var old *cfn.Template
	if live != nil && live.Template != nil {
		step.Action, old = plan.ActionUpdate, live.Template
	}
	actions := map[string]plan.Action{"Add": plan.ActionCreate, "Modify": plan.ActionUpdate, "Remove": plan.ActionDelete}
	for _, a := range announce(old, resolved) {
		paths := a.Paths
		if len(paths) == 0 {
			paths = []string{""}
		}
		for _, path := range paths {
			step.Changes = append(step.Changes, plan.Change{Resource: a.Resource, Action: actions[a.Action], Path: path, Replace: plan.ReplaceNo})
		}
	}
	for _, need := range w.needs {
		if changing[need] {
			step.Needs = append(step.Needs, plan.ID(plan.KindStack, need))
		}
	}
	if action, ok := plan.ActionFor(statusOf(live)); !ok || action.Class == plan.StatusBusy {
		step.Blocked = &plan.Blocked{Reason: "an operation runs", Command: "wait"}
	}
	return step
}

// outcomes is "step outcome" of each result, one per line.
func outcomes(r Result) string {
	var b strings.Builder
	for _, s := range r.Steps {
		b.WriteString(string(s.Step) + " " + string(s.Outcome) + "\n")
	}
	return b.String()
}
