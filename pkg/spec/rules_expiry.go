package spec

import (
	"fmt"
	"time"
)

func (l *loader) ruleExceptions(_ *Set, p *Platform) {
	first := map[string]int{}
	for i, e := range p.Exceptions {
		path := fmt.Sprintf("spec.exceptions[%d]", i)
		if j, again := first[e.Rule]; again {
			l.issues.add(p.At(path+".rule"), path+".rule", "exception-twice", fmt.Sprintf("%s is excepted already, at exceptions[%d]", quote(e.Rule), j))
		} else {
			first[e.Rule] = i
		}
		if e.Expires != "" {
			l.checkDate(p, path+".expires", e.Expires, time.DateOnly)
		}
	}
}

func (l *loader) ruleApprovals(_ *Set, p *Platform) {
	first := map[string]int{}
	for i, a := range p.Approvals {
		path := fmt.Sprintf("spec.approvals[%d]", i)
		key := a.Kind + ":" + a.Target
		if j, again := first[key]; again {
			l.issues.add(p.At(path+".target"), path, "approval-twice", fmt.Sprintf("%s is approved already, at approvals[%d]", key, j))
		} else {
			first[key] = i
		}
		layout := time.DateOnly
		if len(a.Expires) > len(time.DateOnly) {
			layout = time.RFC3339
		}
		l.checkDate(p, path+".expires", a.Expires, layout)
	}
}

// checkDate refuses dates that have the form and do not exist. Whether a date
// is past is not a matter of the specs alone, so it is judged where they are used.
func (l *loader) checkDate(p *Platform, path, text, layout string) {
	if _, err := time.Parse(layout, text); err != nil {
		l.issues.add(p.At(path), path, "expiry-date", fmt.Sprintf("%s does not exist in any calendar", quote(text)))
	}
}
