package plan

import (
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/cfn"
)

// oneWay lists properties that AWS changes in one direction only: it answers
// the other one with an error, after the update has begun. Each with the AWS
// page that says so.
var oneWay = map[string]struct {
	what      string
	backwards func(before, after string) bool
}{
	// "You can't reduce the amount of storage": Amazon RDS, modifying a DB instance.
	"AWS::RDS::DBInstance AllocatedStorage": {"storage of a database cannot shrink", smaller},
	// "You can't downgrade": Amazon RDS, upgrading the engine version.
	"AWS::RDS::DBInstance EngineVersion": {"a database engine cannot go back to an older version", older},
	// "You can't downgrade to an earlier engine version": ElastiCache, version management.
	"AWS::ElastiCache::CacheCluster EngineVersion":     {"a cache engine cannot go back to an older version in place", older},
	"AWS::ElastiCache::ReplicationGroup EngineVersion": {"a cache engine cannot go back to an older version in place", older},
}

// backwards says why a difference cannot be applied, or "".
func backwards(d cfn.Difference) string {
	name, found := strings.CutPrefix(d.Path, "Properties.")
	if !found {
		return ""
	}
	rule, ok := oneWay[d.Type+" "+name]
	if !ok {
		return ""
	}
	before, after := scalar(d.Before), scalar(d.After)
	if before == "" || after == "" || !rule.backwards(before, after) {
		return ""
	}
	return fmt.Sprintf("%s would go from %s to %s: %s. Take the change back", d.Resource, before, after, rule.what)
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func smaller(before, after string) bool {
	b, errB := strconv.ParseFloat(before, 64)
	a, errA := strconv.ParseFloat(after, 64)
	return errA == nil && errB == nil && a < b
}

// older compares dotted versions number by number; what one of them does not
// say ("10.11") does not count.
func older(before, after string) bool {
	b, a := strings.Split(before, "."), strings.Split(after, ".")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return smaller(b[i], a[i])
		}
	}
	return false
}
