package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// SealedKind is the first thing in the file of a sealed plan.
const SealedKind = "reconcile/sealed-plan"

// SealedVersion of the file's format. A file of a newer one is refused.
const SealedVersion = 1

// Sealed is a plan in a file, to be applied exactly as it is. Tool, account,
// region, revision and digest of the specs are the plan's own.
//
// The seal tells a file that was damaged or edited from one that was not. It
// is no signature: whoever can write the file can seal another plan.
type Sealed struct {
	Kind     string    `json:"kind"`
	Version  int       `json:"formatVersion"`
	Consents []Consent `json:"approvals,omitempty"` // those of the specs, with their expiries
	Plan     Plan      `json:"plan"`
	Seal     string    `json:"seal"` // SHA-256, in hex, of the canonical JSON of everything above
}

// SealedError says that a file is no sealed plan that this program takes.
type SealedError struct {
	Reason string
	Next   string // the command to run, or ""
	// Foreign says that the file is something else altogether.
	Foreign bool
}

func (e *SealedError) Error() string { return e.Reason }

// Hint is the command to run next.
func (e *SealedError) Hint() string { return e.Next }

// Seal puts a plan and the approvals of its specs into the form of a file. It
// fails when the file would not be read as the same plan.
func Seal(p Plan, approvals []spec.Approval) ([]byte, error) {
	s := Sealed{Kind: SealedKind, Version: SealedVersion, Consents: consentsOf(approvals), Plan: p}
	seal, err := s.seal()
	if err != nil {
		return nil, err
	}
	s.Seal = seal
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	if _, err := OpenSealed(b.Bytes()); err != nil {
		return nil, fmt.Errorf("the plan does not read back as itself: %w", err)
	}
	return b.Bytes(), nil
}

func (s Sealed) seal() (string, error) {
	s.Seal = ""
	b, err := cfn.Canonical(s)
	if err != nil {
		return "", fmt.Errorf("seal the plan: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// OpenSealed reads a sealed plan. The error is a *SealedError.
func OpenSealed(data []byte) (Sealed, error) {
	var head struct {
		Kind    string          `json:"kind"`
		Version json.RawMessage `json:"formatVersion"`
		Steps   json.RawMessage `json:"steps"`
	}
	err := json.Unmarshal(data, &head)
	switch {
	case err == nil && head.Kind == "" && head.Steps != nil:
		return Sealed{}, &SealedError{Foreign: true, Reason: "this is what plan -o json prints, for programs to read; a plan to apply is written by --out", Next: "reconcile plan --out FILE"}
	case err != nil && !bytes.HasPrefix(bytes.TrimSpace(data), []byte(`{"kind":"`+SealedKind)), err == nil && head.Kind != SealedKind:
		return Sealed{}, &SealedError{Foreign: true, Reason: "this is no plan", Next: "reconcile plan --out FILE"}
	case err != nil:
		return Sealed{}, altered("it is no whole JSON: " + strings.ToValidUTF8(err.Error(), "?"))
	}
	if v, err := strconv.Atoi(string(head.Version)); err != nil || v != SealedVersion {
		why := fmt.Sprintf("the plan's file has format %.20q, and this program reads %d", head.Version, SealedVersion)
		if err == nil && v > SealedVersion {
			why += ": a newer program wrote it"
		}
		return Sealed{}, &SealedError{Reason: why, Next: "reconcile plan --out FILE"}
	}
	var s Sealed
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return Sealed{}, altered(err.Error())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Sealed{}, altered("something follows the plan")
	}
	if seal, err := s.seal(); err != nil || seal != s.Seal {
		return Sealed{}, altered("its content does not match its seal")
	}
	if s.Plan.FormatVersion != FormatVersion {
		return Sealed{}, &SealedError{Reason: fmt.Sprintf("the plan has format %.20q, and this program applies %s", s.Plan.FormatVersion, FormatVersion), Next: "reconcile plan --out FILE"}
	}
	if !s.Plan.DigestMatches() {
		return Sealed{}, altered("its content does not match its digest")
	}
	return s, nil
}

func altered(why string) *SealedError {
	return &SealedError{Reason: "the plan's file was altered since it was written: " + why, Next: "reconcile plan --out FILE"}
}

// Given are the approvals of the specs that have not expired at a moment.
func (s Sealed) Given(now time.Time) []spec.Approval {
	var out []spec.Approval
	for _, c := range s.Consents {
		if !past(c.Expires, now) {
			out = append(out, spec.Approval{Kind: c.Kind, Target: c.Target, Expires: c.Expires, Reason: c.Reason})
		}
	}
	return out
}

// ConsentOf is what an approval of the specs consents to.
func ConsentOf(a spec.Approval) Approval {
	return Approval{Kind: ApprovalKind(a.Kind), Target: a.Target, Why: a.Reason}
}
