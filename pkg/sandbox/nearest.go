package sandbox

import "strings"

// meant is ", did you mean …?" with the candidate that is a typing error away,
// or "".
func meant(written string, candidates []string) string {
	best, limit := "", 1+max(len(written), 3)/3
	w := strings.ToLower(written)
	for _, c := range candidates {
		l := strings.ToLower(c)
		d := edits(w, l)
		if len(w) > 2 && (strings.Contains(l, w) || strings.Contains(w, l) && len(l) > 2) {
			d = min(d, limit)
		}
		if d < limit || d == limit && best == "" {
			best, limit = c, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + best + "?"
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
