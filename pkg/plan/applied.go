package plan

import "reconcile/pkg/spec"

// Applied is the revision that was applied last, as SSM keeps it.
type Applied struct {
	Revision string `json:"revision"` // a commit, with "-dirty" when the specs differed from it
	Version  int64  `json:"version"`  // of the parameter; 0: there is none yet
	Base     string `json:"base"`     // its fingerprint
}

// RevisionParameter names the SSM parameter that keeps the revision of a
// platform that was applied last.
func RevisionParameter(platform string) string { return "/" + platform + "/reconcile/revision" }

// AppliedIn is what a live state says of it; nil when nothing was recorded.
func AppliedIn(l Live, platform string) *Applied {
	live, ok := l.Parameters[RevisionParameter(platform)]
	if !ok {
		return nil
	}
	return &Applied{Revision: live.Value, Version: live.Version, Base: FingerprintParameter(&live)}
}

// Record is the plan of one step that writes the plan's own revision as the
// last applied one. It is a plan of its own, and no step of the plan: what the
// plan does is the same at whatever commit. Whoever carries out p does this
// first; that it is refused, because the parameter moved, says that somebody
// else applied since p was made. False when there is nothing to write.
func (p Plan) Record() (Plan, bool, error) {
	name := RevisionParameter(p.Target.Platform)
	live := Applied{Base: FingerprintParameter(nil)}
	if p.Applied != nil {
		live = *p.Applied
	}
	if p.Destroy || p.Target.Revision == "" || p.Target.Revision == live.Revision {
		return Plan{}, false, nil
	}
	step := Step{
		ID: ID(KindParameter, name), Kind: KindParameter, Target: name, Action: ActionCreate, Base: live.Base,
		Body: Body{Parameter: &ParameterBody{
			Name: name, Type: "String", Value: p.Target.Revision, Version: live.Version, Owner: p.Target.Platform,
			Describe: "The revision of the specs that reconcile applied last",
		}},
		Changes:  []Change{{Resource: name, Type: "AWS::SSM::Parameter", Action: ActionCreate, After: p.Target.Revision}},
		Rollback: "apply the revision before",
	}
	if live.Version > 0 {
		step.Action, step.Changes[0].Action = ActionUpdate, ActionUpdate
		step.Changes[0].Path, step.Changes[0].Before = "Value", live.Revision
	}
	out := Plan{FormatVersion: FormatVersion, Tool: p.Tool, Target: p.Target, Steps: []Step{step}}
	out.Summary = summarize(out)
	d, err := out.digest()
	out.Digest = d
	return out, true, err
}

// Consent is an approval of the specs with its expiry, as a saved plan keeps it.
type Consent struct {
	Kind    string `json:"kind"`
	Target  string `json:"target"`
	Expires string `json:"expires"`
	Reason  string `json:"reason,omitempty"`
}

// consentsOf are the approvals of the specs, for a saved plan.
func consentsOf(all []spec.Approval) []Consent {
	var out []Consent
	for _, a := range all {
		out = append(out, Consent{Kind: a.Kind, Target: a.Target, Expires: a.Expires, Reason: a.Reason})
	}
	return out
}
