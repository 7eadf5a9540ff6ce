package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// comparison is one part of a version constraint.
type comparison struct {
	operator string
	version  [3]int
	parts    int // how many numbers were written
}

var comparisonForm = regexp.MustCompile(`^(>=|<=|!=|>|<|=|==) ?([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?$`)

func parseConstraint(constraint string) ([]comparison, error) {
	var all []comparison
	for _, part := range strings.Split(constraint, ",") {
		m := comparisonForm.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, fmt.Errorf("%s is no comparison such as >=1.4", quote(strings.TrimSpace(part)))
		}
		c := comparison{operator: m[1]}
		for i, digits := range m[2:] {
			if digits != "" {
				c.version[i], _ = strconv.Atoi(digits) // six digits at most
				c.parts = i + 1
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// Satisfies tells whether a version, "1.4.2" or "v1.4.2", meets a constraint of
// comparisons joined by commas, ">=1.4, <2". A version with a suffix counts as
// the version before the suffix.
func Satisfies(version, constraint string) (bool, error) {
	comparisons, err := parseConstraint(constraint)
	if err != nil {
		return false, err
	}
	v, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	v, _, _ = strings.Cut(v, "+")
	m := comparisonForm.FindStringSubmatch("=" + v)
	if m == nil {
		return false, fmt.Errorf("%q is no version", version)
	}
	var have [3]int
	for i, digits := range m[2:] {
		have[i], _ = strconv.Atoi(digits)
	}
	for _, c := range comparisons {
		if !c.holds(have) {
			return false, nil
		}
	}
	return true, nil
}

// holds compares as many numbers as were written for equality (=1.4 holds for
// 1.4.7), and all three for order.
func (c comparison) holds(have [3]int) bool {
	order, equal := 0, true
	for i := range have {
		if order == 0 && have[i] != c.version[i] {
			order = 1
			if have[i] < c.version[i] {
				order = -1
			}
		}
		if i < c.parts && have[i] != c.version[i] {
			equal = false
		}
	}
	switch c.operator {
	case ">=":
		return order >= 0
	case ">":
		return order > 0 && !equal
	case "<=":
		return order <= 0 || equal
	case "<":
		return order < 0
	case "!=":
		return !equal
	}
	return equal
}

// requiresNewer finds a Platform that asks for another version of this
// program. It comes before the shape: a newer document may have fields that
// this program does not know, and then this is the reason.
func requiresNewer(docs []*document, version string) (Issue, bool) {
	if version == "" {
		return Issue{}, false
	}
	for _, d := range docs {
		constraint := d.root.scalar("spec", "requires")
		if d.kind != KindPlatform || constraint == "" {
			continue
		}
		if ok, err := Satisfies(version, constraint); err == nil && !ok {
			var issues Issues
			issues.suggest(d.at("spec.requires"), "spec.requires", "requires",
				fmt.Sprintf("asks for reconcile %s; this is %s", constraint, version), "install a version that fits")
			return issues[0], true
		}
	}
	return Issue{}, false
}
