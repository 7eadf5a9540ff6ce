package apply

import (
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// unannounced lists what differs between the deployed template and the one
// with every reference resolved, and what the plan did not say: values that
// were another when the plan was computed. "Resource" or "Resource.Property".
// Sections beside the resources hold nothing that a reference could move but
// outputs, and what reads those is compared in its own step.
func unannounced(live, next cfn.Template, changes []plan.Change) []string {
	said := map[string]bool{}
	for _, c := range changes {
		said[c.Resource+" "+topOf(c.Path)] = true
	}
	var extra []string
	for _, d := range cfn.Diff(live, next) {
		top := topOf(d.Path)
		if strings.Contains(d.Resource, ".") || said[d.Resource+" "+top] || said[d.Resource+" "] {
			continue
		}
		said[d.Resource+" "+top] = true // once
		name := d.Resource
		if top != "" {
			name += "." + top
		}
		extra = append(extra, name)
	}
	return extra
}
