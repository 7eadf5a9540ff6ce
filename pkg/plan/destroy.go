package plan

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// Destroy plans the end of the platform, or of what o selects of it: users
// before what they use, in the order that the deployed templates name. It needs
// no specs beside the Target; with them, steps carry their source.
//
// Resources with a retaining DeletionPolicy are kept unless o.Resources names
// them; a stack that keeps one which AWS would not delete its network under
// stays whole, with the stacks that it needs. Log groups are kept always,
// parameters unless they carry our owner tag. What does not carry the
// platform's mark is not looked at.
func Destroy(d Desired, l Live, o DestroyOptions) (Plan, error) {
	c := newDestruction(d, l)
	if !c.misplaced() {
		if err := c.destroy(o); err != nil {
			return Plan{}, err
		}
	}
	if len(c.unread) > 0 {
		return Plan{}, &NotReadError{Stacks: sortedKeys(c.unread)}
	}
	return c.finish(o.Tool, true)
}

// DestroyReads says what to read before Destroy, given the index of all stacks
// and what was read since. Call it again after each read, as More.
func DestroyReads(d Desired, l Live, o DestroyOptions) (ReadSet, error) {
	c := newDestruction(d, l)
	if c.misplaced() {
		return ReadSet{}, nil
	}
	for _, live := range c.owned() {
		if a := c.statuses[live.Status]; a.Class != StatusAbsent {
			c.read(&live)
		}
	}
	if len(c.more.templates) == 0 {
		var nothing *SelectionError
		err := c.destroy(o)
		if unread := l.Parameters == nil; err != nil && !(unread && errors.As(err, &nothing)) {
			return ReadSet{}, err // not yet: a fleet may have left nothing but its parameters
		}
	}
	r := c.more.set()
	if l.Parameters == nil {
		r.OwnedBy = d.Target.Platform
	}
	return r, nil
}

func newDestruction(d Desired, l Live) *computation {
	return &computation{
		d: sorted(d), l: l, statuses: statusActions(), all: true,
		stacks: map[string]*stackState{}, steps: map[StepID]*Step{}, reach: map[StepID][]StepID{},
		root: map[StepID]StepID{}, more: newCollector(), unread: map[string]bool{},
	}
}

// owned are the stacks that carry the platform's mark, by name.
func (c *computation) owned() []LiveStack {
	var out []LiveStack
	for _, name := range sortedKeys(c.l.Stacks) {
		live := c.l.Stacks[name]
		if markerOf(live).Owner == c.d.Target.Platform && live.Status != "DELETE_COMPLETE" {
			out = append(out, live)
		}
	}
	return out
}

func (c *computation) destroy(o DestroyOptions) error {
	owned := c.owned()
	fleets, names := c.fleetsOf(owned)
	sources := map[string]spec.Source{}
	for _, s := range c.d.Stacks {
		sources[s.Name] = s.Source
	}
	selected, ids, err := destroySelection(o.Select, names, fleets, c.leftFleets())
	if err != nil {
		return err
	}
	all := map[string]*doomed{}
	for _, live := range owned {
		a, known := c.statuses[live.Status]
		switch {
		case !selected[live.Name]:
		case !known:
			c.find(Finding{Severity: SeverityError, Code: "unknown-status", Target: live.Name,
				Message: fmt.Sprintf("stack %s has the status %q, which this version of reconcile does not know", live.Name, live.Status)})
		default:
			all[live.Name] = &doomed{live: live, action: a, source: sources[live.Name], reason: "it is to be destroyed", blocked: stillUsed(live, owned, selected)}
		}
	}
	if err := releases(all, c.without(o.Resources)); err != nil {
		return err
	}
	if err := c.deletions(all); err != nil {
		return err
	}
	c.destroyParameters(o.Select, all, fleets, ids)
	c.keptNote(all)
	return nil
}

// fleetsOf are the fleets that the stacks hold, by stack: as their templates
// say, or the specs. It also gives the names of the stacks.
func (c *computation) fleetsOf(owned []LiveStack) (fleets map[string]string, names []string) {
	fleets = map[string]string{}
	for _, live := range owned {
		names = append(names, live.Name)
		if _, fleet := metadata(live.Template); fleet != "" {
			fleets[live.Name] = fleet
		}
	}
	for _, s := range c.d.Stacks {
		if s.Fleet != "" {
			fleets[s.Name] = s.Fleet
		}
	}
	return fleets, names
}

// leftFleets are the fleets of which parameters are there that we created,
// whether or not a stack is.
func (c *computation) leftFleets() map[string]bool {
	out := map[string]bool{}
	for name, p := range c.l.Parameters {
		rest, ok := strings.CutPrefix(name, fleetPath(c.d.Target))
		if parts := strings.Split(rest, "/"); ok && len(parts) == 3 && p.Owner == c.d.Target.Platform {
			out[parts[0]+"/"+parts[1]] = true
		}
	}
	return out
}

// destroySelection gives the names of the stacks to delete, and the fleets
// that were selected by their names.
func destroySelection(sel Selection, names []string, fleets map[string]string, left map[string]bool) (selected, ids map[string]bool, err error) {
	selected, ids = map[string]bool{}, maps.Clone(left)
	if sel.All() {
		for _, n := range names {
			selected[n] = true
		}
		return selected, nil, nil
	}
	stacks, err := matchNames("stack", sel.Stacks, names)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if f := fleets[name]; f != "" {
			ids[f] = true
		}
	}
	hit, err := matchNames("fleet", sel.Fleets, sortedKeys(ids))
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if stacks[name] || hit[fleets[name]] {
			selected[name] = true
		}
	}
	return selected, hit, nil
}

// stillUsed blocks the deletion of a stack that others need which stay.
func stillUsed(live LiveStack, owned []LiveStack, selected map[string]bool) *problem {
	var users, flags []string
	for _, other := range owned {
		needs, _ := metadata(other.Template)
		if selected[other.Name] || !contains(needs, live.Name) {
			continue
		}
		users = append(users, other.Name)
		flags = append(flags, "--stack "+other.Name)
	}
	if users == nil {
		return nil
	}
	return &problem{code: "stack-used", target: live.Name,
		reason:  fmt.Sprintf("stack %s is needed by %s, which stay", live.Name, strings.Join(users, ", ")),
		command: fmt.Sprintf("reconcile destroy --stack %s %s", live.Name, strings.Join(flags, " "))}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// markerless is a description without the mark that Seal puts at its end.
func markerless(description string) string {
	if _, ok := cfn.ParseMarker(description); !ok {
		return description
	}
	return description[:strings.LastIndex(description, "[reconcile ")]
}

func withoutOwn(outputs map[string]cfn.Output) map[string]cfn.Output {
	out := make(map[string]cfn.Output, len(outputs))
	for name, o := range outputs {
		if name != cfn.DigestOutput && name != cfn.RevisionOutput {
			out[name] = o
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// destroyParameters deletes the parameters that we created, after the stacks
// that may read them.
func (c *computation) destroyParameters(sel Selection, all map[string]*doomed, fleets map[string]string, ids map[string]bool) {
	sources := map[string]spec.Source{}
	for _, p := range c.d.Parameters {
		sources[p.Name] = p.Source
	}
	for _, name := range sortedKeys(c.l.Parameters) {
		live := c.l.Parameters[name]
		if live.Owner != c.d.Target.Platform {
			continue
		}
		after, wanted := c.readers(name, sel, all, fleets, ids)
		if !wanted {
			continue
		}
		secret := live.Type == secureString
		step := Step{
			ID: ID(KindParameter, name), Kind: KindParameter, Target: name, Action: ActionDelete,
			Base: FingerprintParameter(&live), Source: sources[name],
			Body: Body{Parameter: &ParameterBody{Name: name, Type: live.Type, DataType: live.DataType,
				Version: live.Version, Owner: c.d.Target.Platform}},
			Changes: []Change{{Resource: name, Type: "AWS::SSM::Parameter", Action: ActionDelete,
				Before: mask(live.Value, secret), Sensitive: secret, Source: sources[name]}},
			Reason: "it was created for what is destroyed", Rollback: "none: a later apply writes the value that the specs give",
		}
		if secret {
			step.Risk = "the secret value is lost"
			step.Rollback = "none: a later apply makes another random value"
			step.Approvals = []Approval{{Kind: ApproveDestroy, Target: name, Why: fmt.Sprintf("the secret value of parameter %s is lost", name)}}
		}
		c.add(nil, step, after...)
		for _, id := range []StepID{ID(KindStack, c.d.Own.Stack), ID(KindObjects, c.d.Own.Bucket)} {
			if last := c.steps[id]; last != nil && c.d.Own.Stack != "" {
				last.Needs = append(last.Needs, step.ID) // it has the lock; finish sorts
			}
		}
	}
}

// readers are the deletions that must come before a parameter's; false when
// the selection leaves the parameter alone.
func (c *computation) readers(name string, sel Selection, all map[string]*doomed, fleets map[string]string, ids map[string]bool) ([]StepID, bool) {
	owner := ""
	rest, _ := strings.CutPrefix(name, fleetPath(c.d.Target))
	for _, stack := range sortedKeys(all) {
		if f := fleets[stack]; f != "" && strings.HasPrefix(rest, f+"/") {
			owner = stack
		}
	}
	if owner == "" && !sel.All() {
		return nil, ids[path.Dir(rest)] // its stack is gone already
	}
	var after []StepID
	for id, s := range c.steps {
		if s.Kind == KindStack && s.Action == ActionDelete && (owner == "" || s.Target == owner) && s.Target != c.d.Own.Stack {
			after = append(after, id)
		}
	}
	sort.Slice(after, func(i, j int) bool { return after[i] < after[j] })
	return after, true
}
