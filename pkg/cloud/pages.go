package cloud

import (
	"errors"
	"fmt"
)

// maxPages ends a listing that never ends. The largest honest one is 5,000
// fleets: parameters at 50 a page.
const maxPages = 1000

var (
	errPageRepeats = errors.New("AWS answered with a page token that it gave before")
	errPagesNoEnd  = fmt.Errorf("AWS answered with more than %d pages", maxPages)
)

// pages calls fetch for one page after another, from a nil token until there
// is none. A token that comes back, or pages without end, are an error
// (facts: failure-modes D20); an empty page with a token is not.
func pages(fetch func(token *string) (next *string, err error)) error {
	seen := map[string]bool{}
	var token *string
	for range maxPages {
		next, err := fetch(token)
		if err != nil {
			return err
		}
		if next == nil || *next == "" {
			return nil
		}
		if seen[*next] {
			return errPageRepeats
		}
		seen[*next] = true
		token = next
	}
	return errPagesNoEnd
}

// chunks cuts a list into parts of at most n.
func chunks(all []string, n int) [][]string {
	var out [][]string
	for len(all) > n {
		out = append(out, all[:n])
		all = all[n:]
	}
	if len(all) > 0 {
		out = append(out, all)
	}
	return out
}
