package plan

import (
	"fmt"
	"slices"
	"time"

	"reconcile/pkg/spec"
)

// Consents returns what the specs' own approvals consent to at a moment, and d
// without those that expired, each with a note in its place. An expiry without
// a time lasts until the end of its day in UTC.
func Consents(d Desired, now time.Time) (Desired, []Approval) {
	var consents []Approval
	live := []spec.Approval{}
	d.Notes = slices.Clone(d.Notes)
	for _, a := range d.Approvals {
		consent := ConsentOf(a)
		if expired(a, now) {
			d.Notes = append(d.Notes, Finding{Severity: SeverityNote, Code: "approval-expired", Target: a.Target, Source: a.Source,
				Message: fmt.Sprintf("the approval %s expired on %s: remove it", consent, a.Expires)})
			continue
		}
		consents, live = append(consents, consent), append(live, a)
	}
	d.Approvals = live
	return d, consents
}

func expired(a spec.Approval, now time.Time) bool { return past(a.Expires, now) }

func past(expires string, now time.Time) bool {
	if day, err := time.Parse(time.DateOnly, expires); err == nil {
		return !now.Before(day.AddDate(0, 0, 1))
	}
	moment, err := time.Parse(time.RFC3339, expires)
	return err != nil || !now.Before(moment)
}

// ExpiredExceptions warns of security exceptions whose day has passed. They
// still hold: what is deployed must not change because a day passes.
func ExpiredExceptions(p spec.Platform, now time.Time) []Finding {
	var out []Finding
	for i, e := range p.Exceptions {
		if e.Expires == "" || !past(e.Expires, now) {
			continue
		}
		out = append(out, Finding{Severity: SeverityWarning, Code: "exception-expired", Target: e.Rule,
			Source:  p.At(fmt.Sprintf("spec.exceptions[%d]", i)),
			Message: fmt.Sprintf("the exception %s expired on %s and still turns a security default off: remove it, or give it a new reason and day", e.Rule, e.Expires)})
	}
	return out
}

// idleApprovals tells of approvals in the specs that nothing needs, or needs
// any more: each is meant for one plan.
func (c *computation) idleApprovals() {
	for _, a := range c.d.Approvals {
		consent := Approval{Kind: ApprovalKind(a.Kind), Target: a.Target}
		used := false
		for _, s := range c.steps {
			used = used || slices.ContainsFunc(s.Approvals, func(n Approval) bool { return n.Kind == consent.Kind && n.Target == consent.Target })
		}
		if !used {
			c.find(Finding{Severity: SeverityNote, Code: "approval-idle", Target: a.Target, Source: a.Source,
				Message: fmt.Sprintf("the approval %s allows nothing in this plan: remove it, or it allows it another time until %s", consent, a.Expires)})
		}
	}
}

// Spent takes away the approvals of the specs that were used already, each
// with a note in its place: an approval is for one time. by says by what one
// was used, or "".
func Spent(d Desired, consents []Approval, by func(spec.Approval) string) (Desired, []Approval) {
	var kept []Approval
	live := []spec.Approval{}
	d.Notes = slices.Clone(d.Notes)
	for i, a := range d.Approvals {
		used := by(a)
		if used == "" {
			kept, live = append(kept, consents[i]), append(live, a)
			continue
		}
		d.Notes = append(d.Notes, Finding{Severity: SeverityNote, Code: "approval-used", Target: a.Target, Source: a.Source,
			Message: fmt.Sprintf("the approval %s was used by %s and does not count again: remove it", consents[i], used)})
	}
	d.Approvals = live
	return d, kept
}
