package report

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// Snapshot is what a page said, in short, so that the next one can say what is
// different.
type Snapshot struct {
	Head    string            `json:"h,omitempty"` // commit
	Effects string            `json:"e"`           // plan.Effects
	Steps   map[string]string `json:"s,omitempty"` // step id → the beginning of its effects; nil where there were too many
}

// NewSnapshot is that of a plan at a commit.
func NewSnapshot(p plan.Plan, head string) Snapshot {
	s := Snapshot{Head: head, Effects: plan.Effects(p), Steps: map[string]string{}}
	for _, step := range p.Steps {
		s.Steps[string(step.ID)] = plan.StepEffects(step)[:8]
	}
	return s
}

const (
	snapshotOpen  = "<!-- reconcile:state:"
	snapshotClose = " -->"
	// maxSnapshot is how much of a comment a snapshot may take; a larger one
	// has no steps.
	maxSnapshot = 9_000
	// maxInflated bounds what a snapshot may become when it is read.
	maxInflated = 4 << 20
)

// Hidden is the snapshot as a line of Markdown that nobody sees.
func (s Snapshot) Hidden() string {
	line := s.encode()
	if len(line) > maxSnapshot {
		s.Steps = nil
		line = s.encode()
	}
	return snapshotOpen + line + snapshotClose
}

func (s Snapshot) encode() string {
	body, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return ""
	}
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		return ""
	}
	// Its alphabet has nothing that ends a comment in HTML.
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// ReadSnapshot finds the snapshot in a text of ours; nil when there is none
// that can be read.
func ReadSnapshot(markdown string) *Snapshot {
	_, rest, ok := strings.Cut(markdown, snapshotOpen)
	line, _, end := strings.Cut(rest, snapshotClose)
	if !ok || !end {
		return nil
	}
	packed, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxInflated))
	if err != nil {
		return nil
	}
	var s Snapshot
	if json.Unmarshal(body, &s) != nil {
		return nil
	}
	return &s
}

// since is what is different from an earlier snapshot: step ids in the plan's
// order, those that are gone last.
type since struct {
	head                 string
	same                 int
	arranged             bool // the steps do the same, in another order or with another role
	added, changed, gone []string
	unknown              bool // the earlier one had no steps, and its effects were others
}

func sinceThen(before Snapshot, p plan.Plan) since {
	now := NewSnapshot(p, "")
	out := since{head: before.Head}
	if before.Effects == now.Effects {
		out.same = len(p.Steps)
		return out
	}
	if before.Steps == nil {
		out.unknown = true
		return out
	}
	for _, s := range p.Steps {
		switch then, ok := before.Steps[string(s.ID)]; {
		case !ok:
			out.added = append(out.added, s.Target)
		case then != now.Steps[string(s.ID)]:
			out.changed = append(out.changed, s.Target)
		default:
			out.same++
		}
	}
	for id := range before.Steps {
		if _, ok := now.Steps[id]; !ok {
			// "stack/bp-network" → "bp-network"
			_, target, _ := strings.Cut(id, "/")
			out.gone = append(out.gone, target)
		}
	}
	slices.Sort(out.gone)
	out.arranged = out.same == len(p.Steps) && out.gone == nil
	return out
}
