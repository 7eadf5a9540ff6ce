package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// manyAlikeNames is from how many on names are told by what they share.
const manyAlikeNames = 4

// compact tells all of many names in little room: what they begin and end with
// once, runs of numbers by their ends. Three names stay as they are.
// "bp-gpu-fleet-staging-{gpu-001…gpu-200, sdxl}".
func compact(names []string) string {
	names = slices.Clone(names)
	for i := range names {
		names[i] = clean(names[i])
	}
	if len(names) < manyAlikeNames {
		return strings.Join(names, ", ")
	}
	slices.SortFunc(names, counting)
	names = slices.Compact(names)
	head, tail := shared(names)
	if len(head)+len(tail) < 8 {
		return strings.Join(ranges(names), ", ")
	}
	middles := make([]string, len(names))
	for i, n := range names {
		middles[i] = n[len(head) : len(n)-len(tail)]
	}
	slices.SortFunc(middles, counting)
	return head + "{" + strings.Join(ranges(middles), ", ") + "}" + tail
}

// shared is what all names begin and end with, in whole words.
func shared(names []string) (head, tail string) {
	first := names[0]
	head, tail = first, first
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, head) {
			head = head[:len(head)-1]
		}
		for !strings.HasSuffix(n, tail) {
			tail = tail[1:]
		}
	}
	head = head[:strings.LastIndexAny(head, "-/")+1]
	if i := strings.IndexAny(tail, "-/"); i >= 0 {
		tail = tail[i:]
	} else {
		tail = ""
	}
	for _, n := range names {
		if len(head)+len(tail) > len(n) {
			return head, ""
		}
	}
	return head, tail
}

// ranges joins names that count up: gpu-001, gpu-002, gpu-003.
func ranges(names []string) []string {
	var out []string
	for i := 0; i < len(names); {
		n := 1
		for i+n < len(names) && follow(names[i+n-1], names[i+n]) {
			n++
		}
		if n >= 3 {
			out = append(out, names[i]+"…"+names[i+n-1])
		} else {
			out = append(out, names[i:i+n]...)
		}
		i += n
	}
	return out
}

// counting orders names as people count: gpu-2 before gpu-10.
func counting(a, b string) int {
	headA, x := number(a)
	headB, y := number(b)
	return cmp.Or(strings.Compare(headA, headB), cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

// follow tells whether b is a with the next number.
func follow(a, b string) bool {
	headA, x := number(a)
	headB, y := number(b)
	if x == "" || headA != headB || len(x) != len(y) && (x[0] == '0' || y[0] == '0') {
		return false
	}
	m, errM := strconv.Atoi(x)
	n, errN := strconv.Atoi(y)
	return errM == nil && errN == nil && n == m+1
}

// number cuts the digits off the end of a name.
func number(s string) (head, digits string) {
	i := len(s)
	for i > 0 && s[i-1] >= '0' && s[i-1] <= '9' {
		i--
	}
	return s[:i], s[i:]
}
