package awstype

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// intrinsic tells whether a value is only known to CloudFormation (or to us,
// later): an intrinsic function, an open reference, a dynamic reference.
func intrinsic(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "{{resolve:")
	case map[string]any:
		if len(v) != 1 {
			return false
		}
		for k := range v {
			return k == "Ref" || k == "Reconcile::Ref" || strings.HasPrefix(k, "Fn::")
		}
	}
	return false
}

// conditional tells whether a value may turn out to be AWS::NoValue.
func conditional(v any) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false
	}
	_, isIf := m["Fn::If"]
	return isIf || m["Ref"] == "AWS::NoValue"
}

// coerces tells whether CloudFormation takes v for one of the wanted types: it
// converts between strings, numbers and booleans, and serializes documents
// where a string is wanted only in properties that accept both.
func coerces(v any, want []string) bool {
	for _, w := range want {
		switch w {
		case "string":
			switch kindOf(v) {
			case "number", "integer", "boolean":
				return true
			}
		case "integer", "number":
			s, ok := v.(string)
			if !ok {
				continue
			}
			f, err := strconv.ParseFloat(s, 64)
			if err == nil && (w == "number" || f == math.Trunc(f)) {
				return true
			}
		case "boolean":
			if s, ok := v.(string); ok && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false")) {
				return true
			}
		}
	}
	return false
}

// limits are a schema's for a number.
func limits(schema map[string]any) (lowest, highest float64) {
	lowest, highest = math.Inf(-1), math.Inf(1)
	if f, ok := schema["minimum"].(float64); ok {
		lowest = f
	}
	if f, ok := schema["maximum"].(float64); ok {
		highest = f
	}
	return lowest, highest
}

// beyond says how a number that came as text is out of its limits, or "".
func beyond(v any, lowest, highest float64) string {
	s, ok := v.(string)
	if !ok {
		return ""
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return ""
	case f < lowest:
		return "must be >= " + text(lowest) + " but found " + text(f)
	case f > highest:
		return "must be <= " + text(highest) + " but found " + text(f)
	}
	return ""
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case json.Number:
		return "number"
	case int, int32, int64, uint, uint32, uint64:
		return "integer"
	}
	return fmt.Sprintf("%T", v)
}

// text is the form in which CloudFormation compares scalars.
func text(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func stringOrList(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	return stringsOf(v)
}

func matchesAny(patterns any, name string) bool {
	m, _ := patterns.(map[string]any)
	for p := range m {
		if re, err := regexp.Compile(p); err == nil && re.MatchString(name) {
			return true
		}
	}
	return false
}

// nearest is the candidate that is a typing error away from s, or "".
func nearest(s string, candidates []string) string {
	best, bestDistance := "", 1+len(s)/3
	for _, c := range candidates {
		d := distance(strings.ToLower(s), strings.ToLower(c), bestDistance)
		if d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance, or anything above limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
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
