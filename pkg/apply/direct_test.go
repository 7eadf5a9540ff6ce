package apply

import (
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func parameterStepFor(a plan.Action, b plan.ParameterBody, live *plan.LiveParameter) plan.Plan {
	if live != nil {
		b.Version = live.Version
	}
	return seal(plan.Plan{FormatVersion: plan.FormatVersion, Target: plan.Target{Platform: owner}, Steps: []plan.Step{{
		ID: plan.ID(plan.KindParameter, b.Name), Kind: plan.KindParameter, Target: b.Name, Action: a,
		Base: plan.FingerprintParameter(live), Body: plan.Body{Parameter: &b},
	}}})
}

// text is a parameter as AWS has it.
func stored(value string, version int64) *plan.LiveParameter {
	return &plan.LiveParameter{Type: "String", DataType: "text", Value: value, Version: version}
}

func TestParameter(t *testing.T) {
	plain := plan.ParameterBody{Name: "/p", Type: "String", Value: "new"}
	secret := plan.ParameterBody{Name: "/p", Type: secureString, Generate: "hex48"}
	cases := map[string]struct {
		action  plan.Action
		body    plan.ParameterBody
		planned *plan.LiveParameter // what the plan saw
		live    *plan.LiveParameter // what is there when it runs
		arrange func(*fake)
		want    Outcome
		message string
		writes  int
		value   string // afterwards
		version int64
	}{
		"create":           {plan.ActionCreate, plain, nil, nil, nil, OutcomeDone, "", 1, "new", 1},
		"update":           {plan.ActionUpdate, plain, stored("old", 3), stored("old", 3), nil, OutcomeDone, "", 1, "new", 4},
		"already equal":    {plan.ActionUpdate, plain, stored("old", 3), stored("new", 4), nil, OutcomeDone, "is already as planned", 0, "new", 4},
		"moved":            {plan.ActionUpdate, plain, stored("old", 3), stored("theirs", 4), nil, OutcomeRefused, "parameter /p moved since the plan: it was version 3 and is version 4", 0, "theirs", 4},
		"gone":             {plan.ActionUpdate, plain, stored("old", 3), nil, nil, OutcomeRefused, "it was version 3 and does not exist any more", 0, "", 0},
		"exists meanwhile": {plan.ActionCreate, plain, nil, stored("theirs", 1), nil, OutcomeRefused, "it was absent and is version 1", 0, "theirs", 1},
		"from a parameter": {plan.ActionCreate, plan.ParameterBody{Name: "/p", Type: "String", Value: cfn.Join("x-", cfn.ParameterValue("/other"))}, nil, nil, nil, OutcomeDone, "", 1, "x-y", 1},
		"no text":          {plan.ActionCreate, plan.ParameterBody{Name: "/p", Type: "String", Value: cfn.LogicalRef("X")}, nil, nil, nil, OutcomeFailed, "its value is no text", 0, "", 0},
		"another type":     {plan.ActionReplace, plain, &plan.LiveParameter{Type: "StringList", Version: 2}, &plan.LiveParameter{Type: "StringList", Version: 2}, nil, OutcomeDone, "", 2, "new", 1},
		"secret":           {plan.ActionCreate, secret, nil, nil, nil, OutcomeDone, "", 1, "", 1},
		"secret is never overwritten": {
			plan.ActionCreate, secret, nil, &plan.LiveParameter{Type: secureString, Version: 1}, nil, OutcomeDone, "is left as it is", 0, "", 1,
		},
		"secret appears between read and write": {
			plan.ActionCreate, secret, nil, nil, func(f *fake) {
				f.before = func(r Request) *Failure {
					if r.Op == OpPutParameter {
						f.parameters["/p"] = plan.LiveParameter{Type: secureString, Version: 1}
					}
					return nil
				}
			}, OutcomeDone, "exists now and is left as it is", 1, "", 1,
		},
		"answer lost":  {plan.ActionUpdate, plain, stored("old", 3), stored("old", 3), func(f *fake) { f.after = once(OpPutParameter, connectionLost()) }, OutcomeDone, "", 1, "new", 4},
		"request lost": {plan.ActionUpdate, plain, stored("old", 3), stored("old", 3), func(f *fake) { f.before = once(OpPutParameter, connectionLost()) }, OutcomeDone, "", 2, "new", 4},
		"request lost again and again": {
			plan.ActionUpdate, plain, stored("old", 3), stored("old", 3),
			func(f *fake) { f.before = times(4, OpPutParameter, connectionLost()) }, OutcomeDone, "", 5, "new", 4,
		},
		"request always lost": {
			plan.ActionUpdate, plain, stored("old", 3), stored("old", 3),
			func(f *fake) { f.before = times(100, OpPutParameter, connectionLost()) }, OutcomeFailed, "connection reset", 5, "old", 3,
		},
		"denied": {
			plan.ActionUpdate, plain, stored("old", 3), stored("old", 3),
			func(f *fake) {
				f.before = once(OpPutParameter, Failure{Code: "AccessDeniedException", Message: "no", Kind: FailureDenied})
			},
			OutcomeFailed, "AccessDeniedException: no", 1, "old", 3,
		},
		"somebody else writes between read and write": {
			plan.ActionUpdate, plain, stored("old", 3), stored("old", 3), func(f *fake) {
				f.before = func(r Request) *Failure {
					if r.Op == OpPutParameter {
						f.parameters["/p"] = *stored("theirs", 4)
					}
					return nil
				}
			}, OutcomeFailed, "somebody else wrote it at the same moment: it is version 5 and not 4", 1, "new", 5,
		},
		"delete":             {plan.ActionDelete, plain, stored("old", 3), stored("old", 3), nil, OutcomeDone, "", 1, "", 0},
		"delete, gone":       {plan.ActionDelete, plain, stored("old", 3), nil, nil, OutcomeDone, "is already gone", 0, "", 0},
		"delete, moved":      {plan.ActionDelete, plain, stored("old", 3), stored("old", 4), nil, OutcomeRefused, "moved since the plan", 0, "old", 4},
		"delete, read fails": {plan.ActionDelete, plain, stored("old", 3), stored("old", 3), func(f *fake) { f.before = once(OpReadParameter, connectionLost()) }, OutcomeFailed, "read parameter /p", 0, "old", 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.parameters["/other"] = *stored("y", 1)
			if c.live != nil {
				f.parameters["/p"] = *c.live
			}
			if c.arrange != nil {
				c.arrange(f)
			}
			got := run(t, f, parameterStepFor(c.action, c.body, c.planned), Options{}).Steps[0]
			if got.Outcome != c.want || !strings.Contains(got.Message, c.message) {
				t.Errorf("%s: %s", got.Outcome, got.Message)
			}
			if n := mutations(f); n != c.writes {
				t.Errorf("%d writes, want %d", n, c.writes)
			}
			if p := f.parameters["/p"]; p.Value != c.value || p.Version != c.version {
				t.Errorf("it is %q, version %d", p.Value, p.Version)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	cases := map[string]struct {
		live    *plan.LiveSecret
		arrange func(*fake)
		want    Outcome
		writes  int
	}{
		"empty":        {&plan.LiveSecret{}, nil, OutcomeDone, 1},
		"has a value":  {&plan.LiveSecret{HasCurrent: true}, nil, OutcomeDone, 0},
		"absent":       {nil, nil, OutcomeRefused, 0},
		"deleting":     {&plan.LiveSecret{Deleting: true}, nil, OutcomeRefused, 0},
		"answer lost":  {&plan.LiveSecret{}, func(f *fake) { f.after = once(OpPutSecret, connectionLost()) }, OutcomeDone, 1},
		"request lost": {&plan.LiveSecret{}, func(f *fake) { f.before = once(OpPutSecret, connectionLost()) }, OutcomeFailed, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			if c.live != nil {
				f.secrets["/s"] = *c.live
			}
			if c.arrange != nil {
				c.arrange(f)
			}
			p := seal(plan.Plan{FormatVersion: plan.FormatVersion, Steps: []plan.Step{{
				ID: "secret/s", Kind: plan.KindSecret, Target: "/s", Action: plan.ActionCreate, Body: plan.Body{Secret: &plan.SecretBody{Name: "/s", Generate: "laravel-key"}},
			}}})
			if got := run(t, f, p, Options{}).Steps[0]; got.Outcome != c.want || mutations(f) != c.writes {
				t.Errorf("%s: %s; %d writes", got.Outcome, got.Message, mutations(f))
			}
		})
	}
}

func TestLogGroup(t *testing.T) {
	cases := map[string]struct {
		action plan.Action
		live   *plan.LiveLogGroup
		writes int
		left   *plan.LiveLogGroup
	}{
		"create":       {plan.ActionCreate, nil, 1, &plan.LiveLogGroup{RetentionDays: 30}},
		"retention":    {plan.ActionUpdate, &plan.LiveLogGroup{RetentionDays: 7}, 1, &plan.LiveLogGroup{RetentionDays: 30}},
		"already so":   {plan.ActionCreate, &plan.LiveLogGroup{RetentionDays: 30}, 0, &plan.LiveLogGroup{RetentionDays: 30}},
		"delete":       {plan.ActionDelete, &plan.LiveLogGroup{RetentionDays: 30}, 1, nil},
		"already gone": {plan.ActionDelete, nil, 0, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			if c.live != nil {
				f.logGroups["/g"] = *c.live
			}
			p := seal(plan.Plan{FormatVersion: plan.FormatVersion, Steps: []plan.Step{{
				ID: "log-group/g", Kind: plan.KindLogGroup, Target: "/g", Action: c.action, Body: plan.Body{LogGroup: &plan.LogGroupBody{Name: "/g", RetentionDays: 30}},
			}}})
			r := run(t, f, p, Options{})
			got, is := f.logGroups["/g"]
			if !r.Done() || mutations(f) != c.writes || is != (c.left != nil) || is && got != *c.left {
				t.Errorf("%s%d writes, left %v", outcomes(r), mutations(f), got)
			}
		})
	}
}
