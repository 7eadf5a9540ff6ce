package stackengine

import (
	"context"
	"time"
)

// Operation is what runs on a stack.
type Operation struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"` // when the next thing happens
	Token string    `json:"token,omitempty"`
}

// step lets happen on s what is due at the given time.
func (e *Engine) step(_ context.Context, s *Stack, _ time.Time) {
	s.Op = nil
}
