package stackengine

import (
	"fmt"
	"slices"
	"strings"
)

// publish evaluates the outputs and makes them the stack's. It returns why
// that is impossible; then nothing has changed. Texts: failure-modes A9, A10
// and what users report of exports that clash.
func (e *Engine) publish(s *Stack) string {
	p, err := e.program(s)
	if err != nil {
		return reasonOf(err)
	}
	outputs, err := p.evalOutputs(live{e, s})
	if err != nil {
		return reasonOf(err)
	}
	ix := e.load()
	had := map[string]string{}
	for _, o := range s.Outputs {
		if o.Export != "" {
			had[o.Export] = o.Value
		}
	}
	has := map[string]string{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if owner, ok := ix.exports[o.Export]; ok && owner != s.ID {
			return fmt.Sprintf("Export with name %s is already exported by stack %s", o.Export, e.State.Stacks[owner].Name)
		}
		has[o.Export] = o.Value
	}
	for _, name := range keys(had) {
		users := e.importers(name, s.ID)
		if len(users) == 0 {
			continue
		}
		switch value, still := has[name]; {
		case !still:
			return fmt.Sprintf("Export %s cannot be deleted as it is in use by %s", name, strings.Join(users, " and "))
		case value != had[name]:
			return fmt.Sprintf("Export %s cannot be updated as it is in use by %s", name, strings.Join(users, " and "))
		}
	}
	ix.leave(s)
	s.Outputs = outputs
	s.Imports = p.imports(live{e, s})
	ix.enter(s)
	return ""
}

// unpublish takes the exports and imports of a deleted stack away.
func (e *Engine) unpublish(s *Stack) { e.load().leave(s) }

// importers lists the names of the stacks that import an export, sorted.
func (e *Engine) importers(export, except string) []string {
	var names []string
	for id := range e.load().importers[export] {
		if s := e.State.Stacks[id]; s != nil && id != except && s.Status != "DELETE_COMPLETE" {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// exportsInUse is why a stack cannot be deleted, or "".
func (e *Engine) exportsInUse(s *Stack) string {
	for _, o := range s.Outputs {
		if o.Export == "" {
			continue
		}
		if users := e.importers(o.Export, s.ID); len(users) > 0 {
			return fmt.Sprintf("Export %s cannot be deleted as it is in use by %s", o.Export, strings.Join(users, " and "))
		}
	}
	return ""
}

// evalOutputs evaluates the outputs, sorted by key. A value that is not known
// yet stays knownAfterApply.
func (p *program) evalOutputs(r resolver) ([]Output, error) {
	var out []Output
	for _, key := range keys(p.outputs) {
		def := p.outputs[key]
		v, err := p.eval(def.Value, r)
		if err != nil {
			return nil, err
		}
		o := Output{Key: key, Description: def.Description}
		var ok bool
		if o.Value, ok = text(v); !ok {
			return nil, invalid("%s.", outputText)
		}
		if def.Export != nil {
			v, err := p.eval(def.Export, r)
			if err != nil {
				return nil, err
			}
			o.Export, _ = text(v)
		}
		out = append(out, o)
	}
	return out, nil
}

// imports lists the names that the template imports, sorted.
func (p *program) imports(r resolver) []string {
	var names []string
	visit := func(v any) {
		walkImports(v, func(arg any) {
			if n, err := p.eval(arg, r); err == nil {
				if s, ok := text(n); ok {
					names = append(names, s)
				}
			}
		})
	}
	for _, id := range keys(p.nodes) {
		visit(p.nodes[id].props)
	}
	for _, key := range keys(p.outputs) {
		visit(p.outputs[key].Value)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func walkImports(v any, f func(arg any)) {
	if name, arg, ok := function(v); ok {
		if name == "Fn::ImportValue" {
			f(arg)
		}
		walkImports(arg, f)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			walkImports(v[k], f)
		}
	case []any:
		for _, e := range v {
			walkImports(e, f)
		}
	}
}
