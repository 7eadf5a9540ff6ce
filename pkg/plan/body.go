package plan

import (
	"fmt"
	"maps"
	"strings"

	"reconcile/pkg/cfn"
)

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
	if st.contract != nil {
		t = st.holding(t)
	}
	if st.rolling != nil && st.rolling.split {
		t = st.asLaunched(t)
	}
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
