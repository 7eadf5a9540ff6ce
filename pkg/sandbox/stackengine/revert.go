package stackengine

import (
	"context"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
)

// Drift-aware change sets (DeploymentMode REVERT_DRIFT) compare three states:
// what a resource really is, what was deployed last and what the new template
// asks for. From the documentation drift-aware-change-sets and the references
// of ResourceChange and ResourceTargetDefinition; that an execution which only
// resets the drift status writes no events of resources:
// cloudformation-coverage-roadmap #2559.

// actual is what a resource really is.
type actual struct {
	status  string         // IN_SYNC, MODIFIED, DELETED, UNKNOWN, UNSUPPORTED
	props   map[string]any // with the deployed value where AWS tells none
	ignored []IgnoredDrift
}

// IgnoredDrift is a property whose drift a drift-aware change set leaves alone.
type IgnoredDrift struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Why drift is ignored: the reference of ResourceDriftIgnoredAttribute.
const (
	ignoredWriteOnly = "WRITE_ONLY_PROPERTY"
	ignoredManaged   = "MANAGED_BY_AWS"
	ignoredSensitive = "SENSITIVE_PROPERTY"
)

// actualStates reads every resource of a stack.
func (e *Engine) actualStates(ctx context.Context, s *Stack) map[string]actual {
	out := make(map[string]actual, len(s.Resources))
	for _, id := range keys(s.Resources) {
		if r := s.Resources[id]; r.PhysicalID != "" && r.Status != "DELETE_COMPLETE" {
			out[id] = e.actualState(ctx, s, r)
		}
	}
	return out
}

func (e *Engine) actualState(ctx context.Context, s *Stack, r *StackResource) actual {
	deployed := decode(r.Properties)
	state, live, _ := e.drifted(ctx, s, r)
	a := actual{status: state, props: deployed}
	if state == "NOT_CHECKED" {
		a.status = "UNSUPPORTED"
	}
	if live == nil {
		return a
	}
	t, _ := awstype.Lookup(r.Type)
	m := merger{t: t, props: deployed}
	a.props = map[string]any{}
	for _, name := range keys(deployed) {
		if v := m.value(name, deployed[name], live[name]); v != nil {
			a.props[name] = v
		}
	}
	a.ignored = m.ignored
	if a.status == "MODIFIED" && equal(deployed, a.props) {
		a.status = "IN_SYNC"
	}
	return a
}

// merger takes live values except where AWS tells none or changes them itself.
type merger struct {
	t       awstype.Type
	props   map[string]any
	ignored []IgnoredDrift
}

func (m *merger) value(path string, deployed, live any) any {
	reason := ""
	switch {
	case m.t.Hidden(path):
		reason = ignoredWriteOnly
	case dynamicReference(deployed):
		reason = ignoredSensitive
	case managedByAWS(m.t.Name, path, m.props) && !equal(deployed, live):
		reason = ignoredManaged
	}
	if reason != "" {
		m.ignored = append(m.ignored, IgnoredDrift{difference{path: path}.pointer(), reason})
		return deployed
	}
	if m.t.Equivalent(path, m.props, deployed, live) {
		return deployed
	}
	switch d := deployed.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return live
		}
		out := map[string]any{}
		for _, k := range keys(l) {
			out[k] = l[k]
		}
		for _, k := range keys(d) {
			if v := m.value(join1(path, k), d[k], l[k]); v != nil {
				out[k] = v
			}
		}
		return out
	case []any:
		l, ok := live.([]any)
		if !ok || len(l) != len(d) {
			return live
		}
		out := make([]any, len(d))
		for i := range d {
			out[i] = m.value(path+"["+itoa(i)+"]", d[i], l[i])
		}
		return out
	}
	return live
}

// managedByAWS: the engine version of a database moves by itself unless minor
// upgrades are switched off. Other properties of this kind are not documented
// (aws-limits, "Uncertain").
func managedByAWS(typeName, path string, props map[string]any) bool {
	if typeName != "AWS::RDS::DBInstance" || path != "EngineVersion" {
		return false
	}
	auto, set := text(props["AutoMinorVersionUpgrade"])
	return !set || auto != "false"
}

// stackDrift is the drift status of a stack whose resources are in these states.
func stackDrift(states map[string]actual) string {
	for _, id := range keys(states) {
		if s := states[id].status; s == "MODIFIED" || s == "DELETED" {
			return "DRIFTED"
		}
	}
	return "IN_SYNC"
}

// threeWay adds to a change what only a drift-aware change set tells: where
// each value comes from and what is merely taken note of.
func (c *comparison) threeWay(change *Change, r *StackResource, n *node, was actual, after map[string]any) []ChangeDetail {
	deployed := decode(r.Properties)
	details := c.details(r, n, was.props, after)
	for i := range details {
		d := &details[i]
		if d.Attribute != "Properties" && d.Attribute != "Tags" || d.Path == "" {
			continue
		}
		path := strings.TrimPrefix(d.Path, "/Properties/")
		d.From = "ACTUAL_STATE"
		if was.status == "UNSUPPORTED" || was.status == "UNKNOWN" || slices.ContainsFunc(was.ignored, func(g IgnoredDrift) bool { return g.Path == d.Path }) {
			d.From = "PREVIOUS_DEPLOYMENT_STATE"
		}
		before, now := atPointer(deployed, path), atPointer(was.props, path)
		if !equal(before, now) {
			d.DriftBefore, d.DriftActual = c.shown(before), c.shown(now)
		}
	}
	for _, d := range differences("", deployed, after) {
		path := strings.TrimPrefix(d.pointer(), "/Properties/")
		if !equal(atPointer(was.props, path), d.after) {
			continue
		}
		t, _ := awstype.Lookup(n.Type)
		why := c.detail(t, d, directly)
		// Reference of ResourceChangeDetail: a change that matches the actual state.
		why.Source = "NoModification"
		why.Kind, why.Recreation, why.From = syncWithActual, "Never", "ACTUAL_STATE"
		why.Before, why.DriftBefore, why.DriftActual = why.After, c.shown(d.before), c.shown(d.after)
		details = c.add(details, why)
	}
	change.Drift, change.Ignored = was.status, was.ignored
	change.Previous = c.context(deployed, nil)
	return details
}

const syncWithActual = "SyncWithActual"

// onlySync tells whether nothing but the record of a resource changes.
func onlySync(was actual, deployed, after map[string]any, details []ChangeDetail) bool {
	return equal(was.props, after) && !equal(deployed, after) && !slices.ContainsFunc(details, func(d ChangeDetail) bool {
		return d.Attribute != "Properties"
	})
}

func (c *comparison) shown(v any) *string {
	if v == nil {
		return nil
	}
	return ptr(c.show(v))
}

// atPointer is the value at a JSON pointer without its first slash; nil when
// there is none.
func atPointer(v any, pointer string) any {
	for _, segment := range strings.Split(pointer, "/") {
		segment = strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)
		switch x := v.(type) {
		case map[string]any:
			v = x[segment]
		case []any:
			i := indexOf(segment)
			if i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// recovered is the record of r as it really is, for an update that reverts
// drift. A resource that is gone is told apart.
func (e *Engine) recovered(ctx context.Context, s *Stack, r *StackResource) (was *StackResource, gone bool) {
	a := e.actualState(ctx, s, r)
	if a.status == "DELETED" {
		return r, true
	}
	if a.status != "MODIFIED" {
		return r, false
	}
	out := *r
	out.Properties = compact(a.props)
	return &out, false
}

// asFound is what a rollback brings back: what was deployed, or for an update
// that reverts drift what was really there.
func (r *StackResource) asFound() *StackResource {
	if r.Actual == nil {
		return r
	}
	out := *r
	out.Properties = r.Actual
	return &out
}
