package plan

import (
	"fmt"
	"maps"
	"path"
	"sort"
	"strings"
)

// SelectionError says that a pattern of a selection selects nothing.
type SelectionError struct {
	Flag    string // "fleet", "stack" or "bundle"
	Pattern string
	Nearest []string // names that look like it, best first; may be empty
	Err     error    // a pattern that is no glob
}

func (e *SelectionError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("--%s %s: %v", e.Flag, e.Pattern, e.Err)
	case len(e.Nearest) == 0:
		return fmt.Sprintf("--%s %s selects nothing: there is no %s like it; reconcile status lists them", e.Flag, e.Pattern, e.Flag)
	}
	return fmt.Sprintf("--%s %s selects nothing; near it: %s", e.Flag, e.Pattern, strings.Join(e.Nearest, ", "))
}

// Unwrap gives the reason why a pattern is no glob.
func (e *SelectionError) Unwrap() error { return e.Err }

// matchNames gives the names that any pattern selects; every pattern must select one.
func matchNames(flag string, patterns, names []string) (map[string]bool, error) {
	hit := map[string]bool{}
	for _, pattern := range patterns {
		found := false
		for _, name := range names {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, &SelectionError{Flag: flag, Pattern: pattern, Err: err}
			}
			if ok || pattern == "*" {
				hit[name] = true
				found = true
			}
		}
		if !found {
			return nil, &SelectionError{Flag: flag, Pattern: pattern, Nearest: nearest(pattern, names)}
		}
	}
	return hit, nil
}

// nearest gives up to three names by edit distance, only such as share about
// half of the pattern; when there are few names, all of them are near enough.
func nearest(pattern string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, name := range names {
		dist := editDistance(pattern, name)
		if len(names) <= 3 || 2*dist <= max(len(pattern), len(name)) {
			all = append(all, near{name, dist})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].distance != all[j].distance {
			return all[i].distance < all[j].distance
		}
		return all[i].name < all[j].name
	})
	var out []string
	for _, n := range all {
		if len(out) < 3 {
			out = append(out, n.name)
		}
	}
	return out
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// Selected tells which stacks and fleets of d a selection names, without what
// they depend on; a fleet is named with its stack.
func Selected(d Desired, sel Selection) (stacks, fleets map[string]bool, err error) {
	d = sorted(d)
	g, err := newGraph(&d)
	if err != nil {
		return nil, nil, err
	}
	hit, err := g.selected(&d, sel)
	if err != nil {
		return nil, nil, err
	}
	stacks, fleets = map[string]bool{}, map[string]bool{}
	for _, s := range d.Stacks {
		stacks[s.Name] = hit[ID(KindStack, s.Name)]
	}
	for _, f := range d.Fleets {
		fleets[f.ID] = stacks[f.Stack]
	}
	return stacks, fleets, nil
}

// selected gives the nodes that a selection names: for a stack, itself; for a
// fleet, its stack, its parameters and log group, and the shared stacks whose
// dashboards have a row for it. What they depend on is not in it.
func (g *graph) selected(d *Desired, sel Selection) (map[StepID]bool, error) {
	hit, err := g.matched(d, sel)
	if err != nil || !sel.Since.narrows() {
		return hit, err
	}
	changed := map[StepID]bool{}
	for _, id := range sel.Since.IDs {
		if hit[id] {
			changed[id] = true
		}
	}
	return changed, nil
}

// matched is selected without what Since leaves out.
func (g *graph) matched(d *Desired, sel Selection) (map[StepID]bool, error) {
	hit := map[StepID]bool{}
	if !sel.named() {
		for id, n := range g.nodes {
			hit[id] = n.kind != KindBundle || d.Bundles[n.index].Used
		}
		maps.DeleteFunc(hit, func(_ StepID, in bool) bool { return !in })
		return hit, nil
	}
	stackNames := make([]string, len(d.Stacks))
	for i, s := range d.Stacks {
		stackNames[i] = s.Name
	}
	stacks, err := matchNames("stack", sel.Stacks, stackNames)
	if err != nil {
		return nil, err
	}
	fleetIDs := make([]string, len(d.Fleets))
	for i, f := range d.Fleets {
		fleetIDs[i] = f.ID
	}
	fleets, err := matchNames("fleet", sel.Fleets, fleetIDs)
	if err != nil {
		return nil, err
	}
	slugs := map[string]bool{}
	for id := range fleets {
		_, slug, _ := strings.Cut(id, "/")
		slugs[slug] = true
	}
	for _, s := range d.Stacks {
		if stacks[s.Name] || fleets[s.Fleet] || (s.Fleet == "" && hasRow(s, slugs)) {
			hit[ID(KindStack, s.Name)] = true
		}
		if !fleets[s.Fleet] {
			continue
		}
		for _, id := range s.After {
			if n := g.nodes[id]; n != nil && n.kind == KindLogGroup {
				hit[id] = true
			}
		}
	}
	bundleNames := make([]string, len(d.Bundles))
	for i, b := range d.Bundles {
		bundleNames[i] = b.Name
	}
	bundles, err := matchNames("bundle", sel.Bundles, bundleNames)
	if err != nil {
		return nil, err
	}
	for name := range bundles {
		hit[ID(KindBundle, name)] = true
	}
	for _, p := range d.Parameters {
		if fleets[p.Fleet] || bundles[p.Bundle] && !sel.StoreOnly {
			hit[ID(KindParameter, p.Name)] = true
		}
	}
	return hit, nil
}

// hasRow tells whether a dashboard of the stack names one of the slugs: the
// body is JSON text, in which a dimension's value stands in quotes.
func hasRow(s Stack, slugs map[string]bool) bool {
	for _, r := range s.Template.Resources {
		if r.Type == "AWS::CloudWatch::Dashboard" && mentions(r.Properties["DashboardBody"], slugs) {
			return true
		}
	}
	return false
}

func mentions(v any, slugs map[string]bool) bool {
	switch v := v.(type) {
	case string:
		for slug := range slugs {
			if strings.Contains(v, `"`+slug+`"`) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if mentions(e, slugs) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if mentions(e, slugs) {
				return true
			}
		}
	}
	return false
}
