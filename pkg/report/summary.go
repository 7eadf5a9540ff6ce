package report

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"reconcile/pkg/plan"
)

// summary counts the resources of a stack that comes or goes, and names what
// stays of it.
func summary(s plan.Step, groups [][]plan.Change) []row {
	var gone, kept [][]plan.Change
	for _, g := range groups {
		switch {
		case strings.Contains(g[0].Resource, "."):
		case g[0].Retained:
			kept = append(kept, g)
		default:
			gone = append(gone, g)
		}
	}
	var out []row
	if len(gone) > 0 {
		out = append(out, row{kind: rowSentence, text: byType(gone)})
	}
	told := slices.ContainsFunc(s.Approvals, func(a plan.Approval) bool { return strings.Contains(a.Why, "kept: ") })
	if len(kept) > 0 && !told {
		out = append(out, row{kind: rowSentence, text: "kept: " + strings.Join(names(kept), ", ")})
	}
	return out
}

func names(groups [][]plan.Change) []string {
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = clean(g[0].Resource)
	}
	return out
}

// byType counts resources by service and type, the most first:
// "EC2: 6 Subnet, 6 RouteTable, VPC; IAM: 2 Role".
func byType(groups [][]plan.Change) string {
	total, of := map[string]int{}, map[string]map[string]int{}
	for _, g := range groups {
		service, name := cutType(g[0].Type)
		if of[service] == nil {
			of[service] = map[string]int{}
		}
		total[service]++
		of[service][name]++
	}
	services := mostFirst(total)
	for i, service := range services {
		types := mostFirst(of[service])
		for k, name := range types {
			if n := of[service][name]; n > 1 {
				types[k] = strconv.Itoa(n) + " " + name
			}
		}
		services[i] = service + ": " + strings.Join(types, ", ")
	}
	return strings.Join(services, "; ")
}

func mostFirst(n map[string]int) []string {
	names := slices.Sorted(maps.Keys(n))
	slices.SortStableFunc(names, func(a, b string) int { return n[b] - n[a] })
	return names
}

// cutType cuts "AWS::EC2::Subnet" into EC2 and Subnet. AWS is what nearly all
// are of, so that only other makers are named.
func cutType(t string) (service, name string) {
	t = clean(strings.TrimPrefix(t, "AWS::"))
	if i := strings.LastIndex(t, "::"); i >= 0 {
		return t[:i], t[i+2:]
	}
	return "other", t
}
