package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// past is the account as it was before a write, for the reads after it that do
// not see the write yet.
type past struct {
	At      time.Time       `json:"at"`
	Account json.RawMessage `json:"account"`
}

// remember keeps the account as it is before a write, when a rule wants stale
// reads and those of an earlier write are used up: however many writes follow
// each other, reads lag behind by the rule's number and then catch up.
func (s *Sandbox) remember() error {
	a := s.account
	if !slices.ContainsFunc(a.Faults, func(f FaultRule) bool { return f.Fault.Stale > 0 }) {
		return nil
	}
	if slices.ContainsFunc(a.Faults, func(f FaultRule) bool { return f.Behind > 0 }) {
		return nil
	}
	a.Past = nil
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	a.Past = &past{At: s.clock, Account: b}
	for i := range a.Faults {
		a.Faults[i].Behind = a.Faults[i].Fault.Stale
	}
	return nil
}

// serveStale answers a read from before the last write.
func (s *Sandbox) serveStale(ctx context.Context, req request) (*result, error) {
	p := s.account.Past
	if p == nil {
		return s.serveNow(ctx, req)
	}
	old := &account{}
	if err := json.Unmarshal(p.Account, old); err != nil {
		return nil, fmt.Errorf("sandbox state: %w", err)
	}
	if err := old.init(); err != nil {
		return nil, err
	}
	then := &Sandbox{options: s.options, services: s.services, fields: s.fields, blobs: s.blobs, store: s.store, account: old}
	then.attach()
	then.clock = p.At
	out := then.serve(ctx, req)
	return out.res, out.err
}
