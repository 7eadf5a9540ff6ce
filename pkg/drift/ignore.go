package drift

import (
	"fmt"
	"path"
	"strings"
	"time"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// ignored takes out what the specs say to ignore. An entry whose day has
// passed hides nothing and is warned of; so is one that hides nothing.
func ignored(hand []Finding, rules []spec.Ignore, now time.Time) (left, hidden []Finding, notes []plan.Finding) {
	used := make([]bool, len(rules))
	for _, f := range hand {
		match := -1
		for i, r := range rules {
			if hides(r, f) {
				used[i] = true
				if !past(r.Expires, now) {
					match = i
					break
				}
			}
		}
		if match < 0 {
			left = append(left, f)
			continue
		}
		f.Rule, f.Reason, f.Expires = "ignore", rules[match].Reason, rules[match].Expires
		hidden = append(hidden, f)
	}
	for i, r := range rules {
		note := plan.Finding{Severity: plan.SeverityWarning, Target: r.String(), Source: r.Source}
		switch {
		case past(r.Expires, now):
			note.Code, note.Message = "ignore-expired", fmt.Sprintf("ignoring %s expired on %s and hides nothing any more: remove it, or give it a new reason and day", r, r.Expires)
		case !used[i]:
			note.Severity, note.Code = plan.SeverityNote, "ignore-idle"
			note.Message = fmt.Sprintf("ignoring %s hides nothing: remove it, or it hides what comes", r)
		default:
			continue
		}
		notes = append(notes, note)
	}
	return left, hidden, notes
}

func hides(r spec.Ignore, f Finding) bool {
	return glob(r.Stack, f.Stack) && glob(r.Resource, f.Resource) && below(r.Path, f.Path)
}

// glob matches whole names; what is in no stack has the empty stack name, which only "*" matches.
func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok || pattern == "*"
}

// below tells whether a path is the given one or lies in it.
func below(prefix, full string) bool {
	prefix, full = strings.TrimPrefix(prefix, "Properties."), strings.TrimPrefix(full, "Properties.")
	rest, ok := strings.CutPrefix(full, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

func past(expires string, now time.Time) bool {
	day, err := time.Parse(time.DateOnly, expires)
	return err != nil || !now.Before(day.AddDate(0, 0, 1))
}
