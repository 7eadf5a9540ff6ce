package cfn

import (
	"fmt"
	"strconv"
	"strings"
)

// identity lists, by the name of a list of objects, the property by which its
// elements are known. Their order has no meaning to AWS.
var identity = map[string]string{
	"Tags":                   "Key",
	"TagSpecifications":      "ResourceType",
	"Environment":            "Name",
	"Secrets":                "Name",
	"ContainerDefinitions":   "Name",
	"Volumes":                "Name",
	"Statement":              "Sid",
	"Dimensions":             "Name",
	"BlockDeviceMappings":    "DeviceName",
	"Metrics":                "Id",
	"MetricDataQueries":      "Id",
	"Origins":                "Id",
	"CorsRules":              "Id",
	"LoadBalancerAttributes": "Key",
	"TargetGroupAttributes":  "Key",
	"ClusterSettings":        "Name",
	"Rules":                  "Id",
}

// lists compares two lists: by the identity of their elements, as sets, or in
// order with insertions and removals found.
func (w *walker) lists(p place, before, after []any) {
	if field, ok := identity[p.name()]; ok {
		b, bok := byIdentity(before, field)
		a, aok := byIdentity(after, field)
		if bok && aok {
			for _, name := range union(b, a) {
				w.compare(p.element(name), entry(b, name), entry(a, name))
			}
			return
		}
	}
	set := p.set || p.policy || w.known && w.t.Unordered(p.path)
	if !set && len(before) == len(after) {
		for i := range before {
			w.compare(p.element(strconv.Itoa(i)), before[i], after[i])
		}
		return
	}
	var restB, restA []int
	if set {
		restB, restA = unmatched(before, after)
	} else {
		restB, restA = unaligned(before, after)
	}
	pairs, gone, fresh := w.pair(p, before, after, restB, restA, set)
	for _, q := range pairs {
		w.compare(p.element(strconv.Itoa(q[0])), before[q[0]], after[q[1]])
	}
	for _, i := range gone {
		w.report(p.element(strconv.Itoa(i)), Remove, before[i], nil)
	}
	for _, i := range fresh {
		w.report(p.element(strconv.Itoa(i)), Add, nil, after[i])
	}
}

// byIdentity keys the elements, or fails if one has no literal, unique name.
func byIdentity(elements []any, field string) (map[string]any, bool) {
	out := make(map[string]any, len(elements))
	for _, e := range elements {
		m, _ := e.(map[string]any)
		name, ok := m[field].(string)
		if _, twice := out[name]; !ok || name == "" || twice || strings.ContainsAny(name, "[]\"") {
			return nil, false
		}
		out[name] = e
	}
	return out, true
}

// unmatched are the elements of two sets that the other has not.
func unmatched(before, after []any) (restB, restA []int) {
	count := make(map[string]int, len(after))
	for _, e := range after {
		count[fingerprint(e)]++
	}
	for i, e := range before {
		f := fingerprint(e)
		if count[f] > 0 {
			count[f]--
			continue
		}
		restB = append(restB, i)
	}
	count = make(map[string]int, len(before))
	for _, e := range before {
		count[fingerprint(e)]++
	}
	for i, e := range after {
		f := fingerprint(e)
		if count[f] > 0 {
			count[f]--
			continue
		}
		restA = append(restA, i)
	}
	return restB, restA
}

// maxAligned bounds the quadratic search for a common subsequence.
const maxAligned = 400

// unaligned are the elements outside a longest common subsequence.
func unaligned(before, after []any) (restB, restA []int) {
	b, a := fingerprints(before), fingerprints(after)
	start := 0
	for start < len(b) && start < len(a) && b[start] == a[start] {
		start++
	}
	endB, endA := len(b), len(a)
	for endB > start && endA > start && b[endB-1] == a[endA-1] {
		endB--
		endA--
	}
	if endB-start > maxAligned || endA-start > maxAligned {
		return span(start, endB), span(start, endA)
	}
	width := endA - start + 1
	length := make([]int, (endB-start+1)*width)
	at := func(i, j int) *int { return &length[(i-start)*width+j-start] }
	for i := endB - 1; i >= start; i-- {
		for j := endA - 1; j >= start; j-- {
			if b[i] == a[j] {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	i, j := start, start
	for i < endB && j < endA {
		switch {
		case b[i] == a[j]:
			i, j = i+1, j+1
		case *at(i+1, j) >= *at(i, j+1):
			restB = append(restB, i)
			i++
		default:
			restA = append(restA, j)
			j++
		}
	}
	return append(restB, span(i, endB)...), append(restA, span(j, endA)...)
}

func span(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

func fingerprints(l []any) []string {
	out := make([]string, len(l))
	for i, e := range l {
		out[i] = fingerprint(e)
	}
	return out
}

// pair finds, among elements of sets that have no equal, those that are the
// same thing changed: the two that differ least, objects only. In an ordered
// list the elements would move, so nothing is paired.
func (w *walker) pair(p place, before, after []any, restB, restA []int, set bool) (pairs [][2]int, gone, fresh []int) {
	taken := make(map[int]bool, len(restA))
	for _, i := range restB {
		best, bestShare := -1, 0.5
		for _, j := range restA {
			if !set || taken[j] {
				continue
			}
			if s := w.alike(p, before[i], after[j]); s >= bestShare && (best < 0 || s > bestShare) {
				best, bestShare = j, s
			}
		}
		if best < 0 {
			gone = append(gone, i)
			continue
		}
		taken[best] = true
		pairs = append(pairs, [2]int{i, best})
	}
	for _, j := range restA {
		if !taken[j] {
			fresh = append(fresh, j)
		}
	}
	return pairs, gone, fresh
}

// alike is the share of keys under which two objects hold the same.
func (w *walker) alike(p place, before, after any) float64 {
	b, bok := before.(map[string]any)
	a, aok := after.(map[string]any)
	if !bok || !aok || isIntrinsic(b) || isIntrinsic(a) {
		return 0
	}
	all := union(b, a)
	same := 0
	probe := walker{resource: w.resource, t: w.t, known: w.known}
	for _, k := range all {
		probe.out = nil
		if probe.compare(p.key(k), entry(b, k), entry(a, k)); len(probe.out) == 0 {
			same++
		}
	}
	if len(all) == 0 {
		return 0
	}
	return float64(same) / float64(len(all))
}

// fingerprint is a text that equal values share: scalars by their text, joins
// folded, keys sorted.
func fingerprint(v any) string {
	var b strings.Builder
	writeFingerprint(&b, v)
	return b.String()
}

func writeFingerprint(b *strings.Builder, v any) {
	v = simplify(v)
	if s, ok := scalar(v); ok {
		b.WriteString(strconv.Quote(s))
		return
	}
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for _, k := range sortedKeys(v) {
			b.WriteString(strconv.Quote(k))
			b.WriteByte(':')
			writeFingerprint(b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for _, e := range v {
			writeFingerprint(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	default:
		fmt.Fprintf(b, "%T(%v)", v, v)
	}
}
