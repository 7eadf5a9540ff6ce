package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"reconcile/pkg/plan"
)

// tokenPrefix starts every token and change-set name of ours.
const tokenPrefix = "rc-"

// RevertToken starts the tokens of operations that put hand edits back. A
// stack's own events keep them, so that flapping can be counted there.
const RevertToken = tokenPrefix + "revert-"

// stepToken is the start of every token of this step in this plan: an
// operation that carries it was started by an earlier run of the same plan.
func (t *task) stepToken() string {
	prefix := tokenPrefix
	if s := t.step.Body.Stack; s != nil && s.Revert {
		prefix = RevertToken
	}
	return prefix + digest(t.e.opts.PlanDigest, string(t.step.ID))[:16] + "-"
}

// token derives an idempotency token. The same step of the same plan on the
// same state of the same stack has the same token for the same attempt, so a
// request whose answer was lost can be sent again; once the stack has been
// updated, it is a new operation.
func (t *task) token(attempt string, s *plan.LiveStack) string {
	id, updated := "", ""
	if s != nil {
		id, updated = s.ID, s.Updated.UTC().Format(time.RFC3339Nano)
	}
	return t.stepToken() + digest(t.e.opts.PlanDigest, string(t.step.ID), id, updated, attempt)[:32]
}

// oursByToken tells whether a run of this program started the operation.
func oursByToken(token string) bool { return strings.HasPrefix(token, tokenPrefix) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// isStepToken tells whether this step, in this or an earlier run of the plan,
// started the operation.
func (t *task) isStepToken(token string) bool { return strings.HasPrefix(token, t.stepToken()) }
