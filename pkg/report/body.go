package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
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

// body tells what a step does. What says the same of many resources is said
// once, unless everything is wanted.
func (o Options) body(s plan.Step) []row {
	if s.Kind != plan.KindStack {
		return o.value(s)
	}
	groups := byResource(s.Changes)
	if o.Verbose {
		return o.everything(s, groups)
	}
	if s.Action == plan.ActionDelete || s.Action == plan.ActionCreate {
		return summary(s, groups)
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
	return slices.Concat(o.resources(s, listed), said, o.resources(s, own))
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

// summary counts the resources of a stack that comes or goes, and names what
// stays of it.
func summary(s plan.Step, groups [][]plan.Change) []row {
	var gone, kept [][]plan.Change
	for _, g := range groups {
		switch {
		case strings.Contains(g[0].Resource, "."):
		case g[0].Retained:
			kept = append(kept, g)
		default:
			gone = append(gone, g)
		}
	}
	var out []row
	if len(gone) > 0 {
		out = append(out, row{kind: rowSentence, text: byType(gone)})
	}
	told := slices.ContainsFunc(s.Approvals, func(a plan.Approval) bool { return strings.Contains(a.Why, "kept: ") })
	if len(kept) > 0 && !told {
		out = append(out, row{kind: rowSentence, text: "kept: " + strings.Join(names(kept), ", ")})
	}
	return out
}

func names(groups [][]plan.Change) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = clean(g[0].Resource)
	}
	return out
}

// byType counts resources by service and type, the most first:
// "EC2: 6 Subnet, 6 RouteTable, VPC; IAM: 2 Role".
func byType(groups [][]plan.Change) string {
	total, of := map[string]int{}, map[string]map[string]int{}
	for _, g := range groups {
		service, name := cutType(g[0].Type)
		if of[service] == nil {
			of[service] = map[string]int{}
		}
		total[service]++
		of[service][name]++
	}
	services := mostFirst(total)
	for i, service := range services {
		types := mostFirst(of[service])
		for k, name := range types {
			if n := of[service][name]; n > 1 {
				types[k] = strconv.Itoa(n) + " " + name
			}
		}
		services[i] = service + ": " + strings.Join(types, ", ")
	}
	return strings.Join(services, "; ")
}

func mostFirst(n map[string]int) []string {
	names := slices.Sorted(maps.Keys(n))
	slices.SortStableFunc(names, func(a, b string) int { return n[b] - n[a] })
	return names
}

// cutType cuts "AWS::EC2::Subnet" into EC2 and Subnet. AWS is what nearly all
// are of, so that only other makers are named.
func cutType(t string) (service, name string) {
	t = clean(strings.TrimPrefix(t, "AWS::"))
	if i := strings.LastIndex(t, "::"); i >= 0 {
		return t[:i], t[i+2:]
	}
	return "other", t
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

// properties are the changes of one resource; said is the place that stands
// above them already.
func (o Options) properties(g []plan.Change, said spec.Source) []row {
	var out []row
	for i := 0; i < len(g); i++ {
		c := g[i]
		if c.Path == "" && c.After == nil && !c.Unknown {
			continue
		}
		n := 1
		if !o.Verbose {
			n = elements(g[i:])
		}
		var r row
		if n > 1 {
			r = o.list(g[i : i+n])
			i += n - 1
		} else {
			r = o.property(c)
		}
		if c.Source != said {
			r.at = place(c.Source)
		}
		document := documentOf(c)
		if n > 1 {
			document = nil
		}
		if len(document) > 0 {
			r.before, r.after = "", ""
		}
		out = append(out, r)
		if !o.Verbose {
			document = limited(document, o.documentLines())
		}
		for _, l := range document {
			out = append(out, row{kind: rowDocument, text: l})
		}
	}
	return out
}

// documentLines is how much of a document's diff is shown.
func (o Options) documentLines() int {
	if o.MaxDocument > 0 {
		return o.MaxDocument
	}
	return 24
}

func (o Options) property(c plan.Change) row {
	r := row{kind: rowProperty, mark: propertySymbol(c), text: clean(shortPath(c.Path)), note: note(c)}
	if c.Path == "" {
		r.text = "value"
	}
	if takesTags(c) {
		return row{kind: rowProperty, mark: symbolUpdate, text: "takes the stack's tags"}
	}
	if c.Before != nil {
		r.before = o.show(c.Before)
	}
	switch {
	case follows(c) && !o.Verbose:
		text, _ := cfn.Text(c.After)
		r.before, r.after = "", clean(text)+" "+afterApply
	case c.Unknown:
		r.after = afterApply
	case c.After != nil:
		r.after = o.show(c.After)
	}
	return r
}

// elements is how many of the changes are entries of one list that come or go.
func elements(g []plan.Change) int {
	list := listOf(g[0])
	n := 0
	for n < len(g) && list != "" && listOf(g[n]) == list {
		n++
	}
	return max(n, 1)
}

// listOf is the list of which a change adds or removes a whole entry.
func listOf(c plan.Change) string {
	open := strings.LastIndexByte(c.Path, '[')
	if open < 0 || !strings.HasSuffix(c.Path, "]") || c.Document != "" || (c.Before == nil) == (c.After == nil) {
		return ""
	}
	if _, err := strconv.Atoi(c.Path[open+1 : len(c.Path)-1]); err != nil {
		return ""
	}
	return c.Path[:open]
}

// list is the row for entries of one list that come and go.
func (o Options) list(g []plan.Change) row {
	r := row{kind: rowProperty, text: clean(shortPath(listOf(g[0]))), mark: symbolUpdate}
	var before, after []string
	unknown := 0
	for _, c := range g {
		if n := note(c); n != "" && r.note != forces {
			r.note = n
		}
		switch {
		case c.Before != nil:
			before = append(before, o.show(c.Before))
		case c.Unknown:
			unknown++
		default:
			after = append(after, o.show(c.After))
		}
	}
	r.before, r.after = o.several(before), o.several(after)
	if unknown > 0 {
		entries := afterApply
		if unknown > 1 {
			entries = counted(unknown, "entry") + " " + afterApply
		}
		r.after = strings.TrimPrefix(r.after+", "+entries, ", ")
	}
	switch {
	case before == nil:
		r.mark = symbolCreate
	case r.after == "":
		r.mark = symbolDelete
	}
	return r
}

// several shows values one after the other, or how many there are.
func (o Options) several(values []string) string {
	text := strings.Join(values, ", ")
	if utf8.RuneCountInString(text) > o.longValue() {
		return counted(len(values), "entry")
	}
	return text
}

// shortPath leaves out what every path starts with.
func shortPath(path string) string { return strings.TrimPrefix(path, "Properties.") }
