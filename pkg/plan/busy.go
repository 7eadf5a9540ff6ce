package plan

// Busy lists the stacks that a plan is about and on which an operation runs,
// by name: those of the selection with all that they need or, without one, all
// that are ours or bear a name of ours. An earlier run may still be at work on
// them; whoever applies waits for that first, and reads again.
func Busy(d Desired, l Live, sel Selection) ([]LiveStack, error) {
	g, err := newGraph(&d)
	if err != nil {
		return nil, err
	}
	wanted, err := g.selected(&d, sel)
	if err != nil {
		return nil, err
	}
	about := g.closure(wanted)
	return busy(l, func(s LiveStack) bool {
		return about[ID(KindStack, s.Name)] || sel.Since.gone(s.Name) || sel.All() && markerOf(s).Owner == d.Target.Platform
	}), nil
}

// DestroyBusy is Busy for a plan that destroys.
func DestroyBusy(d Desired, l Live, o DestroyOptions) ([]LiveStack, error) {
	c := newDestruction(d, l)
	owned := c.owned()
	fleets, names := c.fleetsOf(owned)
	selected, _, err := destroySelection(o.Select, names, fleets, c.leftFleets())
	if err != nil {
		return nil, err
	}
	return busy(l, func(s LiveStack) bool { return selected[s.Name] }), nil
}

func busy(l Live, about func(LiveStack) bool) []LiveStack {
	var out []LiveStack
	for _, name := range sortedKeys(l.Stacks) {
		s := l.Stacks[name]
		if a, ok := ActionFor(s.Status); ok && a.Class == StatusBusy && about(s) {
			out = append(out, s)
		}
	}
	return out
}
