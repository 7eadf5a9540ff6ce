package sandbox

import (
	"fmt"
	"strings"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// ListedFault is a fault as people read it.
type ListedFault struct {
	Target string // as ClearFaultsOf takes it
	Effect string
	Count  string // how often it struck and will strike
}

// ListFaults lists all faults.
func (s *Sandbox) ListFaults() []ListedFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.listFaults()
}

func (a *account) listFaults() []ListedFault {
	var out []ListedFault
	for i := range a.Faults {
		f := &a.Faults[i]
		out = append(out, ListedFault{f.target(), f.effect(), struckTimes(f.Struck, f.Times)})
	}
	for _, name := range sortedKeys(a.Regions) {
		r := a.Regions[name]
		if r.Stacks == nil {
			continue
		}
		for _, f := range r.Stacks.Faults {
			out = append(out, ListedFault{resourceTarget(f), resourceEffect(f), struckTimes(f.Used, f.Times)})
		}
	}
	return out
}

// ClearFaultsOf removes the faults of a target as ListFaults writes it, or all
// when it is empty, and tells how many there were.
func (s *Sandbox) ClearFaultsOf(target string) (int, error) {
	if target != "" {
		var names []string
		for _, f := range s.ListFaults() {
			names = append(names, f.Target)
		}
		if !anyIn(names, []string{target}) {
			return 0, fmt.Errorf("no fault of %q%s", target, meant(target, names))
		}
	}
	out, err := s.admin("", adminChange{Clear: true, Target: target})
	n, _ := out.(int)
	return n, err
}

func struckTimes(n, of int) string {
	switch {
	case of == 0:
		return fmt.Sprintf("struck %d, until cleared", n)
	case n >= of:
		return fmt.Sprintf("struck %d of %d, over", n, of)
	}
	return fmt.Sprintf("struck %d of %d", n, of)
}

func (f *FaultRule) effect() string {
	var parts []string
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Fault.Throttle, "throttled")
	add(f.Fault.Code != "", "%s", f.Fault.Code)
	add(f.Fault.Lost == LostBefore, "answer lost before it took effect")
	add(f.Fault.Lost == LostAfter, "answer lost after it took effect")
	add(f.Fault.Delay > 0, "later by %s", f.Fault.Delay)
	add(f.Fault.Stale > 0, "%d reads after a write are stale", f.Fault.Stale)
	add(f.Stack != "", "of stack %s", f.Stack)
	add(f.After > 0, "after %d calls", f.After)
	add(f.Chance > 0, "chance %g", f.Chance)
	return strings.Join(parts, ", ")
}

func resourceEffect(f stackengine.Fault) string {
	var parts []string
	if f.Message != "" {
		parts = append(parts, "fails: "+f.Message)
	}
	if f.Delay > 0 {
		parts = append(parts, "slower by "+(time.Duration(f.Delay*float64(time.Second))).String())
	}
	if f.Phase != "" {
		parts = append(parts, "in "+string(f.Phase))
	}
	if f.Type != "" && f.Stack != "" {
		parts = append(parts, "of stack "+f.Stack)
	}
	if f.After > 0 {
		parts = append(parts, fmt.Sprintf("after %d operations", f.After))
	}
	if f.Chance > 0 {
		parts = append(parts, fmt.Sprintf("chance %g", f.Chance))
	}
	return strings.Join(parts, ", ")
}
