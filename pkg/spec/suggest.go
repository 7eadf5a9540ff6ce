package spec

import (
	"fmt"
	"strings"
)

// didYouMean suggests the candidate nearest to what was written, or nothing
// if none is near.
func didYouMean(written string, candidates []string) string {
	if c := nearest(written, candidates); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	return ""
}

// nearest is the candidate with the smallest edit distance, ignoring case; of
// equals the first. A candidate is near if a quarter of the longer name is
// enough to change, or if one begins with the other ("prod", "production").
func nearest(written string, candidates []string) string {
	best, bestDistance := "", -1
	w := strings.ToLower(written)
	if len(w) > 128 {
		return ""
	}
	for _, c := range candidates {
		l := strings.ToLower(c)
		if len(l) > 128 {
			continue
		}
		d := distance(w, l)
		near := d <= max(len(w), len(l))/4
		if len(w) >= 3 && len(l) >= 3 && (strings.HasPrefix(l, w) || strings.HasPrefix(w, l)) {
			near, d = true, min(d, 1)
		}
		if near && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of single-byte insertions, deletions, replacements
// and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	var beforeThat []int
	for i := 1; i <= len(a); i++ {
		beforeThat, before, row = before, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], beforeThat[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// list joins names for a sentence, at most ten of them.
func list(names []string) string {
	const limit = 10
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	return strings.Join(names, ", ")
}
