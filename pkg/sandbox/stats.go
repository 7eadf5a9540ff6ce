package sandbox

import (
	"sort"
	"strings"
)

// Stats tells how often each operation was called since Open, sorted by
// service and operation. Calls that a fault refused or lost count, too.
func (s *Sandbox) Stats() []Count {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	out := make([]Count, 0, len(s.traffic.calls))
	for key, n := range s.traffic.calls {
		name, op, _ := strings.Cut(key, ".")
		out = append(out, Count{Service: name, Operation: op, Calls: n})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Service != out[j].Service {
			return out[i].Service < out[j].Service
		}
		return out[i].Operation < out[j].Operation
	})
	return out
}
