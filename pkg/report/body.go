package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// rowKind says how a row is written.
type rowKind int

const (
	rowResource rowKind = iota // a resource that something happens to
	rowProperty                // of the resource above
	rowDocument                // a line of the diff of the property above
	rowSentence                // words, wrapped where they must be
)

// row is one thing to tell of a step, for terminals and Markdown alike.
type row struct {
	kind          rowKind
	mark          symbol // "": none
	text          string
	before, after string // shown values of a property
	note          string
	at            string // place in the specs; empty when it stands above
}

// manyResources is from how many on resources that are created beside other
// changes are counted instead of listed.
const manyResources = 8

// shortValue is how long a value may be that stands beside the step that makes it.
const shortValue = 40

// tell says what a step does: in a line, and in the rows below it.
func (o Options) tell(s plan.Step) (string, []row) {
	head, rows := headline(s), o.body(s)
	if s.Kind != plan.KindStack && s.Kind != plan.KindBundle && s.Action == plan.ActionCreate && len(rows) == 1 && len(rows[0].after) <= shortValue {
		return head + " = " + rows[0].after, nil
	}
	return head, rows
}

// body tells what a step does. What says the same of many resources is said
// once, unless everything is wanted.
func (o Options) body(s plan.Step) []row {
	switch s.Kind {
	case plan.KindStack:
	case plan.KindBundle:
		return o.objects(s)
	default:
		return o.value(s)
	}
	groups := byResource(s.Changes)
	if o.Verbose {
		return o.everything(s, groups)
	}
	switch s.Action {
	case plan.ActionDelete:
		return summary(s, groups)
	case plan.ActionCreate:
		return creation(s, groups)
	}
	var made, tagged, replaced, updated, listed, own [][]plan.Change
	for _, g := range groups {
		if g[0].Type == "" {
			own = append(own, g)
			continue
		}
		real := slices.DeleteFunc(slices.Clone(g), takesTags)
		if len(real) < len(g) {
			tagged = append(tagged, g)
		}
		switch {
		case created(real) == 1:
			made = append(made, real)
		case len(real) > 0 && !slices.ContainsFunc(real, func(c plan.Change) bool { return !follows(c) }):
			if strongest(real) == symbolReplace {
				replaced = append(replaced, real)
			} else {
				updated = append(updated, real)
			}
		}
		if len(real) > 0 {
			listed = append(listed, real)
		}
	}
	var said []row
	together := func(g [][]plan.Change, most int, mark symbol, text string) {
		if len(g) <= most {
			return
		}
		said = append(said, row{kind: rowSentence, mark: mark, text: text})
		listed = slices.DeleteFunc(listed, func(l []plan.Change) bool {
			return slices.ContainsFunc(g, func(o []plan.Change) bool { return o[0].Resource == l[0].Resource })
		})
	}
	together(made, manyResources, symbolCreate, counted(len(made), "resource")+": "+byType(made))
	together(replaced, 2, symbolReplace, counted(len(replaced), "resource")+" following what they refer to: "+strings.Join(names(replaced), ", "))
	together(updated, 2, symbolUpdate, counted(len(updated), "resource")+" following what they refer to: "+strings.Join(names(updated), ", "))
	if len(tagged) > 0 {
		said = append(said, row{kind: rowSentence, mark: symbolUpdate, text: "the stack's tags, on " + counted(len(tagged), "resource") + ": " + byType(tagged)})
	}
	return slices.Concat(o.rolloutRows(s), o.resources(s, listed), said, o.resources(s, own))
}

// creation summarizes what a new stack makes, and what it completes of the
// things that an import took into it before.
func creation(s plan.Step, groups [][]plan.Change) []row {
	imported := slices.DeleteFunc(slices.Clone(groups), func(g []plan.Change) bool { return g[0].Path == "" })
	rows := summary(s, slices.DeleteFunc(groups, func(g []plan.Change) bool { return g[0].Path != "" }))
	if len(imported) > 0 {
		rows = append(rows, row{kind: rowSentence, mark: symbolUpdate,
			text: "properties and tags as in the specs, on what is imported: " + strings.Join(names(imported), ", ")})
	}
	return rows
}

// takesTags tells whether a resource changes only by taking the tags of its stack.
func takesTags(c plan.Change) bool {
	return c.Path == "Tags" && c.Before == nil && c.After == nil && c.Document == "" && !c.Unknown
}

// follows tells whether a property stays the same expression and only what it
// stands for is new.
func follows(c plan.Change) bool {
	before, bok := cfn.Text(c.Before)
	after, aok := cfn.Text(c.After)
	return c.Unknown && c.Path != "" && bok && aok && before == after
}

// everything lists each resource with each property.
func (o Options) everything(s plan.Step, groups [][]plan.Change) []row {
	return append(o.rolloutRows(s), o.all(s, groups)...)
}

func (o Options) all(s plan.Step, groups [][]plan.Change) []row {
	out := o.resources(s, groups)
	if s.Body.Stack == nil || s.Body.Stack.Template == nil {
		return out
	}
	var full []row
	resource := -1
	for _, r := range out {
		full = append(full, r)
		if r.kind != rowResource {
			continue
		}
		resource++
		g := groups[resource]
		if strongest(g) != symbolCreate {
			continue
		}
		shown := s.Body.Stack.Template.Resources[g[0].Resource].Shown()
		for _, name := range slices.Sorted(maps.Keys(shown)) {
			full = append(full, row{kind: rowProperty, mark: symbolCreate, text: clean(name), after: o.show(shown[name])})
		}
	}
	return full
}

// byResource groups changes that follow each other.
func byResource(changes []plan.Change) [][]plan.Change {
	var out [][]plan.Change
	for i, c := range changes {
		if i == 0 || c.Resource != changes[i-1].Resource {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], c)
	}
	return out
}

func created(changes []plan.Change) int {
	n := 0
	for _, c := range changes {
		if c.Action == plan.ActionCreate && c.Path == "" && !strings.Contains(c.Resource, ".") {
			n++
		}
	}
	return n
}

// value tells of a step that writes one value: what it is, or that it is made.
func (o Options) value(s plan.Step) []row {
	if s.Action == plan.ActionDelete || s.Action == plan.ActionCreate && generated(s) {
		return nil
	}
	return o.properties(s.Changes, s.Source)
}

// objects tells of a bundle: what is stored or goes away, and where it comes from.
func (o Options) objects(s plan.Step) []row {
	var out []row
	for i, c := range s.Changes {
		if !o.Verbose && i == manyResources && len(s.Changes) > manyResources+1 {
			out = append(out, row{kind: rowSentence, text: fmt.Sprintf("and %s more", counted(len(s.Changes)-i, "object"))})
			break
		}
		text := clean(c.Resource)
		for _, v := range []any{c.Before, c.After} {
			if says, ok := v.(string); ok {
				text += ": " + clean(says)
			}
		}
		out = append(out, row{kind: rowSentence, mark: symbolOf(c.Action), text: text})
	}
	return out
}

func generated(s plan.Step) bool {
	return s.Body.Secret != nil && s.Body.Secret.Generate != "" || s.Body.Parameter != nil && s.Body.Parameter.Generate != ""
}

func (o Options) resources(s plan.Step, groups [][]plan.Change) []row {
	var out []row
	for _, g := range groups {
		first := g[0]
		if first.Type == "" && len(g) == 1 {
			out = append(out, o.ofStack(s, first))
			continue
		}
		r := row{kind: rowResource, mark: strongest(g), text: clean(first.Type + " " + first.Resource)}
		r.text = strings.TrimSpace(r.text)
		if id := o.physical(s, first); id != "" && r.mark != symbolCreate {
			r.text += " (" + id + ")"
		}
		if first.Action == plan.ActionDelete && first.Path == "" && first.Retained {
			r.note = "# the thing itself is kept"
		}
		said := s.Source
		if first.Source != said {
			r.at, said = place(first.Source), first.Source
		}
		out = append(out, r)
		out = append(out, o.properties(g, said)...)
	}
	return out
}

// ofStack is an output or a tag of the stack itself: a row of its own.
func (o Options) ofStack(s plan.Step, c plan.Change) row {
	r := row{kind: rowResource, mark: propertySymbol(c), text: clean(c.Resource)}
	if c.Path != "" && c.Path != "Value" {
		r.text += "." + clean(c.Path)
	}
	before, after := essence(c.Before), essence(c.After)
	if before != nil {
		r.before = o.show(before)
	}
	switch {
	case c.Unknown:
		r.after = afterApply
	case after != nil:
		r.after = o.show(after)
	}
	if c.Source != s.Source {
		r.at = place(c.Source)
	}
	return r
}

// essence is the value of an output, without its description.
func essence(v any) any {
	if m, ok := v.(map[string]any); ok && m["Value"] != nil {
		return m["Value"]
	}
	return v
}

// widestPhysical is how long an id may be that is shown beside a name.
const widestPhysical = 48

// physical is the id under which AWS knows a resource, where it tells more
// than the name above: not one that CloudFormation made from that name.
func (o Options) physical(s plan.Step, c plan.Change) string {
	id := clean(c.Physical)
	if o.anonymous {
		return ""
	}
	if o.Verbose {
		return id
	}
	if strings.HasPrefix(id, "arn:") {
		parts := strings.SplitN(id, ":", 6)
		id = parts[len(parts)-1]
		if cut := strings.IndexAny(id, ":/"); cut >= 0 && !strings.Contains(id[:cut], "-") {
			id = id[cut+1:]
		}
	}
	stack := c.Stack
	if stack == "" {
		stack = s.Target
	}
	generated := strings.Contains(strings.ToLower(id), strings.ToLower(stack+"-"))
	if generated || strings.ContainsAny(id, "|") || len(id) > widestPhysical || id == c.Resource {
		return ""
	}
	return id
}
