package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"reconcile/pkg/sandbox/stackengine"
)

// Fault rules live in the state file, so that one command sets them and
// another one runs into them. What they count is kept in the journal, too.

// FaultRule is a fault for the calls that match.
type FaultRule struct {
	Service   string `json:"service,omitempty"`   // "ssm"; "" matches all
	Operation string `json:"operation,omitempty"` // "PutParameter"; "" matches all
	After     int    `json:"after,omitempty"`     // lets so many matching calls pass first
	Times     int    `json:"times,omitempty"`     // then hits so often; 0 means always
	Seen      int    `json:"seen,omitempty"`      // matching calls so far
	Fault     Fault  `json:"fault"`
}

func (f *FaultRule) matches(service, operation string) bool {
	return (f.Service == "" || f.Service == service) && (f.Operation == "" || f.Operation == operation)
}

// hits tells whether the rule strikes at the call that it saw last.
func (f *FaultRule) hits() bool {
	return f.Seen > f.After && (f.Times == 0 || f.Seen <= f.After+f.Times)
}

// adminService names the journal lines that no wire request made.
const adminService = "sandbox"

// adminChange is one of them; one field is set.
type adminChange struct {
	Rule     *FaultRule         `json:"rule,omitempty"`     // added
	Saw      []int              `json:"saw,omitempty"`      // rules that a call matched
	Resource *stackengine.Fault `json:"resource,omitempty"` // added to Region's stacks
	Clear    bool               `json:"clear,omitempty"`
	Agent    *agentChange       `json:"agent,omitempty"`
	TaskEnd  *TaskEnd           `json:"taskEnd,omitempty"`
	Quota    *QuotaChange       `json:"quota,omitempty"`
}

// AddFault makes matching calls go wrong, from now on and in every process
// that uses the state file.
func (s *Sandbox) AddFault(rule FaultRule) error {
	rule.Seen = 0
	return s.admin("", adminChange{Rule: &rule})
}

// AddResourceFault makes stack operations on matching resources fail or slow.
// An empty region is the account's own.
func (s *Sandbox) AddResourceFault(region string, f stackengine.Fault) error {
	f.Used = 0
	return s.admin(region, adminChange{Resource: &f})
}

// ClearFaults removes all rules.
func (s *Sandbox) ClearFaults() error { return s.admin("", adminChange{Clear: true}) }

// Faults lists the rules for calls.
func (s *Sandbox) Faults() []FaultRule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.account.Faults)
}

// admin makes and keeps a change.
func (s *Sandbox) admin(region string, change adminChange) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.begin(); err != nil {
		return err
	}
	if s.store != nil {
		defer func() { err = errors.Join(err, s.store.unlock()) }()
	}
	return s.adminLocked(region, change)
}

func (s *Sandbox) adminLocked(region string, change adminChange) error {
	b, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("sandbox change: %w", err)
	}
	_, err = s.serveNow(context.Background(), request{Service: adminService, Region: region, Body: string(b)})
	return err
}

// applyAdmin is where a change takes effect, now and in a replay.
func (s *Sandbox) applyAdmin(req request) error {
	var change adminChange
	if err := json.Unmarshal([]byte(req.Body), &change); err != nil {
		return fmt.Errorf("sandbox change: %w", err)
	}
	if change.Clear {
		s.account.Faults = nil
		for _, r := range s.account.Regions {
			if r.Stacks != nil {
				r.Stacks.Faults = nil
			}
		}
	}
	if change.Rule != nil {
		s.account.Faults = append(s.account.Faults, *change.Rule)
	}
	if change.Resource != nil {
		r, _ := s.regionFor(req.region(s.account), true)
		r.Stacks.Faults = append(r.Stacks.Faults, *change.Resource)
	}
	if change.Agent != nil || change.TaskEnd != nil || change.Quota != nil {
		r, engine := s.regionFor(req.region(s.account), true)
		c := &call{ctx: context.Background(), now: s.clock, account: s.account, region: r, engine: engine, sandbox: s}
		if change.TaskEnd != nil {
			r.TaskEnds = append(r.TaskEnds, *change.TaskEnd)
			return nil
		}
		if q := change.Quota; q != nil {
			makeMap(&r.Quotas)
			r.Quotas[q.Service+"/"+q.Code] = q.Value
			return nil
		}
		return c.setAgent(*change.Agent)
	}
	for _, i := range change.Saw {
		if i >= 0 && i < len(s.account.Faults) {
			s.account.Faults[i].Seen++
		}
	}
	return nil
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
		if s.account.Faults[i].matches(req.Service, req.name()) {
			saw = append(saw, i)
		}
	}
	if len(saw) == 0 {
		return nil, nil
	}
	if err := s.adminLocked("", adminChange{Saw: saw}); err != nil {
		return nil, err
	}
	for _, i := range saw {
		if s.account.Faults[i].hits() {
			f := s.account.Faults[i].Fault
			return &f, nil
		}
	}
	return nil, nil
}

var errClosed = errors.New("the sandbox is closed")

// struck finds the fault that the rules have for what the account does by
// itself, and counts it: a group's launches (ec2 RunInstances), the start of a
// service's tasks (ecs StartTask). It is part of the state's own course, so a
// replay counts the same.
func (c *call) struck(service, operation string) *Fault {
	var found *Fault
	for i := range c.account.Faults {
		f := &c.account.Faults[i]
		if f.Operation == "" || !f.matches(service, operation) {
			continue
		}
		f.Seen++
		if found == nil && f.hits() && f.Fault.Code != "" {
			found = &f.Fault
		}
	}
	return found
}
