package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// Fault rules live in the state file, so that one command sets them and
// another one runs into them. What they count is kept in the journal, too, and
// what is left to chance derives from the account's seed: the same requests
// meet the same faults.

// FaultRule is a fault for the calls that match.
type FaultRule struct {
	Service      string  `json:"service,omitempty"`      // "ssm"; "" matches all
	Operation    string  `json:"operation,omitempty"`    // "PutParameter"; "" matches all
	Stack        string  `json:"stack,omitempty"`        // name; only calls that name this stack
	InstanceType string  `json:"instanceType,omitempty"` // only launches of it
	Zone         string  `json:"zone,omitempty"`         // only launches in it
	After        int     `json:"after,omitempty"`        // lets so many matching calls pass first
	Times        int     `json:"times,omitempty"`        // then hits so often; 0 means always
	Chance       float64 `json:"chance,omitempty"`       // of each call to be hit; 0 means always
	Seen         int     `json:"seen,omitempty"`         // matching calls so far
	Struck       int     `json:"struck,omitempty"`       // calls that it hit
	Behind       int     `json:"behind,omitempty"`       // stale reads that are left of the last write
	Fault        Fault   `json:"fault"`
}

// target is what the rule is about, as it is written.
func (f *FaultRule) target() string {
	switch {
	case f.InstanceType != "":
		return f.shortage()
	case f.Service == "":
		return everyCall
	case f.Operation == "":
		return f.Service
	}
	return f.Service + "." + f.Operation
}

func (f *FaultRule) matches(service, operation string) bool {
	return (f.Service == "" || f.Service == service) && (f.Operation == "" || f.Operation == operation)
}

// concerns tells whether the rule is for a request. Launches say which instance
// type they want deeper inside.
func (f *FaultRule) concerns(req request, write bool) bool {
	return f.matches(req.Service, req.name()) && f.InstanceType == "" &&
		(f.Stack == "" || f.Stack == req.stack()) && (f.Fault.Stale == 0 || !write)
}

// strikes counts a matching call and tells whether it is hit. lot is a number
// from 0 to 1 that is the call's own.
func (f *FaultRule) strikes(lot float64) bool {
	f.Seen++
	switch {
	case f.Seen <= f.After, f.Times > 0 && f.Struck >= f.Times, f.Chance > 0 && lot >= f.Chance, f.Fault.Stale > 0 && f.Behind == 0:
		return false
	}
	if f.Fault.Stale > 0 {
		f.Behind--
	}
	f.Struck++
	return true
}

// stack is the name of the stack that a CloudFormation call is about, "" when
// it names none.
func (r request) stack() string {
	if r.Service != "cloudformation" {
		return ""
	}
	form, err := url.ParseQuery(r.Body)
	if err != nil {
		return ""
	}
	name := form.Get("StackName")
	if _, rest, isARN := strings.Cut(name, ":stack/"); isARN {
		name, _, _ = strings.Cut(rest, "/")
	}
	return name
}

// AddFault makes matching calls go wrong, from now on and in every process
// that uses the state file. It refuses operations that the sandbox has not.
func (s *Sandbox) AddFault(rule FaultRule) error {
	if err := checkCall(s.services, rule.Service, rule.Operation); err != nil {
		return err
	}
	rule.Seen, rule.Struck, rule.Behind = 0, 0, 0
	_, err := s.admin("", adminChange{Rule: &rule})
	return err
}

// AddResourceFault makes stack operations on matching resources fail or slow.
// An empty region is the account's own.
func (s *Sandbox) AddResourceFault(region string, f stackengine.Fault) error {
	if err := checkType(f.Type); err != nil {
		return err
	}
	if f.After < 0 || f.Times < 0 || f.Chance < 0 || f.Chance > 1 {
		return fmt.Errorf("a fault of %s: after and times are not negative, and the chance is 0 to 1", resourceTarget(f))
	}
	f.Seen, f.Used = 0, 0
	_, err := s.admin(region, adminChange{Resource: &f})
	return err
}

// ClearFaults removes all faults.
func (s *Sandbox) ClearFaults() error {
	_, err := s.admin("", adminChange{Clear: true})
	return err
}

// Faults lists the rules for calls.
func (s *Sandbox) Faults() []FaultRule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.account.Faults)
}

// clearFaults removes the faults of a target, or all when it is empty, and
// tells how many there were. Groups that lacked capacity try again.
func (s *Sandbox) clearFaults(ctx context.Context, target string) int {
	before, a := 0, s.account
	drop := func(of string) bool {
		if target != "" && of != target {
			return false
		}
		before++
		return true
	}
	a.Faults = slices.DeleteFunc(a.Faults, func(f FaultRule) bool { return drop(f.target()) })
	if !slices.ContainsFunc(a.Faults, func(f FaultRule) bool { return f.Fault.Stale > 0 }) {
		a.Past = nil
	}
	for _, name := range sortedKeys(a.Regions) {
		r := a.Regions[name]
		if r.Stacks != nil {
			r.Stacks.Faults = slices.DeleteFunc(r.Stacks.Faults, func(f stackengine.Fault) bool { return drop(resourceTarget(f)) })
		}
		c := &call{ctx: ctx, now: s.clock, account: a, region: r, engine: r.engine, sandbox: s}
		for _, group := range sortedKeys(r.Groups) {
			g := r.Groups[group]
			if g.Retry.IsZero() {
				continue
			}
			g.Retry = s.clock
			g.tick(c)
		}
	}
	return before
}

// ruled finds the fault that the rules have for a call, and counts the call.
func (s *Sandbox) ruled(req request) (fault *Fault, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	if s.store != nil {
		defer func() { err = errors.Join(err, s.store.unlock()) }()
	}
	var saw []int
	for i := range s.account.Faults {
		if s.account.Faults[i].concerns(req, s.isWrite(req)) {
			saw = append(saw, i)
		}
	}
	if len(saw) == 0 {
		return nil, nil
	}
	out, err := s.adminLocked("", adminChange{Saw: saw})
	if err != nil {
		return nil, err
	}
	i, ok := out.(int)
	if !ok || i < 0 {
		return nil, nil
	}
	f := s.account.Faults[i].Fault
	return &f, nil
}

// struck finds the fault that the rules have for what the account does by
// itself, and counts it: a group's launches (ec2 RunInstances), the start of a
// service's tasks (ecs StartTask). It is part of the state's own course, so a
// replay counts the same.
func (c *call) struck(service, operation string) *Fault {
	var found *Fault
	for i := range c.account.Faults {
		f := &c.account.Faults[i]
		if f.Operation == "" || f.InstanceType != "" || f.Fault.Code == "" || !f.matches(service, operation) {
			continue
		}
		if f.strikes(c.account.lot(i, f.Seen)) && found == nil {
			found = &f.Fault
		}
	}
	return found
}

// lot is what chance says, from 0 to 1, to the nth call that a rule saw.
func (a *account) lot(rule, n int) float64 {
	return float64(a.number("lot", strconv.Itoa(rule), strconv.Itoa(n))>>11) / (1 << 53)
}

// struck counts a call at the rules that it matched, in their order, and gives
// the first that hits it; -1 when none does.
func (s *Sandbox) struck(saw []int) int {
	hit := -1
	for _, i := range saw {
		if i < 0 || i >= len(s.account.Faults) {
			continue
		}
		f := &s.account.Faults[i]
		if f.strikes(s.account.lot(i, f.Seen)) && hit < 0 {
			hit = i
		}
	}
	return hit
}
