package stacks_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// boards are the dashboards' bodies by name, as documents.
func boards(t *testing.T, d plan.Desired) map[string][]any {
	t.Helper()
	out := map[string][]any{}
	for _, s := range d.Stacks {
		for _, r := range s.Template.Resources {
			if r.Type != "AWS::CloudWatch::Dashboard" {
				continue
			}
			var body struct{ Widgets []any }
			if err := json.Unmarshal([]byte(text(t, r.Properties["DashboardBody"])), &body); err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			out[r.Properties["DashboardName"].(string)] = body.Widgets
		}
	}
	return out
}

// TestEveryFleetHasItsRow on exactly one dashboard, however many there are.
func TestEveryFleetHasItsRow(t *testing.T) {
	for _, n := range []int{0, 1, 2, 20, 60, 400} {
		set := many(n)
		all := boards(t, render(t, set))
		rows := map[string]int{}
		for name, widgets := range all {
			if len(widgets) > 500 {
				t.Errorf("%d fleets: %s has %d widgets", n, name, len(widgets))
			}
			taken := map[string]bool{}
			for _, w := range widgets {
				title := at(t, w, "properties", "title").(string)
				place := fmt.Sprint(at(t, w, "x"), at(t, w, "y"))
				if taken[place] {
					t.Errorf("%s: two widgets at %s", name, place)
				}
				taken[place] = true
				rows[title]++
			}
		}
		for _, f := range set.Fleets {
			for _, what := range []string{" Queue Depth & Workers", " Performance & Errors"} {
				if rows[f.ID()+what] != 1 {
					t.Errorf("%d fleets: %d widgets %q", n, rows[f.ID()+what], f.ID()+what)
				}
			}
		}
		if n <= 20 && len(all) != 1 {
			t.Errorf("%d fleets on %d dashboards", n, len(all))
		}
		if rows["ALB Latency"] != 1 {
			t.Errorf("%d fleets: the application's rows are not there once", n)
		}
	}
}

// TestAddingAFleetChangesOneDashboard, or splits it.
func TestAddingAFleetChangesOneDashboard(t *testing.T) {
	t.Parallel()
	splits := 0
	after := dashboardStacks(t, many(100))
	for n := 100; n < 140; n++ {
		before := after
		after = dashboardStacks(t, many(n+1))
		var changed []string
		for name, body := range after {
			if was, ok := before[name]; !ok || was != body {
				changed = append(changed, name)
			}
		}
		gone := 0
		for name := range before {
			if _, ok := after[name]; !ok {
				gone++
			}
		}
		slices.Sort(changed)
		switch {
		case len(changed) == 1 && gone == 0:
		case gone == 1 && len(changed) == 2: // one became two
			splits++
		default:
			t.Errorf("fleet %d: %d gone, changed %v", n+1, gone, changed)
		}
	}
	if splits > 4 {
		t.Errorf("%d splits in 40 additions", splits)
	}
}

func dashboardStacks(t *testing.T, set spec.Set) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, s := range render(t, set).Stacks {
		if strings.HasPrefix(s.Name, "bp-monitoring") {
			b, err := cfn.Canonical(s.Template)
			if err != nil {
				t.Fatal(err)
			}
			out[s.Name] = string(b)
		}
	}
	return out
}
