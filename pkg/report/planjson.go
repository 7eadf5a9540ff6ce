package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	"reconcile/pkg/plan"
)

//go:embed plan.schema.json
var planSchema []byte

// PlanSchema is the JSON Schema of what PlanJSON writes.
func PlanSchema() []byte { return append([]byte(nil), planSchema...) }

// PlanJSON writes the plan as one JSON document, described by PlanSchema.
func PlanJSON(w io.Writer, p plan.Plan) error {
	if p.Steps == nil {
		p.Steps = []plan.Step{}
	}
	return writeJSON(w, p, "  ")
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
