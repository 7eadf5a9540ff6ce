package apply

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// mutations counts the requests that may change something.
func mutations(f *fake) (n int) {
	for _, r := range f.log {
		if !strings.HasPrefix(string(r.Op), "read-") && r.Op != OpWatchStack {
			n++
		}
	}
	return n
}

// once refuses the first request of an operation.
func once(op Op, failure Failure) func(Request) *Failure { return times(1, op, failure) }

func times(n int, op Op, failure Failure) func(Request) *Failure {
	return func(r Request) *Failure {
		if r.Op != op || n == 0 {
			return nil
		}
		n--
		return &failure
	}
}

func connectionLost() Failure { return Failure{Message: "connection reset"} }

// TestStackUpdate is one edit of one deployed stack, under everything that
// may come between.
func TestStackUpdate(t *testing.T) {
	cases := map[string]struct {
		arrange func(f *fake, s *fakeStack, p *plan.Plan)
		options Options
		want    Outcome
		message string // in the result's message
		command string
		writes  int // -1: not compared
		deploys bool
	}{
		"plain": {want: OutcomeDone, message: "is UPDATE_COMPLETE", writes: 3, deploys: true},
		"moved since the plan": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) { s.Updated = f.now() },
			want:    OutcomeRefused, message: "stack bp-a moved since the plan: it is CREATE_COMPLETE, last changed 1970-01-01 00:00:02Z (specs/bp-a.yaml:1)", command: planCommand,
		},
		"moved, but to what the step would do": {
			arrange: func(f *fake, s *fakeStack, p *plan.Plan) {
				again := newFake()
				again.deploy("bp-a", owner, *p.Steps[0].Body.Stack.Template)
				f.install(s, *again.find("bp-a").Template)
				s.Updated, s.Status = f.now(), "UPDATE_COMPLETE"
			},
			want: OutcomeDone, message: "is already as planned", deploys: true,
		},
		"gone since the plan": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) { s.Status = "DELETE_COMPLETE" },
			want:    OutcomeRefused, message: "does not exist any more",
		},
		"deleted and created again by another": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) {
				s.Status = "DELETE_COMPLETE"
				f.deploy("bp-a", owner, topic("theirs"))
			},
			want: OutcomeRefused, message: "moved since the plan",
		},
		"no mark": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) { s.Description = "by hand" },
			want:    OutcomeRefused, message: "carries no mark of reconcile",
		},
		"another platform's": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) {
				s.Description = strings.Replace(s.Description, "owner=bp", "owner=other", 1)
			},
			want: OutcomeRefused, message: `belongs to platform "other" and not to "bp"`,
		},
		"somebody else's operation": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) { f.begin(s, "by-hand", "UPDATE_IN_PROGRESS", func() {}) },
			want:    OutcomeRefused, message: "somebody else's operation runs on it (UPDATE_IN_PROGRESS)",
		},
		"another run's operation": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) {
				f.begin(s, "rc-0123456789abcdef-1", "UPDATE_IN_PROGRESS", func() { s.Status = "UPDATE_COMPLETE" })
			},
			want: OutcomeRefused, message: "moved since the plan",
		},
		"empty change set": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.edit = func(r Request, a *Response) {
					if a.ChangeSet != nil {
						a.ChangeSet.Empty, a.ChangeSet.Changes = true, nil
					}
				}
			},
			want: OutcomeDone, message: "nothing to change", writes: 2,
		},
		"failed change set": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.edit = func(r Request, a *Response) {
					if a.ChangeSet != nil {
						a.ChangeSet.Failed = "Template error"
					}
				}
			},
			want: OutcomeFailed, message: "AWS refused the change set: Template error", writes: 2,
		},
		"announces a removal": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.edit = func(r Request, a *Response) {
					if a.ChangeSet != nil {
						a.ChangeSet.Changes = append(a.ChangeSet.Changes, Announced{Resource: "Data", Type: "AWS::S3::Bucket", Action: "Remove"})
					}
				}
			},
			want: OutcomeRefused, message: "CloudFormation announces more than the plan: removes Data (AWS::S3::Bucket)", command: planCommand, writes: 2,
		},
		"announces a replacement": {
			arrange: replaceTopic,
			want:    OutcomeRefused, message: "replaces Topic (AWS::SNS::Topic)", command: "reconcile apply --approve replace:bp-a/Topic", writes: 2,
		},
		"announces a replacement that is approved": {
			arrange: replaceTopic, options: Options{Approve: []plan.Approval{{Kind: plan.ApproveReplace, Target: "bp-a/Topic"}}},
			want: OutcomeDone, writes: 3, deploys: true,
		},
		"a blanket consent is none to what the plan did not list": {
			arrange: replaceTopic, options: Options{AllowAll: map[plan.ApprovalKind]bool{plan.ApproveReplace: true}},
			want: OutcomeRefused, message: "replaces Topic", writes: 2,
		},
		"rolled back": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) { f.ends["bp-a"] = "UPDATE_ROLLBACK_COMPLETE" },
			want:    OutcomeFailed, message: "ended in UPDATE_ROLLBACK_COMPLETE; the stack is as it was before", writes: 2,
		},
		"execute answer lost": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) { f.after = once(OpExecuteChangeSet, connectionLost()) },
			want:    OutcomeDone, writes: 3, deploys: true,
		},
		"execute request lost": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) { f.before = once(OpExecuteChangeSet, connectionLost()) },
			want:    OutcomeDone, writes: 4, deploys: true,
		},
		"execute never goes through": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.before = func(r Request) *Failure {
					if r.Op == OpExecuteChangeSet {
						f := connectionLost()
						return &f
					}
					return nil
				}
			},
			want: OutcomeFailed, message: "connection reset", writes: 4,
		},
		"obsolete": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.before = once(OpExecuteChangeSet, Failure{Code: "InvalidChangeSetStatus", Message: "OBSOLETE", Kind: FailureConflict})
			},
			want: OutcomeRefused, message: "it no longer fits the stack, which changed meanwhile: InvalidChangeSetStatus: OBSOLETE", command: planCommand, writes: 3,
		},
		"denied": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.before = once(OpExecuteChangeSet, Failure{Code: "AccessDenied", Message: "no", Kind: FailureDenied})
			},
			want: OutcomeFailed, message: "AccessDenied: no", writes: 3,
		},
		"clean-up leaves something behind": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.edit = func(r Request, a *Response) {
					if r.Op == OpWatchStack {
						a.Causes = []Cause{{Resource: "Old", Reason: "in use"}}
					}
				}
			},
			want: OutcomeFailed, message: "deployed, but old resources could not be deleted", writes: 2, deploys: true,
		},
		"a watch sees the state from before": {
			arrange: func(f *fake, s *fakeStack, _ *plan.Plan) {
				before, looks := s.LiveStack, 0
				f.edit = func(r Request, a *Response) {
					if looks++; r.Op == OpWatchStack && looks < 6 {
						a.Stack, a.Token = &before, ""
					}
				}
			},
			want: OutcomeDone, message: "is UPDATE_COMPLETE", writes: 3, deploys: true,
		},
		"another deploys at the same time": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				theirs := newFake().deploy("bp-a", owner, topic("theirs")).LiveStack
				f.edit = func(r Request, a *Response) {
					if r.Op == OpWatchStack {
						theirs.ID = a.Stack.ID
						a.Stack, a.Token = &theirs, ""
					}
				}
			},
			want: OutcomeFailed, message: "but not as this step deployed it: somebody else changed it meanwhile", writes: 2, deploys: true,
		},
		"the change set is of another stack": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) {
				f.edit = func(r Request, a *Response) {
					if a.ChangeSet != nil {
						a.ChangeSet.StackID = "arn:bp-a/other"
					}
				}
			},
			want: OutcomeRefused, message: "was replaced by another of its name", writes: 2,
		},
		"disappears while it is deployed": {
			arrange: func(f *fake, _ *fakeStack, _ *plan.Plan) { f.ends["bp-a"] = "DELETE_COMPLETE" },
			want:    OutcomeFailed, message: "disappeared while it was deployed", writes: 2,
		},
		"an approval is missing": {
			arrange: func(f *fake, _ *fakeStack, p *plan.Plan) {
				p.Steps[0].Approvals = []plan.Approval{{Kind: plan.ApproveReplace, Target: "bp-a/Topic", Why: "it is renamed"}, {Kind: plan.ApproveDestroy, Target: "bp-a"}}
			},
			options: Options{AllowAll: map[plan.ApprovalKind]bool{plan.ApproveDestroy: true}},
			want:    OutcomeRefused, message: "not approved: replace:bp-a/Topic (it is renamed)", command: "reconcile apply --approve replace:bp-a/Topic",
		},
		"capacity as approved": {
			arrange: capacity(plan.LiveGroup{Desired: 3}), options: approveCapacity(),
			want: OutcomeDone, writes: 3, deploys: true,
		},
		"capacity got worse": {
			arrange: capacity(plan.LiveGroup{Desired: 5}), options: approveCapacity(),
			want: OutcomeRefused, message: "would stop 4 instances (0 of them protected), and the plan said 2 (0 protected)",
		},
		"capacity got protected": {
			arrange: capacity(plan.LiveGroup{Desired: 3, Protected: 1}), options: approveCapacity(),
			want: OutcomeRefused, message: "1 of them protected",
		},
		"capacity without numbers": {
			arrange: func(f *fake, _ *fakeStack, p *plan.Plan) {
				p.Steps[0].Approvals = []plan.Approval{{Kind: plan.ApproveCapacity, Target: "bp-a"}}
			},
			options: approveCapacity(), want: OutcomeRefused, message: "does not say of which group",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			s := f.deploy("bp-a", owner, topic("old"))
			p := computePlan(f, wish{name: "bp-a", template: topic("new")})
			if c.arrange != nil {
				c.arrange(f, s, &p)
			}
			got := run(t, f, p, c.options).Steps[0]
			if got.Outcome != c.want || !strings.Contains(got.Message, c.message) || c.command != "" && got.Command != c.command {
				t.Errorf("%s: %s; command %q", got.Outcome, got.Message, got.Command)
			}
			if n := mutations(f); n != c.writes {
				t.Errorf("%d writes, want %d", n, c.writes)
			}
			if deployed := s.Template.Resources["Topic"].Properties["DisplayName"] == "new"; deployed != c.deploys {
				t.Errorf("deployed: %v", deployed)
			}
			if len(s.sets) > 0 {
				t.Errorf("%d change sets stay behind", len(s.sets))
			}
		})
	}
}

func replaceTopic(f *fake, _ *fakeStack, _ *plan.Plan) {
	f.edit = func(r Request, a *Response) {
		if a.ChangeSet != nil {
			a.ChangeSet.Changes[0].Replacement = "True"
		}
	}
}

func capacity(g plan.LiveGroup) func(*fake, *fakeStack, *plan.Plan) {
	return func(f *fake, _ *fakeStack, p *plan.Plan) {
		f.groups["workers"] = g
		p.Steps[0].Approvals = []plan.Approval{{Kind: plan.ApproveCapacity, Target: "bp-a"}}
		p.Steps[0].Body.Stack.Capacity = []plan.Capacity{{Group: "workers", Max: 1, Desired: 3}}
	}
}

func approveCapacity() Options {
	return Options{Approve: []plan.Approval{{Kind: plan.ApproveCapacity, Target: "bp-a"}}}
}

func TestStackCreateThatFailsLeavesNothing(t *testing.T) {
	f := newFake()
	f.edit = func(r Request, a *Response) {
		if a.ChangeSet != nil {
			a.ChangeSet.Failed = "no"
		}
	}
	p := computePlan(f, wish{name: "bp-a", template: topic("new")})
	if r := run(t, f, p, Options{}); !r.Failed() {
		t.Error(outcomes(r))
	}
	if s := f.find("bp-a"); s != nil {
		t.Errorf("stack bp-a stays behind in %s", s.Status)
	}
}

// A stack that somebody put under the change set's own name is not swept.
func TestSweepLeavesAStackThatIsMore(t *testing.T) {
	f := newFake()
	f.edit = func(r Request, a *Response) {
		if a.ChangeSet != nil {
			a.ChangeSet.Failed = "no"
			f.find("bp-a").Status = "CREATE_COMPLETE"
		}
	}
	run(t, f, computePlan(f, wish{name: "bp-a", template: topic("new")}), Options{})
	if f.find("bp-a") == nil {
		t.Error("the stack was deleted")
	}
}

// A reference that resolves to another value than it had when the plan was
// computed would change what the plan did not announce.
func TestStackStopsAtAnUnannouncedValue(t *testing.T) {
	f := newFake()
	f.deploy("bp-a", owner, topic("a"))
	two := func(ref any) cfn.Template {
		tpl := topic("new")
		tpl.Resources["Other"] = cfn.Resource{Type: "AWS::SNS::Topic", Properties: map[string]any{"DisplayName": ref}}
		return tpl
	}
	old := two("value of a")
	old.Resources["Topic"] = topic("old").Resources["Topic"]
	f.deploy("bp-b", owner, old)
	p := computePlan(f, wish{name: "bp-b", template: two(cfn.StackOutput("bp-a", "Value"))})
	f.find("bp-a").Outputs["Value"] = "moved"
	got := run(t, f, p, Options{}).Steps[0]
	if want := "the plan did not say so: Other.DisplayName"; got.Outcome != OutcomeRefused || !strings.Contains(got.Message, want) {
		t.Errorf("%s: %s", got.Outcome, got.Message)
	}
	if n := mutations(f); n > 0 {
		t.Errorf("%d writes", n)
	}
}

func TestOpenReferencesFailClearly(t *testing.T) {
	f := newFake()
	f.deploy("bp-a", owner, topic("a"))
	f.parameters["/secret"] = plan.LiveParameter{Type: secureString, Version: 1}
	refs := map[string]any{
		"stack bp-x does not exist":                                     cfn.StackOutput("bp-x", "Value"),
		"stack bp-a has no output Nothing":                              cfn.StackOutput("bp-a", "Nothing"),
		"parameter /none does not exist":                                cfn.ParameterValue("/none"),
		"parameter /secret is a SecureString and cannot be referred to": cfn.ParameterValue("/secret"),
	}
	for want, ref := range refs {
		got := run(t, f, computePlan(f, wish{name: "bp-b", template: topic(ref)}), Options{}).Steps[0]
		if got.Outcome != OutcomeFailed || !strings.Contains(got.Message, want) {
			t.Errorf("%s: %s; want %s", got.Outcome, got.Message, want)
		}
	}
	if n := mutations(f); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// TestEveryStatus holds that each status that the SDK knows has one answer
// from a step that finds the stack in it.
func TestEveryStatus(t *testing.T) {
	want := map[plan.StatusClass]Outcome{
		plan.StatusAbsent: OutcomeDone, plan.StatusReady: OutcomeDone, plan.StatusBusy: OutcomeRefused,
		plan.StatusStuck: OutcomeRefused, plan.StatusStopped: OutcomeRefused, classUnknown: OutcomeRefused,
	}
	statuses := append([]types.StackStatus{"BRAND_NEW_STATUS", ""}, types.StackStatus("").Values()...)
	for _, status := range statuses {
		t.Run(string(status), func(t *testing.T) {
			f := newFake()
			s := f.deploy("bp-a", owner, topic("old"))
			p := computePlan(f, wish{name: "bp-a", template: topic("new")})
			s.Status = string(status)
			p.Steps[0].Base = plan.FingerprintStack(&s.LiveStack)
			class := classOf(&s.LiveStack)
			if known := status != "" && status != "BRAND_NEW_STATUS"; known == (class == classUnknown) {
				t.Fatalf("class %q", class)
			}
			if class == plan.StatusAbsent {
				s.Template = nil
				p.Steps[0].Changes = []plan.Change{{Resource: "Topic", Action: plan.ActionCreate}}
			}
			outcome := want[class]
			r, err := Run(context.Background(), p, f, Options{}, nil)
			if err != nil || r.Steps[0].Outcome != outcome {
				t.Errorf("%s: %+v, %v", class, r.Steps[0], err)
			}
			if outcome != OutcomeDone && mutations(f) > 0 {
				t.Errorf("%d writes", mutations(f))
			}
			if outlook(string(status)) == "" {
				t.Error("no outlook")
			}
		})
	}
}
