package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

//go:embed plan.schema.json
var planSchema []byte

// PlanSchema is the JSON Schema of what PlanJSON writes.
func PlanSchema() []byte { return append([]byte(nil), planSchema...) }

// PlanJSON writes the plan as one JSON document, described by PlanSchema.
// Literals that look secret are masked in the templates, too: the page is to be
// read, and no plan is run from it.
func PlanJSON(w io.Writer, p plan.Plan) error {
	steps := make([]plan.Step, len(p.Steps))
	for i, s := range p.Steps {
		steps[i] = shown(s)
	}
	p.Steps = steps
	return writeJSON(w, p, "  ")
}

// shown is a step whose template is as it may be shown.
func shown(s plan.Step) plan.Step {
	if s.Body.Stack == nil || s.Body.Stack.Template == nil {
		return s
	}
	body, t := *s.Body.Stack, *s.Body.Stack.Template
	t.Resources = make(map[string]cfn.Resource, len(t.Resources))
	for id, r := range s.Body.Stack.Template.Resources {
		if r.Properties != nil {
			r.Properties = r.Shown()
		}
		t.Resources[id] = r
	}
	body.Template = &t
	s.Body.Stack = &body
	return s
}

func writeJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
