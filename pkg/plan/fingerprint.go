package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// afterPrefix starts the Base of a step whose target is first changed by
// another step of the same plan.
const afterPrefix = "after:"

// BaseAfter is the Base of a step that starts from what another step of the
// same plan leaves behind on the same target, so that no fingerprint can be
// known: the update of a stack after its recovery, its protection after its
// creation, the value of a secret that the plan creates.
func BaseAfter(id StepID) string { return afterPrefix + string(id) }

// Follows names the step whose result this step starts from, if Base is one
// of BaseAfter. Such a step has no fingerprint to compare; ownership still counts.
func (s Step) Follows() (StepID, bool) {
	id, ok := strings.CutPrefix(s.Base, afterPrefix)
	return StepID(id), ok
}

// Moved tells whether the live state differs from the one that the step was
// computed from; now is one of the fingerprints below, of what was read again.
func (s Step) Moved(now string) bool {
	if _, ok := s.Follows(); ok {
		return false
	}
	return s.Base != now
}

// FingerprintStack identifies the state of a stack: its id, status, last
// update and digest; nil is absent. A stack that is gone, or that has only a
// change set under review, is the same as absent. Protection, and all that
// the autoscaler owns, are left out.
func FingerprintStack(s *LiveStack) string {
	if s == nil || s.Status == "DELETE_COMPLETE" || s.Status == "REVIEW_IN_PROGRESS" {
		return fingerprint("stack", "absent")
	}
	m := markerOf(*s)
	return fingerprint("stack", s.ID, s.Status, s.Updated.UTC().Format(time.RFC3339Nano), m.Owner, string(m.Digest))
}

// FingerprintParameter identifies a parameter by type and version, never by value.
func FingerprintParameter(p *LiveParameter) string {
	if p == nil {
		return fingerprint("parameter", "absent")
	}
	return fingerprint("parameter", p.Type, p.DataType, strconv.FormatInt(p.Version, 10))
}

// FingerprintSecret identifies whether a secret has a value, never which.
func FingerprintSecret(s *LiveSecret) string {
	if s == nil {
		return fingerprint("secret", "absent")
	}
	return fingerprint("secret", s.ARN, strconv.FormatBool(s.HasCurrent), strconv.FormatBool(s.Deleting))
}

// FingerprintLogGroup identifies a log group by its retention.
func FingerprintLogGroup(g *LiveLogGroup) string {
	if g == nil {
		return fingerprint("log-group", "absent")
	}
	return fingerprint("log-group", strconv.Itoa(g.RetentionDays))
}

// FingerprintBundle identifies whether a manifest is there.
func FingerprintBundle(b *LiveBundle) string {
	if b == nil || !b.Exists {
		return fingerprint("bundle", "absent")
	}
	return fingerprint("bundle", "stored")
}

// fingerprint hashes length-prefixed parts, so that no two lists collide.
func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
