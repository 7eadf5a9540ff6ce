package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// Effects is the digest, in hex, of what a plan does: its steps with what each
// writes, changes, needs consent for and is blocked by, and the role that
// CloudFormation takes on for them. Two plans that would do
// the same have the same effects, whatever commit, tool or moment they come
// from; so what was reviewed can be compared with what is about to run. The
// order of the steps, which is what each waits for, is among the effects. It is
// empty only for a plan that JSON cannot hold, which equals no other.
func Effects(p Plan) string {
	steps := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		needs := slices.Clone(s.Needs)
		slices.Sort(needs)
		steps[i] = hash(struct {
			Does  string
			Needs []StepID
		}{StepEffects(s), needs})
	}
	slices.Sort(steps)
	return hash(struct {
		Platform, Account, Region, Role string
		Destroy                         bool
		Steps                           []string
	}{p.Target.Platform, p.Target.Account, p.Target.Region, ActsAs(p), p.Destroy, steps})
}

// ActsAs is the role that CloudFormation takes on in the plan's steps; empty
// where it acts with the rights of the caller in all of them, as it does in
// this program's own stack.
func ActsAs(p Plan) string {
	own := OwnOf(p.Target).Stack
	for _, s := range p.Steps {
		if s.Kind == KindStack && s.Target != own {
			return p.Target.Role
		}
	}
	return ""
}

// StepEffects is the digest, in hex, of what one step does. Left out is what
// may move while the step does the same: fingerprints and versions of the live
// state, numbers of running instances, places in the specs, words for readers,
// and what other steps decide, which is what it waits for.
func StepEffects(s Step) string {
	changes := make([]Change, 0, len(s.Changes))
	for _, ch := range s.Changes {
		if strings.HasPrefix(ch.Resource, "Outputs."+cfn.RevisionOutput) {
			continue
		}
		ch.Source = spec.Source{}
		changes = append(changes, ch)
	}
	approvals := make([]string, len(s.Approvals))
	for i, a := range s.Approvals {
		approvals[i] = a.String()
	}
	slices.Sort(approvals)
	blocked := ""
	if s.Blocked != nil {
		blocked = s.Blocked.Reason
	}
	return hash(struct {
		ID        StepID
		Kind      Kind
		Target    string
		Action    Action
		Body      Body
		Changes   []Change
		Approvals []string
		Blocked   string
	}{s.ID, s.Kind, s.Target, s.Action, s.Body.effect(), changes, approvals, blocked})
}

// effect is the body without what is of a moment.
func (b Body) effect() Body {
	if b.Parameter != nil {
		p := *b.Parameter
		p.Version = 0
		b.Parameter = &p
	}
	if b.Stack == nil {
		return b
	}
	s := *b.Stack
	s.Capacity = slices.Clone(s.Capacity)
	for i := range s.Capacity {
		s.Capacity[i].Desired, s.Capacity[i].InService, s.Capacity[i].Protected = 0, 0, 0
	}
	if s.Template != nil {
		t := *s.Template
		t.Description, t.Metadata = "", nil
		t.Outputs = maps.Clone(t.Outputs)
		delete(t.Outputs, cfn.RevisionOutput)
		s.Template = &t
	}
	b.Stack = &s
	return b
}

// hash is the digest of a value's canonical JSON, and empty where JSON cannot
// hold it: no plan that Compute makes, and nothing to compare with.
func hash(v any) string {
	b, err := cfn.Canonical(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
