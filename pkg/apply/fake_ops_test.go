package apply

import (
	"fmt"
	"sort"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func (f *fake) carryOut(r Request, a *Response) {
	s := f.find(r.Stack)
	switch r.Op {
	case OpReadStack, OpWatchStack:
		if s == nil {
			f.read(r, r.Stack)
			return
		}
		f.read(r, s.Name)
		if r.Op == OpWatchStack {
			f.queue = append(f.queue, Response{ID: r.ID, Step: r.Step, Op: r.Op, Progress: &Progress{Stack: s.Name, Status: s.Status}})
			if s.next != nil {
				s.next()
			}
			a.Causes = s.why
		}
		live := s.LiveStack
		a.Stack, a.Token = &live, s.token
	case OpCreateChangeSet:
		if s == nil {
			s = f.add(r.Stack, "REVIEW_IN_PROGRESS")
		}
		f.changed(r, s.Name)
		if r.Create.New != (s.Status == "REVIEW_IN_PROGRESS") {
			a.Err = &Failure{Code: "ValidationError", Message: "wrong type of change set", Kind: FailureConflict}
			return
		}
		arn := s.ID + "/" + r.Create.Name
		s.sets[arn] = *r.Create
		a.ChangeSet = &ChangeSet{ARN: arn, StackID: s.ID, Changes: announce(s.Template, r.Create.Template)}
		if len(r.Create.Imports) > 0 {
			f.imports(r, a)
		}
		a.ChangeSet.Empty = s.Template != nil && same(*s.Template, r.Create.Template)
	case OpCreateStack:
		f.read(r, r.Stack)
		if s != nil && s.token == r.Token {
			a.Stack = &plan.LiveStack{ID: s.ID}
			return
		}
		if s != nil {
			a.Err = &Failure{Code: "AlreadyExistsException", Message: "Stack [" + s.Name + "] already exists", Kind: FailureConflict}
			return
		}
		s = f.add(r.Stack, "REVIEW_IN_PROGRESS")
		in := *r.Create
		s.Description = in.Template.Description
		f.begin(s, r.Token, "CREATE_IN_PROGRESS", func() { f.install(s, in.Template); s.Status = "CREATE_COMPLETE" })
		a.Stack = &plan.LiveStack{ID: s.ID}
	case OpExecuteChangeSet:
		f.changed(r, s.Name)
		in, ok := s.sets[r.ChangeSet]
		if !ok {
			a.Err = &Failure{Code: "InvalidChangeSetStatus", Message: "OBSOLETE", Kind: FailureConflict}
			return
		}
		clear(s.sets)
		running, done := "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"
		switch {
		case len(in.Imports) > 0:
			running, done = "IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"
		case in.New:
			running, done = "CREATE_IN_PROGRESS", "CREATE_COMPLETE"
		}
		s.Description = in.Template.Description
		f.begin(s, r.Token, running, func() { f.install(s, in.Template); s.Status = done })
	case OpDeleteChangeSet:
		for _, s := range f.stacks { // by its ARN, whatever the stack
			delete(s.sets, r.ChangeSet)
		}
	case OpDeleteStack:
		f.changed(r, s.Name)
		f.begin(s, r.Token, "DELETE_IN_PROGRESS", func() { s.Status = "DELETE_COMPLETE" })
	case OpContinueRollback:
		f.changed(r, s.Name)
		f.begin(s, r.Token, "UPDATE_ROLLBACK_IN_PROGRESS", func() { s.Status = "UPDATE_ROLLBACK_COMPLETE" })
	case OpRollbackStack:
		f.changed(r, s.Name)
		f.begin(s, r.Token, "UPDATE_ROLLBACK_IN_PROGRESS", func() { s.Status = "UPDATE_ROLLBACK_COMPLETE" })
	case OpSetProtection:
		f.changed(r, s.Name)
		s.Protected = r.Protect
	default:
		f.carryOutDirect(r, a)
	}
}

// imports announces imports; AWS refuses one that does anything else.
func (f *fake) imports(r Request, a *Response) {
	in := *r.Create
	if len(in.Tags) > 0 || in.New && len(in.Template.Outputs) > 0 {
		a.Err = &Failure{Code: "ValidationError", Message: "As part of the import operation, you cannot modify or add [Outputs, Tags]"}
		return
	}
	named := map[string]bool{}
	for _, i := range in.Imports {
		named[i.Resource] = true
	}
	for i, c := range a.ChangeSet.Changes {
		if c.Action != "Add" || !named[c.Resource] {
			a.Err = &Failure{Code: "ValidationError", Message: "Resources [" + c.Resource + "] is missing from ResourceToImport list"}
			return
		}
		a.ChangeSet.Changes[i].Action = "Import"
	}
}

func (f *fake) carryOutDirect(r Request, a *Response) {
	switch r.Op {
	case OpReadParameter:
		f.read(r, r.Name)
		if p, ok := f.parameters[r.Name]; ok {
			a.Parameter = &p
		}
	case OpPutParameter:
		f.changed(r, r.Name)
		p, exists := f.parameters[r.Name]
		if exists && r.Parameter.Version == 0 {
			a.Err = &Failure{Code: "ParameterAlreadyExists", Kind: FailureConflict}
			return
		}
		p.Type, p.DataType, p.Version, p.Value = r.Parameter.Type, "text", p.Version+1, ""
		if p.Type != secureString {
			p.Value = r.Parameter.Value.(string)
		}
		f.parameters[r.Name] = p
		a.Parameter = &p
	case OpDeleteParameter:
		f.changed(r, r.Name)
		delete(f.parameters, r.Name)
	case OpReadSecret:
		f.read(r, r.Name)
		if s, ok := f.secrets[r.Name]; ok {
			a.Secret = &s
		}
	case OpPutSecret:
		f.changed(r, r.Name)
		s := f.secrets[r.Name]
		s.HasCurrent, s.Versions = true, s.Versions+1
		f.secrets[r.Name] = s
	case OpReadLogGroup:
		f.read(r, r.Name)
		if g, ok := f.logGroups[r.Name]; ok {
			a.LogGroup = &g
		}
	case OpPutLogGroup:
		f.changed(r, r.Name)
		g := f.logGroups[r.Name]
		g.RetentionDays = r.LogGroup.RetentionDays
		f.logGroups[r.Name] = g
	case OpDeleteLogGroup:
		f.changed(r, r.Name)
		delete(f.logGroups, r.Name)
	case OpReadGroup:
		if g, ok := f.groups[r.Name]; ok {
			a.Group = &g
		}
	default:
		f.wrong = append(f.wrong, fmt.Sprintf("unknown request %q", r.Op))
	}
}

// announce is what a change set of a plain CloudFormation would say.
func announce(old *cfn.Template, next cfn.Template) []Announced {
	if old == nil {
		old = &cfn.Template{}
	}
	var out []Announced
	for _, id := range union(old.Resources, next.Resources) {
		before, was := old.Resources[id]
		after, is := next.Resources[id]
		switch {
		case !was:
			out = append(out, Announced{Resource: id, Type: after.Type, Action: "Add"})
		case !is:
			out = append(out, Announced{Resource: id, Type: before.Type, Action: "Remove", PolicyAction: "Delete"})
		case !same(before, after):
			a := Announced{Resource: id, Type: after.Type, Action: "Modify", Replacement: "False"}
			for _, p := range union(before.Properties, after.Properties) {
				if !same(before.Properties[p], after.Properties[p]) {
					a.Paths = append(a.Paths, "Properties."+p)
				}
			}
			out = append(out, a)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Resource < out[j].Resource })
	return out
}

func same(a, b any) bool {
	x, _ := cfn.Canonical(a)
	y, _ := cfn.Canonical(b)
	return string(x) == string(y)
}

func union[V any](a, b map[string]V) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}
