package plan

import (
	"fmt"
	"maps"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// tokenPrefix starts the tokens of this program's own operations.
const tokenPrefix = "rc-"

type stackMode string

const (
	modeUnchanged stackMode = "unchanged" // as it is in AWS
	modeCreate    stackMode = "create"
	modeUpdate    stackMode = "update"
	modeForeign   stackMode = "foreign" // not ours, or in a status that nobody knows
)

// stackState is what the plan makes of one stack.
type stackState struct {
	spec *Stack
	node *node
	mode stackMode
	live *LiveStack // nil: absent, or as good as that

	before     cfn.Template   // deployed; for modeUpdate
	after      cfn.Template   // wanted, with what is known put in
	parameters map[string]any // template parameters, resolved likewise
	touched    map[string]*touch
	named      []cfn.Named

	liveOutputs map[string]string // canonical expression → output of before
}

// SourceOf is the spec line that decides a property of a resource: the
// longest prefix in Sources, with or without "Properties.", else the stack's.
func (s Stack) SourceOf(resource, path string) spec.Source {
	for {
		full := resource
		if path != "" {
			full += "." + path
		}
		if src, ok := s.Sources[full]; ok {
			return src
		}
		if short, ok := strings.CutPrefix(path, "Properties."); ok {
			if src, ok := s.Sources[resource+"."+short]; ok {
				return src
			}
		}
		if path == "" {
			return s.Source
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// stack decides what becomes of one stack of the specs.
func (c *computation) stack(s *Stack, n *node) {
	st := &stackState{spec: s, node: n}
	c.stacks[s.Name] = st
	live, exists := c.l.Stacks[s.Name]
	action, known := c.statuses[live.Status]
	switch {
	case !exists:
		action = StatusAction{Class: StatusAbsent}
	case !known || live.Status == "":
		st.mode = modeForeign
		c.find(Finding{Severity: SeverityError, Code: "unknown-status", Target: s.Name, Source: s.Source,
			Message: fmt.Sprintf("stack %s has the status %q, which this version of reconcile does not know", s.Name, live.Status),
			Command: "aws cloudformation describe-stacks --stack-name " + s.Name})
		return
	case action.Class != StatusAbsent && markerOf(live).Owner != c.d.Target.Platform:
		st.mode = modeForeign
		c.find(notOurs(s, live, c.d.Target.Platform))
		return
	}
	if action.Warn != "" {
		c.find(Finding{Severity: SeverityWarning, Code: "stack-status", Target: s.Name, Source: s.Source,
			Message: fmt.Sprintf("stack %s is %s: %s", s.Name, live.Status, action.Warn)})
	}
	st.after, st.parameters = s.Template, s.Parameters
	if action.Class != StatusAbsent {
		st.live = &live
	}
	r := c.resolver()
	st.resolveWith(r)
	switch action.Class {
	case StatusAbsent:
		c.createStack(st, r, FingerprintStack(nil))
	case StatusReady:
		c.compareStack(st, r)
	case StatusBusy:
		c.busyStack(st, r, action)
	case StatusStuck:
		c.stuckStack(st, r, action)
	case StatusStopped:
		st.mode = modeUnchanged
		p := problem{code: "stack-stuck", target: s.Name,
			reason:  fmt.Sprintf("stack %s is %s: %s; only a person can go on", s.Name, live.Status, action.Doing),
			command: "aws cloudformation describe-stack-events --stack-name " + s.Name}
		c.addStack(st, r, ActionUpdate, nil, FingerprintStack(&live), &p).Reason = p.reason
	}
	c.protect(st)
}

func notOurs(s *Stack, live LiveStack, platform string) Finding {
	f := Finding{Severity: SeverityError, Code: "stack-not-ours", Target: s.Name, Source: s.Source}
	if owner := markerOf(live).Owner; owner != "" {
		f.Message = fmt.Sprintf("stack %s belongs to platform %q, not to %q; it is never touched", s.Name, owner, platform)
	} else {
		f.Message = fmt.Sprintf("stack %s exists and carries no mark of reconcile; it is never touched, and this version cannot adopt a stack", s.Name)
	}
	f.Command = "aws cloudformation describe-stacks --stack-name " + s.Name
	return f
}

func (st *stackState) resolveWith(r *resolver) {
	if len(st.node.refs) == 0 {
		return
	}
	st.after = cfn.ResolveTemplate(st.spec.Template, r.lookup)
	if len(st.spec.Parameters) > 0 {
		st.parameters, _ = cfn.Resolve(st.spec.Parameters, r.lookup).(map[string]any)
	}
}

// createStack plans a stack that is not there.
func (c *computation) createStack(st *stackState, r *resolver, base string, also ...StepID) *Step {
	st.mode, st.live = modeCreate, nil
	changes := make([]Change, 0, len(st.after.Resources))
	for _, id := range st.after.LogicalIDs() {
		changes = append(changes, Change{
			Stack: st.spec.Name, Resource: id, Type: st.after.Resources[id].Type,
			Action: ActionCreate, Source: st.spec.SourceOf(id, ""),
		})
	}
	return c.addStack(st, r, ActionCreate, changes, base, nil, also...)
}

// compareStack plans a settled stack: nothing when the digest says that it
// was deployed as it is wanted, else a comparison with what was deployed.
func (c *computation) compareStack(st *stackState, r *resolver) {
	st.mode = modeUnchanged
	digest, trusted := c.digest(st, r), st.live.settledWell()
	if digest != "" && trusted && digest == markerOf(*st.live).Digest {
		c.driftOf(st)
		return
	}
	if !c.read(st.live) {
		c.unread[st.spec.Name] = true
		return
	}
	ds := st.begin()
	changes := st.changes(ds)
	changes = append(changes, st.settings()...)
	if len(changes) == 0 {
		deployed := st.deployedDigest()
		if deployed == digest && !trusted {
			// The rollback left what is wanted.
			st.mode = modeUnchanged
			c.driftOf(st)
			return
		}
		changes = []Change{{
			Stack: st.spec.Name, Resource: "Outputs." + cfn.DigestOutput, Action: ActionUpdate, Path: "Value",
			Before: string(markerOf(*st.live).Digest), After: string(digest), Source: st.spec.Source,
		}}
	}
	c.updateStack(st, r, ds, changes, FingerprintStack(st.live))
}

// begin compares; from now on the stack counts as changing.
func (st *stackState) begin() []cfn.Difference {
	st.mode, st.before = modeUpdate, *st.live.Template
	return st.compare()
}

// settledWell tells whether the description's digest says what is deployed:
// not after a rollback.
func (s *LiveStack) settledWell() bool {
	return s.Status == "CREATE_COMPLETE" || s.Status == "UPDATE_COMPLETE" || s.Status == "IMPORT_COMPLETE"
}

// digest of what would be deployed; empty while a value is unknown.
func (c *computation) digest(st *stackState, r *resolver) cfn.Digest {
	if len(r.unknown) > 0 {
		return ""
	}
	d, err := digestOf(st.after, st.spec.Tags, literals(st.parameters))
	if err != nil {
		c.find(Finding{Severity: SeverityError, Code: "template", Target: st.spec.Name, Source: st.spec.Source,
			Message: fmt.Sprintf("stack %s: %v", st.spec.Name, err)})
	}
	return d
}

// digestOf gives absent and empty maps one form: none for tags, which is what
// a saved plan makes of both, and an empty one for parameters, as apply has it.
func digestOf(t cfn.Template, tags, parameters map[string]string) (cfn.Digest, error) {
	if len(tags) == 0 {
		tags = nil
	}
	if parameters == nil {
		parameters = map[string]string{}
	}
	return cfn.DigestOf(t, tags, parameters)
}

// literals are the template parameters whose value is known.
func literals(parameters map[string]any) map[string]string {
	out := make(map[string]string, len(parameters))
	for name, v := range parameters {
		if s, ok := v.(string); ok {
			out[name] = s
		}
	}
	return out
}

// deployedDigest is the digest of the deployed template, tags and parameters.
func (st *stackState) deployedDigest() cfn.Digest {
	d, err := digestOf(*st.live.Template, ownTags(st.live.Tags), st.live.Parameters)
	if err != nil {
		return ""
	}
	return d
}

// ownTags leaves out the tags that AWS sets itself.
func ownTags(tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, "aws:") })
	return out
}

// read tells whether a stack's second half was read; if not it is asked for.
func (c *computation) read(live *LiveStack) bool {
	if live.Described && live.Template != nil && live.Resources != nil {
		return true
	}
	c.more.templates[live.Name] = true
	return false
}

// settings compares what a stack has beside its template: tags, which reach
// every resource that can carry them, and the values of parameters.
func (st *stackState) settings() []Change {
	var out []Change
	tags := ownTags(st.live.Tags)
	for _, key := range unionKeys(tags, st.spec.Tags) {
		if ch, ok := st.setting("Tags."+key, tags, st.spec.Tags, key, false); ok {
			out = append(out, ch)
		}
	}
	if len(out) > 0 {
		out = append(out, st.taggedResources()...)
	}
	given, wanted := st.live.Parameters, literals(st.parameters)
	for _, key := range unionKeys(given, wanted) {
		secret := hidden(st.after.Parameters[key]) || hidden(st.before.Parameters[key])
		if _, isLiteral := wanted[key]; !isLiteral && st.parameters[key] != nil {
			out = append(out, Change{Stack: st.spec.Name, Resource: "Parameters." + key, Action: ActionUpdate, Path: "Value",
				Before: mask(given[key], secret), After: st.parameters[key], Unknown: true, Sensitive: secret,
				Source: st.spec.SourceOf("Parameters."+key, "")})
			continue
		}
		if _, isDeclared := st.after.Parameters[key]; isDeclared && st.parameters[key] == nil {
			wanted[key], _ = st.effective()[key].(string) // its default
		}
		if ch, ok := st.setting("Parameters."+key, given, wanted, key, secret); ok {
			ch.Path = "Value"
			out = append(out, ch)
		}
	}
	return out
}

func (st *stackState) setting(resource string, before, after map[string]string, key string, secret bool) (Change, bool) {
	b, had := before[key]
	a, has := after[key]
	if had == has && (a == b || secret) {
		return Change{}, false
	}
	ch := Change{Stack: st.spec.Name, Resource: resource, Action: ActionUpdate, Source: st.spec.SourceOf(resource, ""), Sensitive: secret}
	if had {
		ch.Before = mask(b, secret)
	} else {
		ch.Action = ActionCreate
	}
	if has {
		ch.After = mask(a, secret)
	} else {
		ch.Action = ActionDelete
	}
	return ch, true
}

func mask(v string, secret bool) any {
	if secret {
		return cfn.Masked
	}
	return v
}

func unionKeys[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return sortedKeys(all)
}

// updateStack plans the change of a stack, with its dangers.
func (c *computation) updateStack(st *stackState, r *resolver, ds []cfn.Difference, changes []Change, base string, also ...StepID) *Step {
	sort.SliceStable(changes, func(i, j int) bool {
		a, b := strings.Contains(changes[i].Resource, "."), strings.Contains(changes[j].Resource, ".")
		if a != b {
			return b
		}
		return changes[i].Resource < changes[j].Resource
	})
	c.refusals(st, ds)
	return c.addStack(st, r, ActionUpdate, changes, base, nil, also...)
}

// addStack adds a stack's step, blocked by p or by what it lacks.
func (c *computation) addStack(st *stackState, r *resolver, a Action, changes []Change, base string, p *problem, also ...StepID) *Step {
	s := st.spec
	step := Step{
		ID: ID(KindStack, s.Name), Kind: KindStack, Target: s.Name, Action: a, Base: base,
		Changes: changes, Unknown: sortedKeys(r.unknown), Source: s.Source,
	}
	if len(step.Unknown) == 0 {
		step.Unknown = nil
	}
	body := &StackBody{
		Name: s.Name, Owner: c.d.Target.Platform, Template: c.withMetadata(st), Tags: nonEmpty(s.Tags),
		Parameters: s.Parameters, Capabilities: s.Capabilities,
	}
	if st.live != nil {
		body.ID = st.live.ID
	}
	step.Body.Stack = body
	c.dangers(st, &step)
	describeStack(st, &step)
	if p == nil {
		p = c.lacks(st, r)
	}
	if p != nil {
		step.Blocked = p.blocked()
		c.tell(p, s.Source)
	}
	c.add(st.node, step, also...)
	return c.steps[step.ID]
}

func nonEmpty(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// withMetadata is the template of a step, with the stacks that it needs and
// its fleet in the metadata, so that a destroy can do without specs.
func (c *computation) withMetadata(st *stackState) *cfn.Template {
	t := st.spec.Template
	var needs []any
	for _, id := range st.node.deps {
		if name, ok := strings.CutPrefix(string(id), "stack/"); ok {
			needs = append(needs, name)
		}
	}
	ours := map[string]any{}
	if had, ok := t.Metadata[metadataKey].(map[string]any); ok {
		maps.Copy(ours, had)
	}
	if needs != nil {
		ours["DependsOn"] = needs
	}
	if st.spec.Fleet != "" {
		ours["Fleet"] = st.spec.Fleet
	}
	if len(ours) == 0 {
		return &t
	}
	t.Metadata = maps.Clone(t.Metadata)
	if t.Metadata == nil {
		t.Metadata = map[string]any{}
	}
	t.Metadata[metadataKey] = ours
	return &t
}

// metadataKey is our key in a template's metadata.
const metadataKey = "Reconcile"

// protect plans termination protection as a step of its own.
func (c *computation) protect(st *stackState) {
	s := st.spec
	if !s.Protect || st.mode == modeForeign {
		return
	}
	after, changing := c.steps[ID(KindStack, s.Name)]
	if st.live == nil && !changing {
		return
	}
	if st.live != nil && (!st.live.Described || st.live.Protected) {
		return
	}
	if _, stuck := c.steps[RecoverID(s.Name)]; stuck && !changing {
		return
	}
	step := Step{
		ID: ProtectID(s.Name), Kind: KindStack, Target: s.Name, Action: ActionProtect, Source: s.Source,
		Body:     Body{Stack: &StackBody{Name: s.Name, Owner: c.d.Target.Platform}},
		Reason:   "termination protection is off",
		Rollback: "switch termination protection off again",
	}
	var also []StepID
	if changing {
		also = []StepID{after.ID}
		step.Base = BaseAfter(after.ID)
	} else {
		step.Base = FingerprintStack(st.live)
	}
	if st.live != nil {
		step.Body.Stack.ID = st.live.ID
	}
	c.add(nil, step, also...)
}

// markerOf is what the stack says about its owner.
func markerOf(s LiveStack) cfn.Marker {
	if s.Owned {
		return s.Marker
	}
	m, _ := cfn.ParseMarker(s.Description)
	return m
}
