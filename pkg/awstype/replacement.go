package awstype

import "strings"

// Replace says whether a change of a property replaces its resource.
type Replace string

// The three answers.
const (
	No    Replace = "no"
	Maybe Replace = "maybe"
	Yes   Replace = "yes"
)

// Replacement tells what a change at path does. The path may start with
// "Properties." and may hold list elements in brackets: "Overrides[1].Type".
// A change within a create-only property answers Yes, one within a
// conditionally create-only property Maybe. A path that encloses such a
// property answers Maybe, because it is not known what changed below it.
func (t Type) Replacement(path string) Replace {
	at := Split(path)
	answer := No
	for _, p := range t.CreateOnly {
		switch within(at, strings.Split(p, ".")) {
		case inside:
			return Yes
		case encloses:
			answer = Maybe
		}
	}
	for _, p := range t.ConditionalCreateOnly {
		if within(at, strings.Split(p, ".")) != apart {
			answer = Maybe
		}
	}
	return answer
}

// Computed tells whether AWS alone sets the value at path, or the property
// that encloses it.
func (t Type) Computed(path string) bool { return covers(t.ReadOnly, path) }

// Hidden tells whether AWS never returns the value at path.
func (t Type) Hidden(path string) bool { return covers(t.WriteOnly, path) }

func covers(patterns []string, path string) bool {
	at := Split(path)
	for _, p := range patterns {
		if within(at, strings.Split(p, ".")) == inside {
			return true
		}
	}
	return false
}

type relation int

const (
	apart    relation = iota
	inside            // the path is the pattern's property or below it
	encloses          // the pattern's property is below the path
)

func within(path, pattern []string) relation {
	for i, p := range pattern {
		if i == len(path) {
			return encloses
		}
		if p != path[i] && p != "*" && path[i] != "*" {
			return apart
		}
	}
	return inside
}

// Split cuts a property path into its segments, without a leading
// "Properties". Everything in brackets, a list index or the name of an
// element, becomes "*".
func Split(path string) []string {
	var out []string
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			end := strings.IndexByte(path, ']')
			if strings.HasPrefix(path, `["`) {
				if e := strings.Index(path, `"]`); e > 0 {
					end = e + 1
				}
			}
			if end < 0 {
				return append(out, "*")
			}
			out = append(out, "*")
			path = path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out = append(out, path[:end])
			path = path[end:]
		}
	}
	if len(out) > 1 && out[0] == "Properties" {
		out = out[1:]
	}
	return out
}
