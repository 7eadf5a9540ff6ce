package sandbox

import (
	"context"
	"errors"
	"sort"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// Time in the sandbox is lazy. Before a request is served, everything that
// fell due since the last one happens, in the order of its time, with the
// sandbox's clock standing at that time. So the result does not depend on when
// or how often somebody looked, and serving a journal again gives the same state.

// maxSteps bounds what may happen in a region at one moment.
const maxSteps = 100_000

// advance moves the account to now.
func (s *Sandbox) advance(ctx context.Context, now time.Time) error {
	names := make([]string, 0, len(s.account.Regions))
	for name := range s.account.Regions {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		r := s.account.Regions[name]
		for steps, last := 0, (time.Time{}); ; steps++ {
			at, ok := r.next()
			if !ok || at.After(now) {
				break
			}
			if at.After(last) {
				steps, last = 0, at
			}
			if steps > maxSteps {
				return errors.New("sandbox: time stands still")
			}
			s.clock = at
			s.step(ctx, r)
		}
	}
	s.clock = now
	return nil
}

// attach gives every region that has stacks its engine, after the account was
// read anew.
func (s *Sandbox) attach() {
	s.clock = s.account.Last
	s.s3 = s.newS3()
	for _, r := range s.account.Regions {
		if r.Stacks != nil {
			r.engine = s.newEngine(r, r.Stacks)
		}
	}
}

// regionFor gives the state of a region and its CloudFormation. What a read
// finds missing is empty, and not kept: reading leaves no trace.
func (s *Sandbox) regionFor(name string, keep bool) (*region, *stackengine.Engine) {
	r := s.account.Regions[name]
	if r == nil {
		r = &region{Name: name}
		r.init()
		if keep {
			s.account.Regions[name] = r
		}
	}
	if r.engine != nil {
		return r, r.engine
	}
	state := &stackengine.State{Account: s.account.ID, Region: r.Name, Seed: s.account.number("stacks", r.Name), MaxStacks: s.account.Quotas.Stacks}
	engine := s.newEngine(r, state)
	if keep {
		r.Stacks, r.engine = state, engine
	}
	return r, engine
}

func (s *Sandbox) newEngine(r *region, state *stackengine.State) *stackengine.Engine {
	return &stackengine.Engine{
		State:     state,
		Now:       func() time.Time { return s.clock },
		Scale:     s.scale(),
		Parameter: func(name, version string) (string, bool) { return s.parameterValue(r, name, version) },
		Providers: s.providers(r),
		Fetch:     s.fetchTemplate,
		Zones:     zonesOf,
		Exists: func(typeName, id string) bool {
			return (&call{now: s.clock, account: s.account, region: r, sandbox: s}).unowned(typeName, id)
		},
		Holds: func(ctx context.Context, res stackengine.Resource) bool {
			return (&call{ctx: ctx, now: s.clock, account: s.account, region: r, sandbox: s}).holds(res)
		},
		Usage: func(typeName string) (stackengine.Usage, bool) {
			return (&call{now: s.clock, account: s.account, region: r, sandbox: s}).usage(typeName)
		},
		Role: func(arn string) bool {
			return (&call{now: s.clock, account: s.account, region: r, sandbox: s}).roleExists(arn)
		},
		Secure: func(name, version string) bool { return s.secureParameter(r, name, version) },
		Secret: func(id, stage, version string) (string, string) { return s.secretValue(r, id, stage, version) },
		Output: func(region, stack, key string) (string, bool) {
			_, other := s.regionFor(region, false)
			return other.OutputOf(stack, key)
		},
		Check: func(ctx context.Context, phase stackengine.Phase, res stackengine.Resource) error {
			return s.checkResource(ctx, r, phase, res)
		},
	}
}
