package drift

import (
	"fmt"
	"slices"
	"strings"
)

// pruner brings a live tree and a deployed one into a comparable form: of the
// live one only what the deployed one speaks of, of both without what only AWS
// knows.
type pruner struct {
	stackTags map[string]string
	open      int
}

// pair gives the two trees to compare; ok is false where nothing is left.
func (p *pruner) pair(live, deployed any) (l, d any, ok bool) {
	switch d := deployed.(type) {
	case Open:
		p.open++
		return nil, nil, false
	case map[string]any:
		if l, isMap := live.(map[string]any); isMap {
			outL, outD := p.maps(l, d)
			return outL, outD, true
		}
	case []any:
		if l, isList := live.([]any); isList {
			outL, outD := p.lists(l, d)
			return outL, outD, true
		}
	}
	return live, p.closed(deployed), true
}

// closed is a deployed tree without what only AWS knows.
func (p *pruner) closed(deployed any) any {
	switch d := deployed.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range d {
			if _, open := e.(Open); open {
				p.open++
				continue
			}
			out[k] = p.closed(e)
		}
		return out
	case []any:
		var out []any
		for _, e := range d {
			if _, open := e.(Open); open {
				p.open++
				continue
			}
			out = append(out, p.closed(e))
		}
		return out
	}
	return deployed
}

func (p *pruner) maps(live, deployed map[string]any) (l, d map[string]any) {
	l, d = map[string]any{}, map[string]any{}
	for _, k := range sortedKeys(deployed) {
		there, has := live[k]
		if !has {
			if _, open := deployed[k].(Open); open {
				p.open++
				continue
			}
			if !isFalse(deployed[k]) {
				d[k] = p.closed(deployed[k])
			}
			continue
		}
		if a, b, ok := p.pair(there, deployed[k]); ok {
			l[k], d[k] = a, b
		}
	}
	return l, d
}

// isFalse tells whether a service may leave the value out of its answer.
func isFalse(v any) bool {
	switch v := v.(type) {
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func (p *pruner) lists(live, deployed []any) (l, d []any) {
	if texts(live) && texts(deployed) {
		return sameOrder(live, deployed), deployed
	}
	for _, e := range deployed {
		if _, open := e.(Open); open { // which live element it is, nobody can tell
			p.open += len(deployed)
			return nil, nil
		}
	}
	live = p.withoutForeignTags(live, deployed)
	used := make([]bool, len(deployed))
	partner := make([]int, len(live))
	for i, e := range live {
		partner[i] = p.partner(i, e, deployed, used)
		if partner[i] >= 0 {
			used[partner[i]] = true
		}
	}
	d = make([]any, len(deployed))
	for i := range deployed {
		d[i] = p.closed(deployed[i])
	}
	l = make([]any, len(live))
	for i, e := range live {
		l[i] = e
		if n := partner[i]; n >= 0 {
			if a, b, ok := p.pair(e, deployed[n]); ok {
				l[i], d[n] = a, b
			}
		}
	}
	if unordered(deployed) || unordered(live) {
		l = inOrder(l, partner)
	}
	return l, d
}

// partner is the deployed element that a live one stands for, or -1.
func (p *pruner) partner(i int, live any, deployed []any, used []bool) int {
	id := identity(live)
	for n, e := range deployed {
		if id != "" && !used[n] && identity(e) == id {
			return n
		}
	}
	if id == "" && i < len(deployed) && identity(deployed[i]) == "" {
		return i
	}
	return -1
}

// identity is by what an element of a list is known.
func identity(e any) string {
	m, ok := e.(map[string]any)
	if !ok {
		return ""
	}
	if _, rule := m["IpProtocol"]; rule {
		return RuleKey(m)
	}
	for _, k := range []string{"Key", "Id", "Name", "DeviceName", "InstanceType", "ContainerName", "CapacityProvider", "ResourceType", "Granularity"} {
		if v, ok := m[k]; ok {
			return k + "=" + fmt.Sprint(v)
		}
	}
	return ""
}

// RuleKey identifies a rule of a security group: everything but its description.
func RuleKey(m map[string]any) string {
	parts := []string{fmt.Sprint(m["IpProtocol"])}
	if parts[0] != "-1" {
		parts = append(parts, fmt.Sprint(m["FromPort"]), fmt.Sprint(m["ToPort"]))
	}
	for _, k := range []string{"CidrIp", "CidrIpv6", "SourceSecurityGroupId", "DestinationSecurityGroupId", "SourcePrefixListId", "DestinationPrefixListId"} {
		if v, ok := m[k].(string); ok {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, " ")
}

// unordered tells whether the list is a set by what its elements are.
func unordered(list []any) bool {
	for _, e := range list {
		m, _ := e.(map[string]any)
		_, rule := m["IpProtocol"]
		_, tag := m["Key"]
		if !rule && !tag {
			return false
		}
	}
	return len(list) > 0
}

// inOrder sorts live elements as their partners stand; others come last.
func inOrder(live []any, partner []int) []any {
	order := make([]int, len(live))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(partner[a]) - rank(partner[b]) })
	out := make([]any, len(live))
	for i, n := range order {
		out[i] = live[n]
	}
	return out
}

func rank(partner int) int {
	if partner < 0 {
		return 1 << 20
	}
	return partner
}

// withoutForeignTags leaves out tags that AWS or the stack puts on.
func (p *pruner) withoutForeignTags(live, deployed []any) []any {
	declared := map[string]bool{}
	for _, e := range deployed {
		declared[identity(e)] = true
	}
	return slices.DeleteFunc(slices.Clone(live), func(e any) bool {
		m, _ := e.(map[string]any)
		key, ok := m["Key"].(string)
		if !ok || declared[identity(e)] {
			return false
		}
		_, stack := p.stackTags[key]
		return stack || strings.HasPrefix(key, "aws:")
	})
}

func texts(list []any) bool {
	for _, e := range list {
		if _, ok := e.(string); !ok {
			return false
		}
	}
	return true
}

// sameOrder is the deployed order where both have the same texts.
func sameOrder(live, deployed []any) []any {
	a, b := slices.Clone(live), slices.Clone(deployed)
	byText := func(x, y any) int { return strings.Compare(x.(string), y.(string)) }
	slices.SortFunc(a, byText)
	slices.SortFunc(b, byText)
	if slices.Equal(a, b) {
		return deployed
	}
	return live
}
