package sandbox

import (
	"context"
	"encoding/json"
)

// StateJSON is everything that s remembers at its clock's now, for tests.
func StateJSON(s *Sandbox) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return "", err
	}
	if s.store != nil {
		defer func() { _ = s.store.unlock() }()
	}
	if err := s.advance(context.Background(), s.options.Now().UTC()); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(s.account, "", " ")
	return string(b), err
}
