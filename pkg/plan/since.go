package plan

import (
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// Since is what a change of the specs can affect. As part of a Selection it
// limits a plan to that.
type Since struct {
	Commit     string   // of the specs before
	Everything string   // why nothing is left out; then the rest is empty
	IDs        []StepID // things of the specs that differ from before, or depend on such; sorted
	Gone       []StepID // things that only the specs before had; sorted
}

// ChangedSince compares what two states of the specs ask for, by what would be
// deployed: where a line stands in a file decides nothing, and a changed fleet
// template shows in its fleets. Everything that depends on what differs, before
// or now, counts too.
func ChangedSince(before, now Desired) (Since, error) {
	a, b := before.Target, now.Target
	switch {
	case a.Account != b.Account || a.Region != b.Region:
		return Since{Everything: "the specs were for another account or region"}, nil
	case a.Platform != b.Platform:
		return Since{Everything: "the platform had another name"}, nil
	}
	before, now = sorted(before), sorted(now)
	was, err := newGraph(&before)
	if err != nil {
		return Since{}, err
	}
	is, err := newGraph(&now)
	if err != nil {
		return Since{}, err
	}
	old, err := contents(&before, was)
	if err != nil {
		return Since{}, err
	}
	current, err := contents(&now, is)
	if err != nil {
		return Since{}, err
	}
	users := map[StepID][]StepID{}
	for _, g := range []*graph{was, is} {
		for id, n := range g.nodes {
			for _, dep := range n.deps {
				users[dep] = append(users[dep], id)
			}
		}
	}
	hit, gone := map[StepID]bool{}, map[StepID]bool{}
	var visit func(StepID)
	visit = func(id StepID) {
		if hit[id] {
			return
		}
		hit[id] = true
		for _, u := range users[id] {
			visit(u)
		}
	}
	for id, text := range current {
		if old[id] != text {
			visit(id)
		}
	}
	for id := range old {
		if _, there := current[id]; !there {
			gone[id] = true
			visit(id)
		}
	}
	for id := range hit {
		if is.nodes[id] == nil {
			delete(hit, id)
		}
	}
	return Since{IDs: sortedIDs(hit), Gone: sortedIDs(gone)}, nil
}

// contents are the things of the specs as text, without their places in files.
func contents(d *Desired, g *graph) (map[StepID]string, error) {
	images, fleets := map[string][]string{}, map[string][]Fleet{}
	for _, i := range d.Images {
		images[i.Stack] = append(images[i.Stack], imageKey(i))
	}
	for _, f := range d.Fleets {
		f.Source = spec.Source{}
		fleets[f.Stack] = append(fleets[f.Stack], f)
	}
	out := make(map[StepID]string, len(g.nodes))
	for id, n := range g.nodes {
		var v any
		switch n.kind {
		case KindStack:
			s := d.Stacks[n.index]
			s.Source, s.Sources = spec.Source{}, nil
			s.Template.Description, s.Template.Metadata = "", nil
			certificate := Certificate{}
			if d.Certificate != nil && d.Certificate.Stack == s.Name {
				certificate = *d.Certificate
				certificate.Source = spec.Source{}
			}
			v = []any{s, images[s.Name], fleets[s.Name], certificate}
		case KindParameter:
			p := d.Parameters[n.index]
			p.Source = spec.Source{}
			v = p
		case KindSecret:
			s := d.Secrets[n.index]
			s.Source = spec.Source{}
			v = s
		case KindLogGroup:
			l := d.LogGroups[n.index]
			l.Source = spec.Source{}
			v = l
		case KindBundle:
			b := d.Bundles[n.index]
			v = []any{b.Manifest, b.Bucket, b.Used, b.origins()}
		}
		text, err := cfn.Canonical(v)
		if err != nil {
			return nil, err
		}
		out[id] = string(text)
	}
	return out, nil
}

// narrows tells whether something is left out.
func (s *Since) narrows() bool { return s != nil && s.Everything == "" }

// gone tells whether a stack went away with the change.
func (s *Since) gone(stack string) bool {
	if !s.narrows() {
		return false
	}
	id := ID(KindStack, stack)
	at := sort.Search(len(s.Gone), func(i int) bool { return s.Gone[i] >= id })
	return at < len(s.Gone) && s.Gone[at] == id
}

// Limits says to what a plan was limited by a change of the specs.
type Limits struct {
	Commit     string   `json:"commit"`               // of the specs before
	Everything string   `json:"everything,omitempty"` // why nothing was left out
	Compared   []StepID `json:"compared"`             // things of the specs that were
	LeftOut    []StepID `json:"leftOut"`              // things of the specs that were not
}

// limits tells it, and says it in a note.
func (c *computation) limits(sel Selection) *Limits {
	if sel.Since == nil {
		return nil
	}
	l := &Limits{Commit: sel.Since.Commit, Everything: sel.Since.Everything, Compared: []StepID{}, LeftOut: []StepID{}}
	for id, n := range c.g.nodes {
		switch {
		case c.planned[id]:
			l.Compared = append(l.Compared, id)
		case n.kind == KindBundle && !c.d.Bundles[n.index].Used:
			// What no fleet names is no part of any plan.
		default:
			l.LeftOut = append(l.LeftOut, id)
		}
	}
	sort.Slice(l.Compared, func(i, j int) bool { return l.Compared[i] < l.Compared[j] })
	sort.Slice(l.LeftOut, func(i, j int) bool { return l.LeftOut[i] < l.LeftOut[j] })
	f := Finding{Severity: SeverityNote, Code: "changed-since", Target: c.d.Target.Platform}
	switch {
	case l.Everything != "":
		f.Message = "everything was compared and not only what changed since " + l.Commit + ": " + l.Everything
	case len(l.LeftOut) == 0:
		f.Message = "the change since " + l.Commit + " can affect everything, so everything was compared"
	default:
		f.Message = "only what the change since " + l.Commit + " can affect was compared, " + count(len(l.Compared), "thing") + " of the specs; left out are " +
			count(len(l.LeftOut), "other") + ": " + fewNames(l.LeftOut)
	}
	c.find(f)
	return l
}

// shownNames is how many things a note names.
const shownNames = 8

// fewNames names some things, the stacks first.
func fewNames(ids []StepID) string {
	var stacks, rest []string
	for _, id := range ids {
		if name, ok := strings.CutPrefix(string(id), "stack/"); ok {
			stacks = append(stacks, name)
		} else {
			_, name, _ := strings.Cut(string(id), "/")
			rest = append(rest, name)
		}
	}
	names := append(stacks, rest...)
	if more := len(names) - shownNames; more > 1 {
		return strings.Join(names[:shownNames], ", ") + " and " + count(more, "other")
	}
	return strings.Join(names, ", ")
}
