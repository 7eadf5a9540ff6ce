package plan

import (
	"fmt"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
)

// node is one thing of Desired that can become steps.
type node struct {
	id    StepID
	kind  Kind
	index int       // in Desired's slice of that kind
	deps  []StepID  // nodes it needs, sorted, each once
	refs  []cfn.Ref // its open references
}

// graph holds Desired's things and what each needs, whether or not they change.
type graph struct {
	nodes map[StepID]*node
	order []StepID // every node after what it needs; ties by ID
	// declares maps the name of an SSM parameter that a stack declares to that stack's node.
	declares map[string]StepID
}

// CycleError says that things need each other in a circle.
type CycleError struct{ Cycle []StepID }

func (e *CycleError) Error() string {
	parts := make([]string, 0, len(e.Cycle)+1)
	for _, id := range e.Cycle {
		parts = append(parts, string(id))
	}
	return "dependency cycle: " + strings.Join(append(parts, parts[0]), " needs ")
}

// DuplicateError says that two things of the specs have one name.
type DuplicateError struct{ ID StepID }

func (e *DuplicateError) Error() string { return fmt.Sprintf("%s is there twice", e.ID) }

// newGraph reads the edges out of references, DependsOn and After.
func newGraph(d *Desired) (*graph, error) {
	g := &graph{nodes: map[StepID]*node{}, declares: map[string]StepID{}}
	add := func(k Kind, name string, i int) error {
		id := ID(k, name)
		if _, twice := g.nodes[id]; twice {
			return &DuplicateError{ID: id}
		}
		g.nodes[id] = &node{id: id, kind: k, index: i}
		return nil
	}
	for i, s := range d.Stacks {
		if err := add(KindStack, s.Name, i); err != nil {
			return nil, err
		}
		for name := range declaredParameters(s.Template) {
			g.declares[name] = ID(KindStack, s.Name)
		}
	}
	for i, p := range d.Parameters {
		if err := add(KindParameter, p.Name, i); err != nil {
			return nil, err
		}
	}
	for i, s := range d.Secrets {
		if err := add(KindSecret, s.Name, i); err != nil {
			return nil, err
		}
	}
	for i, l := range d.LogGroups {
		if err := add(KindLogGroup, l.Name, i); err != nil {
			return nil, err
		}
	}
	for i, b := range d.Bundles {
		if err := add(KindBundle, b.Name, i); err != nil {
			return nil, err
		}
	}
	for _, n := range g.nodes {
		n.refs = references(d, n)
		n.deps = g.dependencies(d, n)
	}
	return g, g.sort()
}

// declaredParameters are the SSM parameters among a template's resources,
// name to logical id.
func declaredParameters(t cfn.Template) map[string]string {
	var out map[string]string
	for id, r := range t.Resources {
		if r.Type != "AWS::SSM::Parameter" {
			continue
		}
		if name, ok := r.Properties["Name"].(string); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = id
		}
	}
	return out
}

// references are the open references of a node.
func references(d *Desired, n *node) []cfn.Ref {
	switch n.kind {
	case KindStack:
		s := &d.Stacks[n.index]
		refs := cfn.Refs(s.Template)
		if len(s.Parameters) > 0 {
			refs = append(refs, cfn.Refs(s.Parameters)...)
		}
		return refs
	case KindParameter:
		return cfn.Refs(d.Parameters[n.index].Value)
	}
	return nil
}

func (g *graph) dependencies(d *Desired, n *node) []StepID {
	set := map[StepID]bool{}
	for _, r := range n.refs {
		if id, ok := g.provider(r); ok {
			set[id] = true
		}
	}
	switch n.kind {
	case KindStack:
		s := &d.Stacks[n.index]
		for _, name := range s.DependsOn {
			set[ID(KindStack, name)] = true
		}
		for _, id := range s.After {
			set[id] = true
		}
	case KindSecret:
		if stack := d.Secrets[n.index].Stack; stack != "" {
			set[ID(KindStack, stack)] = true
		}
	case KindBundle:
		set[ID(KindStack, d.Bundles[n.index].Stack)] = true
	case KindParameter:
		if name := d.Parameters[n.index].Bundle; name != "" {
			set[ID(KindBundle, name)] = true
		}
	}
	if d.Own.Stack != "" {
		set[ID(KindStack, d.Own.Stack)] = true
	}
	delete(set, n.id)
	return sortedIDs(set)
}

// provider is the node that makes a reference's value.
func (g *graph) provider(r cfn.Ref) (StepID, bool) {
	if r.Stack != "" {
		return ID(KindStack, r.Stack), true
	}
	if id := ID(KindParameter, r.Parameter); g.nodes[id] != nil {
		return id, true
	}
	id, ok := g.declares[r.Parameter]
	return id, ok
}

func sortedIDs(set map[StepID]bool) []StepID {
	ids := make([]StepID, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

// sort fills order, or names a cycle. Edges to things outside the specs are ignored.
func (g *graph) sort() error {
	needs := make(map[StepID][]StepID, len(g.nodes))
	for id, n := range g.nodes {
		needs[id] = n.deps
	}
	order, cycle := topological(needs)
	if cycle != nil {
		return &CycleError{Cycle: cycle}
	}
	g.order = order
	return nil
}

// topological orders ids so that each comes after all it needs, the smallest
// ID first among those that are free; or it returns one cycle, smallest first.
// Needs that are no key are ignored.
func topological(needs map[StepID][]StepID) (order, cycle []StepID) {
	waiting := make(map[StepID]int, len(needs))
	users := make(map[StepID][]StepID, len(needs))
	var free idHeap
	for id, deps := range needs {
		n := 0
		for _, dep := range deps {
			if _, ok := needs[dep]; ok {
				n++
				users[dep] = append(users[dep], id)
			}
		}
		waiting[id] = n
		if n == 0 {
			free = append(free, id)
		}
	}
	sort.Slice(free, func(i, j int) bool { return free[i] < free[j] })
	order = make([]StepID, 0, len(needs))
	for len(free) > 0 {
		id := free.pop()
		order = append(order, id)
		for _, u := range users[id] {
			if waiting[u]--; waiting[u] == 0 {
				free.push(u)
			}
		}
	}
	if len(order) == len(needs) {
		return order, nil
	}
	return nil, findCycle(needs, waiting)
}

// findCycle walks backwards from the smallest id that never became free: each
// such id needs another one, so the walk must come around.
func findCycle(needs map[StepID][]StepID, waiting map[StepID]int) []StepID {
	var at StepID
	for id, n := range waiting {
		if n > 0 && (at == "" || id < at) {
			at = id
		}
	}
	seen := map[StepID]int{}
	var path []StepID
	for {
		if from, ok := seen[at]; ok {
			path = path[from:]
			break
		}
		seen[at] = len(path)
		path = append(path, at)
		var next StepID
		for _, dep := range needs[at] {
			if waiting[dep] > 0 && (next == "" || dep < next) {
				next = dep
			}
		}
		at = next
	}
	first := 0
	for i := range path {
		if path[i] < path[first] {
			first = i
		}
	}
	return append(append([]StepID{}, path[first:]...), path[:first]...)
}

// idHeap is a binary heap, smallest ID on top.
type idHeap []StepID

func (h *idHeap) push(id StepID) {
	*h = append(*h, id)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *idHeap) pop() StepID {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		small := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && s[c] < s[small] {
				small = c
			}
		}
		if small == i {
			return top
		}
		s[i], s[small] = s[small], s[i]
		i = small
	}
}

// closure is the given nodes and everything they need, transitively.
func (g *graph) closure(from map[StepID]bool) map[StepID]bool {
	all := make(map[StepID]bool, len(from))
	var visit func(id StepID)
	visit = func(id StepID) {
		if all[id] || g.nodes[id] == nil {
			return
		}
		all[id] = true
		for _, dep := range g.nodes[id].deps {
			visit(dep)
		}
	}
	for id := range from {
		visit(id)
	}
	return all
}
