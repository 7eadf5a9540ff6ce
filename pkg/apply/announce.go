package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// The comparison of what CloudFormation announces with what the plan said.
// The plan knows the template's own differences. CloudFormation also announces
// what may follow from them: a resource that refers to a changed one is
// announced although nothing of it need change ("Dynamic"). Such a possibility
// is let through, but never one to replace a resource that holds data.

// announcement is the comparison for one stack.
type announcement struct {
	template cfn.Template
	changes  map[string][]plan.Change // by logical id
	tags     bool                     // the plan changes tags of the stack
	// moving holds what may have another value after the step: resources that
	// the plan changes, template parameters that it changes, and resources that
	// follow from those.
	moving map[string]bool
	// steady holds the resources among them whose Ref stays as it is.
	steady map[string]bool
}

// beyondPlan lists what CloudFormation announces and the plan did not, and
// the command that goes on from there. A replacement for which the operator
// gave an explicit consent is let through.
func (s *stackStep) beyondPlan() (extra []string, command string) {
	a := newAnnouncement(s.template, s.step.Changes, s.set.Changes)
	var consents []plan.Approval
	all := true
	for _, c := range s.set.Changes {
		what, replacement := a.beyond(c)
		if what == "" {
			if c.Replacement != "" && c.Replacement != "False" && !a.replaces(c.Resource) {
				s.note("CloudFormation calls a replacement of %s possible; by the plan it stays", c.Resource)
			}
			continue
		}
		consent := plan.Approval{Kind: plan.ApproveReplace, Target: s.body.Name + "/" + c.Resource}
		if replacement && s.e.opts.approves(consent.Kind, consent.Target) {
			s.note("%s: approved", what)
			continue
		}
		extra = append(extra, what)
		consents = append(consents, consent)
		all = all && replacement
	}
	if len(extra) > 0 && all {
		return extra, approvalCommand(consents)
	}
	extra = append(extra, s.notImported()...)
	return extra, planCommand
}

func newAnnouncement(t cfn.Template, changes []plan.Change, announced []Announced) *announcement {
	a := &announcement{
		template: t, changes: map[string][]plan.Change{},
		moving: map[string]bool{}, steady: map[string]bool{},
	}
	for _, c := range changes {
		section, name, dotted := strings.Cut(c.Resource, ".")
		switch {
		case dotted && section == "Tags":
			a.tags = true
		case dotted && section == "Parameters":
			a.moving[name] = true
		case dotted:
		default:
			a.changes[c.Resource] = append(a.changes[c.Resource], c)
			a.moving[c.Resource] = true
		}
	}
	for id := range a.changes {
		a.steady[id] = !a.replaces(id)
	}
	// What refers to something that moves, and is announced, moves too.
	for grew := true; grew; {
		grew = false
		for _, c := range announced {
			if a.moving[c.Resource] || c.Action != "Modify" && c.Action != "Dynamic" {
				continue
			}
			if a.follows(a.template.Resources[c.Resource].Properties, false) {
				a.moving[c.Resource] = true
				a.steady[c.Resource] = c.Replacement == "False" || c.Replacement == ""
				grew = true
			}
		}
	}
	return a
}

// replaces tells whether the plan said that the resource may be replaced.
func (a *announcement) replaces(resource string) bool {
	for _, c := range a.changes[resource] {
		if c.Action == plan.ActionReplace || c.Replace == plan.ReplaceYes || c.Replace == plan.ReplaceMaybe {
			return true
		}
	}
	return false
}

func (a *announcement) has(resource string, actions ...plan.Action) bool {
	for _, c := range a.changes[resource] {
		for _, action := range actions {
			if c.Action == action {
				return true
			}
		}
	}
	return false
}

// beyond says what an announced change does that the plan did not say; empty
// when it says the same or less. replacement: an explicit consent to replace
// the resource covers it.
func (a *announcement) beyond(c Announced) (what string, replacement bool) {
	name := c.Resource + " (" + c.Type + ")"
	if a.keeps(c.Resource) && (c.PolicyAction == "Delete" || c.PolicyAction == "ReplaceAndDelete") {
		return "deletes " + name + ", which the plan keeps", false
	}
	switch c.Action {
	case "Add":
		if !a.has(c.Resource, plan.ActionCreate) {
			return "adds " + name, false
		}
	case "Remove":
		if !a.has(c.Resource, plan.ActionDelete) {
			return "removes " + name, false
		}
	case "Import":
		if !a.has(c.Resource, plan.ActionImport) {
			return "imports " + name, false
		}
	case "Modify", "Dynamic":
		if a.replaces(c.Resource) || a.has(c.Resource, plan.ActionCreate) {
			return "", false
		}
		return a.modifies(c, name)
	default:
		return fmt.Sprintf("does %q to %s, which this program does not know", c.Action, name), false
	}
	return "", false
}

// keeps tells whether the plan takes the resource out of the stack but keeps the thing.
func (a *announcement) keeps(resource string) bool {
	for _, c := range a.changes[resource] {
		if c.Retained {
			return true
		}
	}
	return false
}

// modifies judges a change in place, or a replacement, that the plan did not
// call a replacement.
func (a *announcement) modifies(c Announced, name string) (what string, replacement bool) {
	switch {
	case c.Replacement == "True":
		if !c.Dynamic || !a.possible(c) {
			return "replaces " + name, true
		}
	case c.Replacement == "Conditional" || c.Action == "Dynamic":
		if !a.possible(c) && !a.judged(c) {
			return "may replace " + name + paths(c), true
		}
	case len(a.changes[c.Resource]) > 0 || a.harmless(c) || a.possible(c):
	default:
		return "changes " + name + paths(c), false
	}
	return "", false
}

// judged tells whether the plan has judged each property that the announcement
// changes, or that property may only change because of another resource.
func (a *announcement) judged(c Announced) bool {
	for _, p := range tops(c.Paths) {
		if !a.planned(c.Resource, p) && !a.mayFollow(c.Resource, p) {
			return false
		}
	}
	return len(c.Paths) > 0
}

func (a *announcement) planned(resource, top string) bool {
	for _, c := range a.changes[resource] {
		if c.Path == "" || topOf(c.Path) == top {
			return true
		}
	}
	return false
}

// possible tells whether the whole announcement may only follow from what the
// plan changes elsewhere, and loses no data if it happens.
func (a *announcement) possible(c Announced) bool {
	if c.Type == "AWS::CloudFormation::Stack" && c.Replacement != "True" {
		return true // announced whenever its parent is updated
	}
	if len(c.Paths) == 0 {
		return c.Dynamic && a.follows(a.template.Resources[c.Resource].Properties, a.stateful(c.Resource))
	}
	for _, p := range tops(c.Paths) {
		if !a.mayFollow(c.Resource, p) {
			return false
		}
	}
	return true
}

// mayFollow tells whether a property refers to something that moves. For a
// resource that holds data and would be replaced by it, only a Ref to
// something that is not replaced itself will do: that is as before.
func (a *announcement) mayFollow(resource, top string) bool {
	return a.follows(a.template.Resources[resource].Properties[top], a.stateful(resource))
}

func (a *announcement) follows(v any, onlySteady bool) bool {
	found, unsteady := false, false
	mentions(v, func(name string, byRef bool) {
		if a.moving[name] {
			found = true
			unsteady = unsteady || !byRef || !a.steady[name]
		}
	})
	return found && !(onlySteady && unsteady)
}

// stateful tells whether the template says that the resource holds data.
func (a *announcement) stateful(resource string) bool {
	r := a.template.Resources[resource]
	for _, policy := range []string{r.DeletionPolicy, r.UpdateReplacePolicy} {
		if policy != "" && policy != "Delete" {
			return true
		}
	}
	return false
}

// harmless tells whether only what follows from announced stack tags changes,
// or what CloudFormation itself keeps and no service sees.
func (a *announcement) harmless(c Announced) bool {
	for _, p := range tops(c.Paths) {
		if p != "Metadata" && !(p == "Tags" && a.tags) {
			return false
		}
	}
	return len(c.Paths) > 0
}

func paths(c Announced) string {
	if len(c.Paths) == 0 {
		return ""
	}
	return ": " + strings.Join(tops(c.Paths), ", ")
}

// tops are the top-level properties, or other attributes, of property paths, each once.
func tops(paths []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range paths {
		if top := topOf(p); !seen[top] {
			seen[top] = true
			out = append(out, top)
		}
	}
	return out
}

// topOf is "LaunchTemplate" of "Properties.LaunchTemplate.Version" and of
// "/Properties/LaunchTemplate/Version", and "UpdatePolicy" of "UpdatePolicy.X".
func topOf(path string) string {
	path = strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
	path = strings.TrimPrefix(path, "Properties.")
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// mentions calls found for every logical id or template parameter that a value
// refers to; byRef is false where it reads an attribute.
func mentions(v any, found func(name string, byRef bool)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			mentions(e, found)
		}
	case map[string]any:
		for k, e := range v {
			switch k {
			case "Ref":
				if name, ok := e.(string); ok {
					found(name, true)
				}
			case "Fn::GetAtt":
				found(attributeOf(e), false)
			case "Fn::Sub":
				substituted(e, found)
			}
			mentions(e, found)
		}
	}
}

// attributeOf is the logical id of {"Fn::GetAtt": ["Id", "Attr"]} or "Id.Attr".
func attributeOf(v any) string {
	switch v := v.(type) {
	case string:
		id, _, _ := strings.Cut(v, ".")
		return id
	case []any:
		if len(v) > 0 {
			id, _ := v[0].(string)
			return id
		}
	}
	return ""
}

// substituted finds the ${Name} and ${Name.Attr} of an Fn::Sub.
func substituted(v any, found func(name string, byRef bool)) {
	text, ok := v.(string)
	if list, isList := v.([]any); isList && len(list) > 0 {
		text, ok = list[0].(string)
	}
	if !ok {
		return
	}
	for {
		_, rest, more := strings.Cut(text, "${")
		if !more {
			return
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return
		}
		if !strings.HasPrefix(inner, "!") {
			id, _, attribute := strings.Cut(inner, ".")
			found(id, !attribute)
		}
		text = after
	}
}
