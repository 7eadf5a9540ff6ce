package plan

import (
	"strings"
	"testing"

	"reconcile/pkg/cfn"
)

func TestBackwards(t *testing.T) {
	for _, tt := range []struct {
		typeName, path string
		before, after  any
		refused        bool
	}{
		{"AWS::RDS::DBInstance", "Properties.AllocatedStorage", "30", "20", true},
		{"AWS::RDS::DBInstance", "Properties.AllocatedStorage", "20", "30", false},
		{"AWS::RDS::DBInstance", "Properties.AllocatedStorage", 9, 10, false},
		{"AWS::RDS::DBInstance", "Properties.MaxAllocatedStorage", 100, 50, false},
		{"AWS::RDS::DBInstance", "Properties.EngineVersion", "10.11.16", "10.11.9", true},
		{"AWS::RDS::DBInstance", "Properties.EngineVersion", "10.11.9", "10.11.16", false},
		{"AWS::RDS::DBInstance", "Properties.EngineVersion", "10.11.16", "10.11", false},
		{"AWS::ElastiCache::CacheCluster", "Properties.EngineVersion", "7.1", "7.0", true},
		{"AWS::ElastiCache::CacheCluster", "Properties.EngineVersion", "7.1", map[string]any{"Ref": "V"}, false},
		{"AWS::S3::Bucket", "Properties.EngineVersion", "2", "1", false},
	} {
		why := backwards(cfn.Difference{Resource: "X", Type: tt.typeName, Path: tt.path, Before: tt.before, After: tt.after})
		if got := why != ""; got != tt.refused {
			t.Errorf("%s %s %v -> %v: %q", tt.typeName, tt.path, tt.before, tt.after, why)
		}
		if tt.refused && !strings.Contains(why, "cannot") {
			t.Errorf("says no reason: %q", why)
		}
	}
}
