package plan

import (
	"reconcile/pkg/cfn"
)

// More says what else must be read before Compute, given what was read so
// far: stacks whose template, resources and description decide something, and
// the groups in stacks that would be deleted. Call it again after each read,
// since one answer can lead to the next question, until it names nothing that
// was not asked for before (a thing that vanished is asked for for ever).
func More(d Desired, l Live, sel Selection) (ReadSet, error) {
	g, err := newGraph(&d)
	if err != nil {
		return ReadSet{}, err
	}
	wanted, err := g.selected(&d, sel)
	if err != nil {
		return ReadSet{}, err
	}
	all := g.closure(wanted)
	lookup := func(r cfn.Ref) (string, bool) {
		if r.Stack != "" {
			v, ok := l.Stacks[r.Stack].Outputs[r.Output]
			return v, ok
		}
		p, ok := l.Parameters[r.Parameter]
		return p.Value, ok && p.Value != ""
	}
	read := map[string]bool{}
	for _, s := range d.Stacks {
		live, ok := l.Stacks[s.Name]
		if !ok || !all[ID(KindStack, s.Name)] || live.Template != nil {
			continue
		}
		digest, err := cfn.DigestOf(cfn.ResolveTemplate(s.Template, lookup), s.Tags, nil)
		if err != nil || digest != markerOf(live).Digest {
			read[s.Name] = true
		}
	}
	return ReadSet{Stacks: sortedKeys(read)}, nil
}

// Stale lists the stacks whose template, resources and description must be
// read before Compute: More(d, l, sel).Stacks.
func Stale(d Desired, l Live, sel Selection) ([]string, error) {
	r, err := More(d, l, sel)
	return r.Stacks, err
}

// markerOf is what the stack says about its owner.
func markerOf(s LiveStack) cfn.Marker {
	if s.Owned {
		return s.Marker
	}
	m, _ := cfn.ParseMarker(s.Description)
	return m
}
