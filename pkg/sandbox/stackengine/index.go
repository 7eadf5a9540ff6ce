package stackengine

import (
	"container/heap"
	"sort"
)

// index is what can be computed from State: it is made when needed and never
// saved, so that a request costs what it is about and not what there is.
type index struct {
	running   queue
	programs  map[string]*program        // by stack ARN, while an operation runs
	parsed    map[string]*template       // by body; at most maxParsed
	exports   map[string]string          // export name → stack ARN
	importers map[string]map[string]bool // export name → stack ARNs
	taken     map[string]string          // type, scope and name → item key
	ids       map[string]int             // physical ids and attribute values that look like one: how many items have it
	stacks    []string                   // ARNs, newest first
	sets      map[string][]string        // stack ARN → change set ARNs, in order of creation
}

// init makes the maps that an empty state lacks.
func (st *State) init() {
	orEmpty(&st.Stacks)
	orEmpty(&st.Names)
	orEmpty(&st.Count)
	orEmpty(&st.ChangeSets)
	orEmpty(&st.Tokens)
	orEmpty(&st.Items)
	orEmpty(&st.Drifts)
	for _, s := range st.Stacks {
		orEmpty(&s.Resources)
	}
}

func orEmpty[V any](m *map[string]V) {
	if *m == nil {
		*m = map[string]V{}
	}
}

func (e *Engine) load() *index {
	if e.ix != nil {
		return e.ix
	}
	if e.State == nil {
		e.State = &State{}
	}
	st := e.State
	st.init()
	ix := &index{
		programs:  map[string]*program{},
		parsed:    map[string]*template{},
		exports:   map[string]string{},
		importers: map[string]map[string]bool{},
		taken:     map[string]string{},
		ids:       map[string]int{},
		sets:      map[string][]string{},
	}
	for id, s := range st.Stacks {
		ix.stacks = append(ix.stacks, id)
		if s.Op != nil {
			ix.running = append(ix.running, due{s.Op.At, dueStep, id})
		}
		if s.Status != "DELETE_COMPLETE" {
			ix.enter(s)
		}
	}
	sort.Slice(ix.stacks, func(i, j int) bool { return newer(st.Stacks[ix.stacks[i]], st.Stacks[ix.stacks[j]]) })
	for id, d := range st.Drifts {
		if !d.Done {
			ix.running = append(ix.running, due{d.Ready, dueDrift, id})
		}
	}
	for id, cs := range st.ChangeSets {
		if !cs.Gone.IsZero() {
			ix.running = append(ix.running, due{cs.Gone, dueForget, id})
		}
	}
	heap.Init(&ix.running)
	for key, item := range st.Items {
		ix.addItem(key, item)
	}
	for _, id := range keys(st.ChangeSets) {
		cs := st.ChangeSets[id]
		ix.sets[cs.Stack] = append(ix.sets[cs.Stack], id)
	}
	for _, list := range ix.sets {
		sort.Slice(list, func(i, j int) bool { return earlier(st.ChangeSets[list[i]], st.ChangeSets[list[j]]) })
	}
	e.ix = ix
	return ix
}

// maxParsed bounds the templates that are kept parsed: a request often needs
// the one of the request before.
const maxParsed = 128

// parse is parseTemplate with a memory. The result must not be changed.
func (e *Engine) parse(body string) (*template, error) {
	ix := e.load()
	if t, ok := ix.parsed[body]; ok {
		return t, nil
	}
	t, err := parseTemplate(body)
	if err != nil {
		return nil, err
	}
	if len(ix.parsed) >= maxParsed {
		clear(ix.parsed)
	}
	ix.parsed[body] = t
	return t, nil
}

func newer(a, b *Stack) bool {
	if !a.Created.Equal(b.Created) {
		return a.Created.After(b.Created)
	}
	return a.ID < b.ID
}

func earlier(a, b *ChangeSet) bool {
	if !a.Created.Equal(b.Created) {
		return a.Created.Before(b.Created)
	}
	return a.ID < b.ID
}

// enter notes what a stack exports and imports; leave takes it back.
func (ix *index) enter(s *Stack) {
	for _, o := range s.Outputs {
		if o.Export != "" {
			ix.exports[o.Export] = s.ID
		}
	}
	for _, name := range s.Imports {
		if ix.importers[name] == nil {
			ix.importers[name] = map[string]bool{}
		}
		ix.importers[name][s.ID] = true
	}
}

func (ix *index) leave(s *Stack) {
	for _, o := range s.Outputs {
		if o.Export != "" && ix.exports[o.Export] == s.ID {
			delete(ix.exports, o.Export)
		}
	}
	for _, name := range s.Imports {
		delete(ix.importers[name], s.ID)
	}
}

func (ix *index) addItem(key string, item *Item) {
	if item.Name != "" {
		ix.taken[item.Name] = key
	}
	for _, id := range identifiers(item) {
		ix.ids[id]++
	}
}

func (ix *index) dropItem(key string, item *Item) {
	if ix.taken[item.Name] == key {
		delete(ix.taken, item.Name)
	}
	for _, id := range identifiers(item) {
		if ix.ids[id]--; ix.ids[id] <= 0 {
			delete(ix.ids, id)
		}
	}
}
