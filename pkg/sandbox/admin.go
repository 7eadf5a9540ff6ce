package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// What no wire request does to an account, faults and hand edits, is a change.
// It goes into the journal like a write, so that other processes see it and a
// replay repeats it.

// adminService names the journal lines that no wire request made.
const adminService = "sandbox"

// adminChange is one change; one field is set.
type adminChange struct {
	Rule     *FaultRule         `json:"rule,omitempty"`     // added
	Saw      []int              `json:"saw,omitempty"`      // rules that a call matched
	Resource *stackengine.Fault `json:"resource,omitempty"` // added to the region's stacks
	Clear    bool               `json:"clear,omitempty"`    // all faults
	Target   string             `json:"target,omitempty"`   // with Clear: only those of this target
	Agent    *agentChange       `json:"agent,omitempty"`
	TaskEnd  *TaskEnd           `json:"taskEnd,omitempty"`
	Quota    *QuotaChange       `json:"quota,omitempty"`
	Mutation *Mutation          `json:"mutation,omitempty"` // by hand
	Advance  time.Duration      `json:"advance,omitempty"`  // of the clock
	Pace     Pace               `json:"pace,omitempty"`
	Wall     time.Time          `json:"wall,omitzero"` // with Pace: the wall clock then
}

// admin makes and keeps a change. What it gives back is of the change's kind.
func (s *Sandbox) admin(region string, change adminChange) (out any, err error) {
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
	clear(s.asked)
	return s.adminLocked(region, change)
}

func (s *Sandbox) adminLocked(region string, change adminChange) (any, error) {
	if change.Pace != "" {
		change.Wall = s.options.Now().UTC()
	}
	b, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("sandbox change: %w", err)
	}
	res, err := s.serveNow(context.Background(), request{Service: adminService, Region: region, Body: string(b)})
	if err != nil || res == nil {
		return nil, err
	}
	return res.out, nil
}

// applyAdmin is where a change takes effect, now and in a replay.
func (s *Sandbox) applyAdmin(ctx context.Context, req request) (out any, err error) {
	var change adminChange
	if err := json.Unmarshal([]byte(req.Body), &change); err != nil {
		return nil, fmt.Errorf("sandbox change: %w", err)
	}
	r, engine := s.regionFor(req.region(s.account), change.Saw == nil && !change.Clear)
	c := &call{ctx: ctx, now: s.clock, account: s.account, region: r, engine: engine, sandbox: s}
	switch {
	case change.Clear:
		return s.clearFaults(ctx, change.Target), nil
	case change.Rule != nil:
		s.account.Faults = append(s.account.Faults, *change.Rule)
	case change.Resource != nil:
		r.Stacks.Faults = append(r.Stacks.Faults, *change.Resource)
	case change.Saw != nil:
		return s.struck(change.Saw), nil
	case change.Agent != nil:
		return nil, c.setAgent(*change.Agent)
	case change.TaskEnd != nil:
		r.TaskEnds = append(r.TaskEnds, *change.TaskEnd)
	case change.Quota != nil:
		makeMap(&r.Quotas)
		r.Quotas[change.Quota.Service+"/"+change.Quota.Code] = change.Quota.Value
	case change.Mutation != nil:
		return c.mutate(*change.Mutation)
	case change.Advance != 0:
		return nil, s.skip(ctx, change.Advance)
	case change.Pace != "":
		return nil, s.setPace(change.Pace, change.Wall)
	}
	return nil, nil
}

var errClosed = errors.New("the sandbox is closed")
