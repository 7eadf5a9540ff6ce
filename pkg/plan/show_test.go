package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// show writes a plan so that a person can judge a golden file: everything but
// bodies, fingerprints and digests.
func show(p plan.Plan) string {
	var b strings.Builder
	symbol := map[plan.Action]string{plan.ActionCreate: "+", plan.ActionUpdate: "~", plan.ActionReplace: "+/-", plan.ActionDelete: "-", plan.ActionImport: ">"}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s", s.Action, s.ID)
		for i, n := range s.Needs {
			fmt.Fprintf(&b, "%s%s", map[bool]string{true: "  after ", false: ", "}[i == 0], n)
		}
		b.WriteString("\n")
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(&b, "    %s: %s\n", name, text)
			}
		}
		if id, ok := s.Follows(); ok {
			line("starts from the result of", string(id))
		}
		if s.Blocked != nil {
			line("BLOCKED", s.Blocked.Reason)
			line("unblock", s.Blocked.Command)
		}
		for _, a := range s.Approvals {
			line("approve "+a.String(), a.Why)
		}
		line("unknown", strings.Join(s.Unknown, ", "))
		if r := s.Body.Recover; r != nil {
			line("recovery", fmt.Sprintf("%s of %s, touching %v", r.Operation, r.Status, r.Resources))
		}
		if s.Body.Stack != nil && s.Body.Stack.Capacity != nil {
			line("capacity", fmt.Sprintf("%+v", s.Body.Stack.Capacity))
		}
		if s.Body.Stack != nil && s.Action == plan.ActionImport {
			for _, i := range s.Body.Stack.Imports {
				line("import", fmt.Sprintf("%s %s %v", i.Resource, i.Type, i.Identifier))
			}
			template, err := json.Marshal(s.Body.Stack.Template)
			if err != nil {
				template = []byte(err.Error())
			}
			line("template", string(template))
		}
		if s.Rollout != nil {
			line("rollout", fmt.Sprintf("%+v", *s.Rollout))
		}
		line("risk", s.Risk)
		line("reason", s.Reason)
		for _, ch := range s.Changes {
			fmt.Fprintf(&b, "  %3s %s\n", symbol[ch.Action], showChange(ch))
		}
	}
	for _, ch := range p.Drift {
		fmt.Fprintf(&b, "! %s %s\n", ch.Action, showChange(ch))
	}
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "%s %s %s: %s%s\n", f.Severity, f.Code, f.Target, f.Message, at(f.Source.File, f.Source.Line))
		if f.Command != "" {
			fmt.Fprintf(&b, "    $ %s\n", f.Command)
		}
	}
	s := p.Summary
	if s.Import > 0 {
		fmt.Fprintf(&b, "= %d to import\n", s.Import)
	}
	fmt.Fprintf(&b, "= %d to add, %d to change, %d to destroy; %d replaced, %d by hand, %d blocked\n", s.Add, s.Change, s.Destroy, s.Replace, s.Drift, s.Blocked)
	return b.String()
}

func showChange(ch plan.Change) string {
	parts := []string{ch.Resource}
	if ch.Stack != "" && !strings.Contains(ch.Resource, "/") {
		parts[0] = ch.Stack + "/" + ch.Resource
	}
	if ch.Path != "" {
		parts = append(parts, ch.Path)
	}
	switch {
	case ch.Unknown && ch.Before == nil:
		parts = append(parts, "= (known after apply)")
	case ch.Unknown:
		parts = append(parts, value(ch.Before), "→ (known after apply)")
	case ch.Before != nil || ch.After != nil:
		parts = append(parts, value(ch.Before), "→", value(ch.After))
	}
	if ch.Replace == plan.ReplaceYes || ch.Replace == plan.ReplaceMaybe {
		parts = append(parts, "[replace: "+string(ch.Replace)+"]")
	}
	if ch.Retained {
		parts = append(parts, "[kept]")
	}
	return strings.Join(parts, " ") + at(ch.Source.File, ch.Source.Line)
}

func value(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func at(file string, line int) string {
	if file == "" {
		return ""
	}
	return fmt.Sprintf("  (%s:%d)", file, line)
}
