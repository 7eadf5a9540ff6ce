package plan

import (
	"path"
	"strings"
)

// Globs tells whether an approval may name several targets by a glob: a
// replacement, running capacity, a recovery. What deletes or lifts a
// protection is named in full, each by itself.
func (k ApprovalKind) Globs() bool {
	return k == ApproveReplace || k == ApproveCapacity || k == ApproveRecover || k == ApproveDowngrade
}

// Pattern tells whether the target is a glob.
func (a Approval) Pattern() bool { return strings.ContainsAny(a.Target, "*?[") }

// Expand puts what a plan asks for in the place of globs in given approvals;
// "*" matches a slash, too. One that matches nothing is left out.
func Expand(given []Approval, p Plan) []Approval {
	var out []Approval
	for _, g := range given {
		if !g.Pattern() || !g.Kind.Globs() {
			out = append(out, g)
			continue
		}
		for _, s := range p.Steps {
			for _, a := range s.Approvals {
				if hit, err := path.Match(flatten(g.Target), flatten(a.Target)); a.Kind == g.Kind && err == nil && hit {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// flatten lets a glob see a slash as any other character.
func flatten(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
