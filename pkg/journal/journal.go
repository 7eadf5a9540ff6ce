// Package journal is the record of what applies did: one object of JSON lines
// per run, written while it runs. It is a hint for people and for approvals
// that were used up; AWS is the truth, and losing it loses nothing else. It
// holds names, outcomes and messages, never a value.
//
// It knows no AWS: lines go in and out. Start with Line and Parse.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// FormatVersion of the lines. It moves when a reader of the old one would
// misread the new one.
const FormatVersion = 1

// Prefix of the keys of all runs.
const Prefix = "journal/"

// Line is one line; exactly one of its fields is set.
type Line struct {
	Begin *Begin `json:"begin,omitempty"`
	Step  *Step  `json:"step,omitempty"`
	End   *End   `json:"end,omitempty"`
}

// Begin is the first line.
type Begin struct {
	FormatVersion int       `json:"formatVersion"`
	Run           string    `json:"run"`
	At            time.Time `json:"at"`
	Who           string    `json:"who"`
	URL           string    `json:"url,omitempty"` // of the CI run
	Command       string    `json:"command"`
	Tool          string    `json:"tool"`
	Platform      string    `json:"platform"`
	Account       string    `json:"account"`
	Region        string    `json:"region"`
	Revision      string    `json:"revision,omitempty"`
	Plan          string    `json:"plan"` // digest
	Steps         int       `json:"steps"`
}

// Step is how one step ended.
type Step struct {
	At         time.Time     `json:"at"`
	Step       plan.StepID   `json:"step"`
	Target     string        `json:"target"`
	Action     plan.Action   `json:"action,omitempty"`
	Outcome    apply.Outcome `json:"outcome"`
	Message    string        `json:"message,omitempty"`
	RolledBack bool          `json:"rolledBack,omitempty"`
	// Consumed are approvals of the specs that this step needed and used up.
	Consumed []Consumed `json:"consumed,omitempty"`
}

// Consumed identifies an approval of the specs.
type Consumed struct {
	Kind    string `json:"kind"`
	Target  string `json:"target"`
	Expires string `json:"expires"`
	Reason  string `json:"reason"`
}

// End is the last line of a run that ended by itself.
type End struct {
	At       time.Time `json:"at"`
	Outcome  string    `json:"outcome"` // done, failed, refused, interrupted, lock lost, fault
	ExitCode int       `json:"exitCode"`
}

// Run is one run as it can be read.
type Run struct {
	Begin Begin  `json:"begin"`
	Steps []Step `json:"steps"`
	End   *End   `json:"end,omitempty"`  // nil: it runs, or it was killed
	Torn  bool   `json:"torn,omitempty"` // the last line was cut off
}

// Duration of a run that ended; 0 otherwise.
func (r Run) Duration() time.Duration {
	if r.End == nil {
		return 0
	}
	return max(0, r.End.At.Sub(r.Begin.At))
}

// Key is the object of a run. Keys sort by their beginning.
func Key(at time.Time, run string) string {
	return Prefix + at.UTC().Format("2006-01-02T15:04:05.000Z") + "-" + run + ".jsonl"
}

// Append adds a line to the text of a run.
func Append(text []byte, l Line) ([]byte, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return text, fmt.Errorf("journal: %w", err)
	}
	return append(append(text, b...), '\n'), nil
}

// NewerError says that a later version of this program wrote the run.
type NewerError struct{ FormatVersion int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("written in format %d, and this version of reconcile reads up to %d: use the newer one", e.FormatVersion, FormatVersion)
}

// maxLine bounds one line; longer ones count as torn.
const maxLine = 1 << 20

// Parse reads the text of a run. A last line without its end is left out and
// told by Torn; lines after one that cannot be read are not believed. A text
// without a beginning is an error.
func Parse(text []byte) (Run, error) {
	var r Run
	begun := false
	whole := bytes.HasSuffix(text, []byte("\n"))
	in := bufio.NewScanner(bytes.NewReader(text))
	in.Buffer(nil, maxLine)
	for in.Scan() {
		var l Line
		if json.Unmarshal(in.Bytes(), &l) != nil {
			r.Torn = true
			break
		}
		switch {
		case l.Begin != nil && !begun:
			if l.Begin.FormatVersion > FormatVersion {
				return r, &NewerError{FormatVersion: l.Begin.FormatVersion}
			}
			r.Begin, begun = *l.Begin, true
		case !begun:
			return r, fmt.Errorf("journal: it does not begin with a beginning")
		case l.Step != nil:
			r.Steps = append(r.Steps, *l.Step)
		case l.End != nil:
			r.End = l.End
		}
	}
	if !begun {
		return r, fmt.Errorf("journal: nothing of it can be read")
	}
	r.Torn = r.Torn || in.Err() != nil || !whole && r.End == nil
	return r, nil
}

// StepOf is the line of a step that ended. Its message is the one that
// people were shown, in which secrets are masked.
func StepOf(s plan.Step, r apply.StepResult, at time.Time, carried []Consumed) Step {
	out := Step{At: at.UTC(), Step: r.Step, Target: r.Target, Action: s.Action, Outcome: r.Outcome, Message: r.Message, RolledBack: r.RolledBack}
	if r.Outcome != apply.OutcomeDone {
		return out
	}
	for _, c := range carried {
		for _, need := range s.Approvals {
			if string(need.Kind) == c.Kind && need.Target == c.Target {
				out.Consumed = append(out.Consumed, c)
			}
		}
	}
	return out
}

// OutcomeFault is how a run ended that had a fault of the program in it.
const OutcomeFault = "fault"

// OutcomeOf names how a run ended.
func OutcomeOf(r apply.Result) string {
	switch {
	case r.Locked != "":
		return "lock lost"
	case r.Interrupted:
		return "interrupted"
	case r.Failed():
		return "failed"
	case r.Refused():
		return "refused"
	case r.Blocked():
		return "blocked"
	}
	return "done"
}

// Used collects what runs consumed, each once.
func Used(runs []Run) map[Consumed]string {
	used := map[Consumed]string{}
	for _, r := range runs {
		for _, s := range r.Steps {
			for _, c := range s.Consumed {
				if _, twice := used[c]; !twice {
					used[c] = r.Begin.Run
				}
			}
		}
	}
	return used
}

// State is one word for how a run stands.
func (r Run) State() string {
	if r.End != nil {
		return r.End.Outcome
	}
	return "no end recorded"
}

// Counts of the steps by outcome, as "12 done, 1 failed".
func (r Run) Counts() string {
	n := map[apply.Outcome]int{}
	for _, s := range r.Steps {
		n[s.Outcome]++
	}
	var parts []string
	for _, o := range []apply.Outcome{apply.OutcomeDone, apply.OutcomeFailed, apply.OutcomeRefused, apply.OutcomeBlocked, apply.OutcomeSkipped, apply.OutcomeInterrupted} {
		if n[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[o], o))
		}
	}
	return strings.Join(parts, ", ")
}
