package cloud_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// platform is a small platform with everything that a plan can hold: stacks in
// a chain and side by side, own, created and generated parameters, a log group
// and a secret without a value.
func platform() plan.Desired {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"}}
	topic := func(name string, display any) cfn.Resource {
		return cfn.Resource{Type: "AWS::SNS::Topic", Properties: map[string]any{"TopicName": name, "DisplayName": display}}
	}
	d.Stacks = append(d.Stacks, plan.Stack{Name: "bp-base", Protect: true, Template: cfn.Template{Description: "Base",
		Resources: map[string]cfn.Resource{
			"Topic": topic("base", "base"),
			"Key":   {Type: "AWS::SecretsManager::Secret", DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain", Properties: map[string]any{"Name": "/bp/laravel/app-key"}}},
		Outputs: map[string]cfn.Output{"TopicArn": {Value: cfn.LogicalRef("Topic")}}}})
	for i := range 6 {
		name := fmt.Sprintf("bp-part-%d", i)
		d.Stacks = append(d.Stacks, plan.Stack{Name: name, Tags: map[string]string{"Part": name}, Template: cfn.Template{Description: "Part",
			Resources: map[string]cfn.Resource{"Topic": topic(name, cfn.StackOutput("bp-base", "TopicArn"))}}})
	}
	d.Parameters = []plan.Parameter{
		{Name: "/bp/created", Type: "String", DataType: "text", Value: "none", Policy: plan.PolicyCreate},
		{Name: "/bp/owned", Type: "String", DataType: "text", Value: "v1", Policy: plan.PolicyOwn},
		{Name: "/bp/secret", Type: "SecureString", DataType: "text", Generate: "hex48", Policy: plan.PolicyCreate},
	}
	d.Secrets = []plan.Secret{{Name: "/bp/laravel/app-key", Stack: "bp-base", Generate: "laravel-key"}}
	d.LogGroups = []plan.LogGroup{{Name: "/gpu-workers/x", RetentionDays: 30}}
	return d
}

// trouble is a fault plan: of every hundred calls so many are throttled, fail
// on AWS's side, or lose their connection before or after they were served.
func trouble(seed, throttled, failed, lost int) func(service, operation string, n int) *sandbox.Fault {
	return func(service, operation string, n int) *sandbox.Fault {
		h := fnv.New32a()
		fmt.Fprint(h, seed, service, operation, n)
		switch dice := int(h.Sum32() % 100); {
		case dice < throttled:
			code := "ThrottlingException"
			if service == "cloudformation" || service == "sts" || service == "autoscaling" {
				code = "Throttling"
			}
			return &sandbox.Fault{Code: code, Message: "Rate exceeded"}
		case dice < throttled+failed:
			return &sandbox.Fault{Code: "InternalFailure", Message: "We did not mean to", Status: 500}
		case dice < throttled+failed+lost/2:
			return &sandbox.Fault{Lost: sandbox.LostBefore}
		case dice < throttled+failed+lost:
			return &sandbox.Fault{Lost: sandbox.LostAfter}
		}
		return nil
	}
}

// applyOnce is one run of the whole program: read, plan, apply.
func applyOnce(ctx context.Context, c *cloud.Cloud, d plan.Desired) (plan.Plan, apply.Result, error) {
	live, err := c.Read(ctx, d, plan.Selection{})
	if err != nil {
		return plan.Plan{}, apply.Result{}, err
	}
	p, err := plan.Compute(d, live, plan.Options{})
	if err != nil || p.Empty() {
		return p, apply.Result{}, err
	}
	port := c.Port(ctx)
	defer port.Close()
	result, err := apply.Run(ctx, p, port, apply.Options{PlanDigest: p.Digest}, nil)
	return p, result, err
}

// Under throttling, server errors and lost answers no step fails, nothing is
// done twice, and the next plan is empty.
func TestApplyThroughTrouble(t *testing.T) {
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				box, err := sandbox.Open(sandbox.Options{Seed: "trouble", Scale: 1, Fault: trouble(seed, 25, 5, 10)})
				if err != nil {
					t.Fatal(err)
				}
				defer box.Close()
				c, err := cloud.Open(t.Context(), cloud.Options{Region: "us-east-1", HTTPClient: box, StaticCredentials: true})
				if err != nil {
					t.Fatal(err)
				}
				d := platform()
				p, result, err := applyOnce(t.Context(), c, d)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range result.Steps {
					if s.Outcome != apply.OutcomeDone {
						t.Errorf("%s: %s: %s", s.Step, s.Outcome, s.Message)
					}
				}
				if len(result.Steps) != len(p.Steps) || len(p.Steps) < 10 {
					t.Errorf("%d results of %d steps", len(result.Steps), len(p.Steps))
				}
				again, _, err := applyOnce(t.Context(), c, d)
				if err != nil || !again.Empty() {
					t.Errorf("the next plan has %d steps, %v", len(again.Steps), err)
				}
				live, err := c.Read(t.Context(), d, plan.Selection{})
				if err != nil {
					t.Fatal(err)
				}
				for name, q := range live.Parameters {
					if q.Version != 1 {
						t.Errorf("%s was written %d times", name, q.Version)
					}
				}
				if s := live.Secrets["/bp/laravel/app-key"]; s.Versions != 1 {
					t.Errorf("the secret was written %d times", s.Versions)
				}
				throttled := 0
				for _, s := range c.Stats() {
					throttled += s.Throttled
				}
				t.Logf("%v of virtual time, %d throttled", time.Since(begin).Round(time.Second), throttled)
			})
		})
	}
}

// A run that is killed before or after any of its calls leaves nothing that
// the next run of the same command does not finish, and nothing twice.
func TestApplyKilledAnywhere(t *testing.T) {
	step := 7
	if testing.Short() {
		step = 31
	}
	for kill, done := 1, false; !done; kill += step {
		for _, lost := range []sandbox.Lost{sandbox.LostBefore, sandbox.LostAfter} {
			t.Run(fmt.Sprintf("%s call %d", lost, kill), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, die := context.WithCancel(t.Context())
					defer die()
					var calls atomic.Int64
					box, err := sandbox.Open(sandbox.Options{Seed: "kill", Scale: 1, Fault: func(string, string, int) *sandbox.Fault {
						if calls.Add(1) == int64(kill) {
							time.AfterFunc(0, die)
							return &sandbox.Fault{Lost: lost}
						}
						return nil
					}})
					if err != nil {
						t.Fatal(err)
					}
					defer box.Close()
					run := func(ctx context.Context) (plan.Plan, apply.Result, error) {
						c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: box, StaticCredentials: true, Concurrency: 1})
						if err != nil {
							t.Fatal(err)
						}
						return applyOnce(ctx, c, platform())
					}
					_, _, _ = run(ctx)
					done = calls.Load() < int64(kill)
					p, result, err := run(t.Context())
					for i := 0; err == nil && !p.Empty() && i < 2; i++ {
						for _, s := range result.Steps {
							if s.Outcome == apply.OutcomeFailed {
								t.Errorf("after the kill: %s: %s", s.Step, s.Message)
							}
						}
						p, result, err = run(t.Context())
					}
					if err != nil || !p.Empty() {
						t.Fatalf("it does not converge: %d steps, %v", len(p.Steps), err)
					}
					c, err := cloud.Open(t.Context(), cloud.Options{Region: "us-east-1", HTTPClient: box, StaticCredentials: true})
					if err != nil {
						t.Fatal(err)
					}
					live, err := c.Read(t.Context(), platform(), plan.Selection{})
					if err != nil {
						t.Fatal(err)
					}
					for name, q := range live.Parameters {
						if q.Version != 1 {
							t.Errorf("%s was written %d times", name, q.Version)
						}
					}
					if len(live.Stacks) != 7 || live.Secrets["/bp/laravel/app-key"].Versions != 1 {
						t.Errorf("%d stacks, %d versions of the secret", len(live.Stacks), live.Secrets["/bp/laravel/app-key"].Versions)
					}
				})
			})
		}
	}
}
