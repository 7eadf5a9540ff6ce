package drift

import (
	"strconv"
	"strings"
)

// ownedRule says whose a value is that no template of ours declares.
func ownedRule(property string) (rule, reason string) {
	switch property {
	case "DesiredCapacity":
		return "autoscaler-capacity", "how many instances there are is the autoscaler's; no template sets it"
	case "DesiredCount":
		return "autoscaler-count", "how many tasks there are is the autoscaler's; no template sets it"
	case "LaunchTemplateVersion":
		return "running-version", "the version that the group runs follows the launch template's newest one"
	}
	return "generated", "the service generates it"
}

// expectedRule tells why a difference is no hand edit; "" where it is one.
func expectedRule(f Finding, found Found) (rule, reason string) {
	live, deployed := scalarText(f.Live), scalarText(f.Deployed)
	switch f.Type + " " + strings.TrimPrefix(f.Path, "Properties.") {
	case "AWS::AutoScaling::AutoScalingGroup DesiredCapacity":
		return ownedRule("DesiredCapacity")
	case "AWS::ECS::Service DesiredCount":
		return ownedRule("DesiredCount")
	case "AWS::RDS::DBInstance AllocatedStorage":
		most, err := strconv.Atoi(scalarText(found.Properties["MaxAllocatedStorage"]))
		had, err2 := strconv.Atoi(deployed)
		has, err3 := strconv.Atoi(live)
		if err == nil && err2 == nil && err3 == nil && has > had && has <= most {
			return "storage-autoscaling", "RDS grows the storage by itself up to MaxAllocatedStorage, and it never shrinks"
		}
	case "AWS::RDS::DBInstance EngineVersion":
		if scalarText(found.Properties["AutoMinorVersionUpgrade"]) == "true" && sameMajor(live, deployed, 2) {
			return "minor-upgrade", "AutoMinorVersionUpgrade lets RDS take the newer patch"
		}
	case "AWS::ElastiCache::CacheCluster EngineVersion", "AWS::ElastiCache::ReplicationGroup EngineVersion":
		if strings.HasPrefix(live, deployed+".") {
			return "running-version", "the template names the minor version, ElastiCache the patch that runs"
		}
	case "AWS::ECS::Service PlatformVersion":
		if deployed == "LATEST" {
			return "running-version", "LATEST stands for the version that Fargate runs"
		}
	}
	return "", ""
}

// sameMajor tells whether the first n parts of two versions are equal.
func sameMajor(a, b string, n int) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	if len(x) < n || len(y) < n {
		return false
	}
	for i := range n {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// scalarText is the text of a scalar, "" for everything else.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
