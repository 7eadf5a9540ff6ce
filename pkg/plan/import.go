package plan

import (
	"fmt"
	"maps"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
)

// A resource that a stack of ours kept when it went is taken back by an import
// step of its own, before the step that creates the rest. Its template has
// what AWS demands of an import and what must not look new afterwards: the
// name, what cannot change in place, and what AWS would act on when it is
// written (a secret's generator). All else is left to the step after it, which
// writes it, so that a resource that differs by now is as the specs say again.
// CloudFormation's own search for resources to import is not used: it takes
// whatever has the name, and cannot take secrets (failure-modes B25).

// found is what stands where a stack would create resources.
type found struct {
	imports []string // logical ids to import, sorted
	named   map[string]LiveNamed
	problem *problem // the first of them; the others were told
}

// look finds what has the names of resources to be created, and tells of all
// but the first that stand in the way.
func (c *computation) look(st *stackState, ids []string) found {
	f := found{named: map[string]LiveNamed{}}
	for _, id := range ids {
		live, importable, p := c.taken(st, id)
		if _, stays := st.before.Resources[id]; importable && stays && st.mode == modeUpdate {
			importable, p = false, &problem{code: "name-taken", target: st.spec.Name + "/" + id,
				reason: fmt.Sprintf("%s cannot be replaced by one with the new name: %s exists, kept by an earlier life of the stack, and an import cannot replace. Take %s out of the specs for one apply; put back, it is imported",
					id, live.ID, id),
				command: "reconcile plan --stack " + st.spec.Name}
		}
		switch {
		case importable:
			f.imports = append(f.imports, id)
			f.named[id] = live
		case p != nil && f.problem == nil:
			f.problem = p
		case p != nil:
			c.tell(p, st.spec.SourceOf(id, ""))
		}
	}
	return f
}

// importing plans the import of what was found into a stack, or into a new one
// when before is nil. It gives the step's ID and the template that it leaves.
func (c *computation) importing(st *stackState, f found, before *cfn.Template, base string, also ...StepID) (StepID, cfn.Template) {
	s := st.spec
	t := cfn.Template{AWSTemplateFormatVersion: s.Template.AWSTemplateFormatVersion, Resources: map[string]cfn.Resource{}}
	body := &StackBody{Name: s.Name, Owner: c.d.Target.Platform}
	if before != nil {
		t = *before
		t.Resources = maps.Clone(before.Resources)
		body.ID = st.live.ID
		body.Capabilities = cfn.Capabilities(t)
		for name, v := range st.live.Parameters {
			if body.Parameters == nil {
				body.Parameters = map[string]any{}
			}
			body.Parameters[name] = v
		}
	}
	step := Step{
		ID: ImportID(s.Name), Kind: KindStack, Target: s.Name, Action: ActionImport, Base: base, Source: s.Source,
		Reason:   fmt.Sprintf("%s of an earlier life of the stack exist and carry this platform's mark", count(len(f.imports), "resource")),
		Rollback: "none needed: an import changes nothing in the resources; out of the stack they are kept",
	}
	if len(f.imports) == 1 {
		step.Reason = strings.Replace(strings.Replace(step.Reason, " exist ", " exists ", 1), " carry ", " carries ", 1)
	}
	for _, id := range f.imports {
		r := st.after.Resources[id]
		named, _ := namedTypes(r.Type)
		t.Resources[id] = importable(r)
		body.Imports = append(body.Imports, Import{Resource: id, Type: r.Type, Identifier: map[string]string{named.identifier: f.named[id].ID}})
		step.Changes = append(step.Changes, Change{Stack: s.Name, Resource: id, Type: r.Type, Physical: f.named[id].ID, Action: ActionImport, Source: s.SourceOf(id, "")})
	}
	if before == nil {
		t = c.sealed(t, st)
	}
	body.Template = &t
	step.Body.Stack = body
	c.add(st.node, step, also...)
	return step.ID, t
}

// sealed puts our mark on the template of a new stack that only imports. An
// import takes no outputs and no tags, so the description alone carries it.
func (c *computation) sealed(t cfn.Template, st *stackState) cfn.Template {
	d, err := digestOf(t, nil, nil)
	if err != nil {
		c.find(Finding{Severity: SeverityError, Code: "template", Target: st.spec.Name, Source: st.spec.Source, Message: fmt.Sprintf("stack %s: %v", st.spec.Name, err)})
		return t
	}
	t.Description = cfn.Seal(cfn.Template{Description: st.spec.Template.Description}, c.d.Target.Platform, d, "").Description
	return t
}

// importable is a resource as an import declares it.
func importable(r cfn.Resource) cfn.Resource {
	out := cfn.Resource{Type: r.Type, DeletionPolicy: r.DeletionPolicy, UpdateReplacePolicy: r.UpdateReplacePolicy, Properties: map[string]any{}}
	for name := range fixed(r) {
		out.Properties[name] = r.Properties[name]
	}
	return out
}

// fixed are the properties of a resource that an import must declare as they
// will be: added afterwards they would replace the resource, or make AWS write
// a new value.
func fixed(r cfn.Resource) map[string]bool {
	out := map[string]bool{}
	note := func(paths []string) {
		for _, p := range paths {
			top, _, _ := strings.Cut(p, ".")
			if _, set := r.Properties[top]; set {
				out[top] = true
			}
		}
	}
	t, _ := awstype.Lookup(r.Type)
	named, _ := namedTypes(r.Type)
	note([]string{named.property})
	note(t.Required)
	note(t.CreateOnly)
	note(t.ConditionalCreateOnly)
	for _, p := range t.WriteOnly {
		if !strings.Contains(p, ".") {
			note([]string{p})
		}
	}
	return out
}

// openProperty is a fixed property that is no literal; empty when all are.
func openProperty(r cfn.Resource) string {
	for _, name := range sortedKeys(fixed(r)) {
		if !literal(r.Properties[name]) {
			return name
		}
	}
	return ""
}

// literal tells whether a value holds no reference and no function.
func literal(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !literal(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if k == "Ref" || strings.HasPrefix(k, "Fn::") || strings.HasPrefix(k, "Reconcile::") || !literal(e) {
				return false
			}
		}
	}
	return true
}

// completing are the changes that a stack's step makes to what was imported:
// the properties that the import left out, and the stack's tags.
func (st *stackState) completing(imports []string, imported cfn.Template, physical map[string]LiveNamed) []Change {
	before, after := cfn.Template{Resources: map[string]cfn.Resource{}}, cfn.Template{Resources: map[string]cfn.Resource{}}
	for _, id := range imports {
		before.Resources[id], after.Resources[id] = imported.Resources[id], st.after.Resources[id]
	}
	out := st.changes(cfn.Diff(before, after))
	for _, id := range imports {
		r := st.after.Resources[id]
		if t, known := awstype.Lookup(r.Type); len(st.spec.Tags) > 0 && (!known || t.TagProperty != "") {
			out = append(out, Change{Stack: st.spec.Name, Resource: id, Type: r.Type, Action: ActionUpdate, Path: "Tags", Replace: ReplaceNo, Source: st.spec.SourceOf(id, "")})
		}
	}
	for i := range out {
		out[i].Physical = physical[out[i].Resource].ID
	}
	return out
}

// merge imports what was found into a stack that is there, and compares it
// again as the import leaves it. It gives the step to wait for; none when
// nothing was found, and a problem when AWS cannot import into such a stack.
func (c *computation) merge(st *stackState, f found, ds []cfn.Difference, base string) ([]cfn.Difference, []StepID, *problem) {
	if len(f.imports) == 0 || f.problem != nil {
		return ds, nil, f.problem
	}
	if p := st.closed(f); p != nil {
		return ds, nil, p
	}
	id, t := c.importing(st, f, st.live.Template, base)
	live := *st.live
	live.Resources = maps.Clone(live.Resources)
	for _, name := range f.imports {
		live.Resources[name] = LiveResource{Type: t.Resources[name].Type, PhysicalID: f.named[name].ID}
	}
	st.live, st.before = &live, t
	return st.compare(), []StepID{id}, nil
}

// closed tells why nothing can be imported into the stack as it is deployed.
func (st *stackState) closed(f found) *problem {
	why := ""
	if st.live.Template.Transform != nil {
		why = "its template has a Transform"
	}
	for _, name := range sortedKeys(st.live.Parameters) {
		if hidden(st.live.Template.Parameters[name]) {
			why = "the value of its hidden parameter " + name + " is not known"
		}
	}
	if why == "" {
		return nil
	}
	return &problem{code: "import-closed", target: st.spec.Name,
		reason: fmt.Sprintf("%s exist and would be imported into stack %s, but %s; import them by hand",
			strings.Join(f.imports, ", "), st.spec.Name, why),
		command: "aws cloudformation create-change-set --change-set-type IMPORT --stack-name " + st.spec.Name}
}

// comers are the resources that an update makes anew under a name that they
// did not have: those that are added, and those that are replaced and renamed.
func (st *stackState) comers(ds []cfn.Difference) []string {
	set := map[string]bool{}
	for _, d := range ds {
		if strings.Contains(d.Resource, ".") {
			continue
		}
		added := d.Path == "" && d.Kind == cfn.Add
		t, _ := namedTypes(d.Type)
		if added || t.property != "" && d.Path == "Properties."+t.property {
			set[d.Resource] = true
		}
	}
	return sortedKeys(set)
}

// aside tells of data that an earlier life of a stack kept and that has no
// name of its own to be found by: it is made anew, and the old stays beside it.
func (c *computation) aside(st *stackState, f found) {
	if len(f.imports) == 0 {
		return
	}
	var ids, kept []string
	for _, id := range st.after.LogicalIDs() {
		if r := st.after.Resources[id]; retained(r.DeletionPolicy) && !hasName(r) {
			ids = append(ids, id)
		}
	}
	makers := map[string]bool{}
	for _, live := range f.named {
		if live.Maker != "" {
			makers[live.Maker] = true
		}
	}
	told := false
	for _, maker := range sortedKeys(makers) {
		remains, read := c.l.Remains[maker]
		if !read {
			c.more.remains[maker] = true
		}
		told = told || len(remains) > 0
		for _, id := range ids {
			if r := remains[id]; r.Status == "DELETE_SKIPPED" && r.PhysicalID != "" {
				kept = append(kept, fmt.Sprintf("%s %s (%s)", id, r.PhysicalID, r.Type))
			}
		}
	}
	finding := Finding{Severity: SeverityWarning, Code: "kept-aside", Target: st.spec.Name, Source: st.spec.Source}
	switch {
	case len(kept) > 0:
		finding.Message = fmt.Sprintf("stack %s makes new ones of what its earlier life kept under generated names, which an import cannot take. The old ones stay beside them with their data and their cost, until somebody moves the data and deletes them: %s",
			st.spec.Name, strings.Join(kept, ", "))
		if list := sortedKeys(makers); len(list) == 1 {
			finding.Command = "aws cloudformation list-stack-resources --stack-name " + list[0]
		}
	case told || len(ids) == 0:
		return
	default:
		finding.Message = fmt.Sprintf("stack %s makes new ones of %s. What its earlier life kept of them has generated names and is not found; it stays beside them with its data and its cost",
			st.spec.Name, strings.Join(ids, ", "))
	}
	c.find(finding)
}

// hasName tells whether a resource has an explicit name.
func hasName(r cfn.Resource) bool {
	t, ok := awstype.Lookup(r.Type)
	return ok && t.NameProperty != "" && r.Properties[t.NameProperty] != nil
}
