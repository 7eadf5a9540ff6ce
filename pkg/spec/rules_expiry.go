package spec

import (
	"fmt"
	"path"
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

// ruleIgnore refuses globs that are none, and the same entry twice.
func (l *loader) ruleIgnore(_ *Set, p *Platform) {
	first := map[string]int{}
	for i, g := range p.Ignore {
		at := fmt.Sprintf("spec.ignore[%d]", i)
		for _, f := range []struct{ name, pattern string }{{"stack", g.Stack}, {"resource", g.Resource}} {
			if _, err := path.Match(f.pattern, ""); err != nil {
				l.issues.add(p.At(at+"."+f.name), at+"."+f.name, "ignore-glob", fmt.Sprintf("%s is no glob: a bracket is not closed", quote(f.pattern)))
			}
		}
		if j, again := first[g.String()]; again {
			l.issues.add(p.At(at), at, "ignore-twice", fmt.Sprintf("%s is ignored already, at ignore[%d]", quote(g.String()), j))
		} else {
			first[g.String()] = i
		}
		l.checkDate(p, at+".expires", g.Expires, time.DateOnly)
	}
}

// checkDate refuses dates that have the form and do not exist. Whether a date
// is past is not a matter of the specs alone, so it is judged where they are used.
func (l *loader) checkDate(p *Platform, field, text, layout string) {
	if _, err := time.Parse(layout, text); err != nil {
		l.issues.add(p.At(field), field, "expiry-date", fmt.Sprintf("%s does not exist in any calendar", quote(text)))
	}
}
