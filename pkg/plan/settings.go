package plan

import (
	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

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
		out = append(out, st.taggedResources(out[0].Source)...)
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

// taggedResources are the resources that a change of the stack's tags reaches:
// CloudFormation modifies each that can be tagged. Of types that AWS's data does
// not describe it is assumed. source is where the tag comes from.
func (st *stackState) taggedResources(source spec.Source) []Change {
	var out []Change
	for _, id := range st.after.LogicalIDs() {
		r := st.after.Resources[id]
		if _, was := st.before.Resources[id]; !was {
			continue
		}
		t, known := awstype.Lookup(r.Type)
		if known && t.TagProperty == "" {
			continue
		}
		ch := Change{
			Stack: st.spec.Name, Resource: id, Type: r.Type, Physical: st.live.Resources[id].PhysicalID,
			Action: ActionUpdate, Path: "Tags", Replace: ReplaceNo, Source: source,
		}
		if known && t.Replacement(t.TagProperty) != awstype.No {
			ch.Action, ch.Replace = ActionReplace, Replace(t.Replacement(t.TagProperty))
		}
		out = append(out, ch)
	}
	return out
}
