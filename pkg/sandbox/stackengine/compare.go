package stackengine

import (
	"maps"
	"slices"
)

// comparison finds what a new template would change. It works on evaluated
// values: those deployed, and those that the new template gives as far as they
// are known before the execution.
//
// How it reports follows the recordings of real change sets in LocalStack's
// snapshot tests (test_change_sets, test_change_set_ref, _fn_get_attr,
// api/test_changesets), dated 2022 to 2025:
//   - A parameter's change is ParameterReference Static; without property values
//     a DirectModification Dynamic stands beside it.
//   - A reference to a replaced resource is ResourceReference or
//     ResourceAttribute Static; with property values a DirectModification Dynamic
//     stands beside it and the value is {{changeSet:KNOWN_AFTER_APPLY}}.
//   - Fn::GetAtt of a resource that is changed in place is ResourceAttribute
//     Dynamic, and listed without property values only.
//   - Ref of such a resource is no change.
//
// The two views are two passes, because a resource that one view leaves out
// does not move those that refer to it.
type comparison struct {
	values bool // the view with property values
	e      *Engine
	s      *Stack
	old    *program // nil for a stack that does not exist yet
	next   *program
	target *Deployment
	fate   map[string]int // by logical id; in dependency order
	params map[string]bool
	hidden []string          // NoEcho values
	actual map[string]actual // of a drift-aware change set, by logical id
	nest   *nest             // of a change set with nested stacks
}

// What becomes of a resource that others refer to.
const (
	fateStays = iota
	fateAdded
	fateChanged  // in place
	fateMaybe    // replaced, or not
	fateReplaced // surely
)

// compare lists the changes, sorted by logical id, and tells whether outputs
// or stack tags change. states is nil except for a drift-aware change set, n
// except for one with nested stacks.
func (e *Engine) compare(s *Stack, old, next *program, target *Deployment, states map[string]actual, n *nest) (changes []Change, other bool, err error) {
	c := &comparison{e: e, s: s, old: old, next: next, target: target, params: map[string]bool{}, actual: states, nest: n}
	if old != nil {
		for _, name := range keys(next.params) {
			if !equal(old.params[name], next.params[name]) {
				c.params[name] = true
			}
		}
	}
	c.hidden = append(c.secrets(next, target), c.secrets(old, &s.Deployed)...)
	if err := c.checkTypes(); err != nil {
		return nil, false, err
	}
	valued, err := c.pass(true)
	if err != nil {
		return nil, false, err
	}
	plain, err := c.pass(false)
	if err != nil {
		return nil, false, err
	}
	for _, id := range keys(plain) {
		change := plain[id]
		if v, ok := valued[id]; ok {
			view := v.Plain
			change.Values, change.Before, change.After, change.Previous = &view, v.Before, v.After, v.Previous
		}
		changes = append(changes, change)
	}
	other, err = c.otherChanges()
	return changes, other, err
}

// pass makes one view, by logical id.
func (c *comparison) pass(values bool) (map[string]Change, error) {
	c.values, c.fate = values, map[string]int{}
	changes := map[string]Change{}
	for _, id := range c.next.order {
		change, ok, err := c.resource(id)
		if err != nil {
			return nil, err
		}
		if ok {
			changes[id] = change
		}
	}
	for _, id := range keys(c.s.Resources) {
		r := c.s.Resources[id]
		if c.next.nodes[id] == nil && r.Status != "DELETE_COMPLETE" {
			change := c.removal(r)
			change.Drift = c.actual[id].status
			changes[id] = change
		}
	}
	return changes, nil
}

func (c *comparison) secrets(p *program, d *Deployment) []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, name := range keys(p.t.Parameters) {
		if v := d.Parameters[name]; p.t.Parameters[name].NoEcho && v != "" {
			out = append(out, v)
		}
	}
	return out
}

// checkTypes refuses a resource that changes its type (text: what users report
// of UpdateStack).
func (c *comparison) checkTypes() error {
	var changed []string
	for _, id := range keys(c.next.nodes) {
		if r := c.s.Resources[id]; r != nil && r.Status != "DELETE_COMPLETE" && r.Type != c.next.nodes[id].Type {
			changed = append(changed, id)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: %v", changed)
}

func (c *comparison) otherChanges() (bool, error) {
	if c.old == nil {
		return true, nil
	}
	if !maps.Equal(c.s.Deployed.Tags, c.target.Tags) {
		return true, nil
	}
	outputs, err := c.next.evalOutputs(preview{c})
	if err != nil {
		return false, err
	}
	return !slices.Equal(outputs, c.s.Outputs), nil
}

// resource compares one resource; ok is false when nothing changes.
func (c *comparison) resource(id string) (Change, bool, error) {
	n := c.next.nodes[id]
	props, err := c.next.evaluate(id, preview{c})
	if err != nil {
		return Change{}, false, err
	}
	r := c.s.Resources[id]
	change := Change{LogicalID: id, Type: n.Type}
	if n.Type == stackType && c.nest != nil {
		if err := c.nest.look(c, id); err != nil {
			return Change{}, false, err
		}
	}
	if n.open {
		return c.undecided(change, r, props), true, nil
	}
	if r == nil || r.Status == "DELETE_COMPLETE" || r.Status == "CREATE_FAILED" {
		c.fate[id] = fateAdded
		change.Action = "Add"
		change.After = c.context(props, n.Metadata)
		return change, true, nil
	}
	before := decode(r.Properties)
	was, aware := c.actual[id]
	if aware && was.status == "DELETED" {
		c.fate[id] = fateAdded
		change.Action, change.Drift = "Add", was.status
		change.After, change.Previous = c.context(props, n.Metadata), c.context(before, nil)
		return change, true, nil
	}
	change.Action, change.PhysicalID = "Modify", r.PhysicalID
	var details []ChangeDetail
	if aware {
		details = c.threeWay(&change, r, n, was, props)
		before = was.props
	} else {
		details = c.details(r, n, before, props)
	}
	if len(details) == 0 {
		return change, false, nil
	}
	if aware && onlySync(was, decode(r.Properties), props, details) {
		c.fate[id] = fateStays
		change.Action = syncWithActual
		change.Plain = Announcement{Scope: []string{"Properties"}, Details: details}
		change.Before, change.After = c.context(before, nil), c.context(props, n.Metadata)
		return change, true, nil
	}
	change.Plain = announce(details, replacePolicy(n), c.values)
	switch change.Plain.Replacement {
	case "True":
		c.fate[id] = fateReplaced
	case "Conditional":
		c.fate[id] = fateMaybe
	default:
		c.fate[id] = fateChanged
		if onlyAttributes(details) {
			c.fate[id] = fateStays
		}
	}
	var metadata any
	if r.Metadata != nil {
		metadata = decode(r.Metadata)
	}
	change.Before, change.After = c.context(before, metadata), c.context(props, n.Metadata)
	return change, true, nil
}

// undecided is the change of a resource whose condition hangs on a value that the
// execution tells: it is made, changed, left alone or removed (reference of
// ResourceChange: Dynamic, the exact action cannot be determined. That it comes
// with change sets of nested stacks, whose parameters may be unknown: K).
func (c *comparison) undecided(change Change, r *StackResource, props map[string]any) Change {
	c.fate[change.LogicalID] = fateMaybe
	change.Action = "Dynamic"
	change.After = c.context(props, nil)
	if r != nil && r.Status != "DELETE_COMPLETE" {
		change.PhysicalID, change.Before = r.PhysicalID, c.context(decode(r.Properties), nil)
	}
	return change
}

// onlyAttributes tells whether only policies or metadata change, which no
// reference can see.
func onlyAttributes(details []ChangeDetail) bool {
	return !slices.ContainsFunc(details, func(d ChangeDetail) bool {
		return d.Attribute == "Properties" || d.Attribute == "Tags"
	})
}

func (c *comparison) removal(r *StackResource) Change {
	policy := "Delete"
	switch r.Delete {
	case "Retain", "RetainExceptOnCreate":
		policy = "Retain"
	case "Snapshot":
		policy = "Snapshot"
	case "":
		policy = defaultPolicy(r.Type, decode(r.Properties))
	}
	return Change{
		LogicalID: r.LogicalID, PhysicalID: r.PhysicalID, Type: r.Type, Action: "Remove",
		Plain: Announcement{PolicyAction: policy}, Before: c.context(decode(r.Properties), nil),
	}
}

// defaultPolicy is the deletion policy of a resource that names none: a
// database is snapshotted (documentation of DeletionPolicy).
func defaultPolicy(typeName string, props map[string]any) string {
	switch typeName {
	case "AWS::RDS::DBCluster":
		return "Snapshot"
	case "AWS::RDS::DBInstance":
		if props["DBClusterIdentifier"] == nil {
			return "Snapshot"
		}
	}
	return "Delete"
}

func replacePolicy(n *node) string {
	if n.Replace == "" {
		return "Delete"
	}
	return n.Replace
}

// announce derives the summary of a change from its details. From the
// ResourceChange reference: RequiresRecreation Always and Evaluation Dynamic is
// Conditional; the most impactful wins. With property values a value that is
// not known counts as replaced (cloudformation-coverage-roadmap #2113).
func announce(details []ChangeDetail, policy string, values bool) Announcement {
	a := Announcement{Replacement: "False", Details: details}
	for _, d := range details {
		if !slices.Contains(a.Scope, d.Attribute) {
			a.Scope = append(a.Scope, d.Attribute)
		}
		switch {
		case a.Replacement == "True":
		case d.Recreation == "Always" && (d.Evaluation == "Static" || values):
			a.Replacement = "True"
		case d.Recreation == "Always" || d.Recreation == "Conditionally":
			a.Replacement = "Conditional"
		}
	}
	slices.Sort(a.Scope)
	if a.Replacement != "False" {
		a.PolicyAction = "ReplaceAnd" + policy
	}
	return a
}

// preview resolves references to what is known before the execution.
type preview struct{ c *comparison }

func (p preview) ref(logical string) (any, error) {
	switch p.c.fate[logical] {
	case fateAdded, fateMaybe, fateReplaced:
		return knownAfterApply, nil
	}
	return live{p.c.e, p.c.s}.ref(logical)
}

func (p preview) att(logical, attribute string) (any, error) {
	switch p.c.fate[logical] {
	case fateAdded, fateMaybe, fateReplaced:
		return knownAfterApply, nil
	}
	return live{p.c.e, p.c.s}.att(logical, attribute)
}

func (p preview) imported(name string) (string, error) {
	return live{p.c.e, p.c.s}.imported(name)
}

func (p preview) output(region, stack, key string) (string, error) {
	return live{p.c.e, p.c.s}.output(region, stack, key)
}

// context is a change's BeforeContext or AfterContext.
func (c *comparison) context(props map[string]any, metadata any) string {
	m := map[string]any{"Properties": mask(props, c.hidden)}
	if metadata != nil {
		m["Metadata"] = metadata
	}
	return string(compact(m))
}
