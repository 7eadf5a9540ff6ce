package sandbox

import (
	"fmt"
	"math"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// codeNoCapacity is EC2's refusal when it has none of an instance type to give.
const codeNoCapacity = "InsufficientInstanceCapacity"

// A shortage is a rule for ec2 RunInstances, which Auto Scaling's launches are,
// too, with an instance type and perhaps a zone.
func (f *FaultRule) shortage() string {
	if f.Zone == "" {
		return f.InstanceType
	}
	return f.InstanceType + "/" + f.Zone
}

var instanceTypeName = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)

// AddShortage makes the next launches of an instance type in a zone fail for
// want of capacity: times of them, or all if it is 0. "" is every zone.
func (s *Sandbox) AddShortage(instanceType, zone string, times int) error {
	if !instanceTypeName.MatchString(instanceType) {
		return fmt.Errorf("%q is no instance type; write it like g4dn.xlarge, or g4dn.xlarge/us-east-1a", instanceType)
	}
	rule := FaultRule{Service: "ec2", Operation: "RunInstances", InstanceType: instanceType, Zone: zone, Times: times, Fault: Fault{Code: codeNoCapacity}}
	_, err := s.admin("", adminChange{Rule: &rule})
	return err
}

// lacks tells whether AWS has no instance of the type to give, and counts it.
// Launches are part of the state's own course, so a replay counts the same.
func (c *call) lacks(instanceType, zone string) bool {
	for i := range c.account.Faults {
		f := &c.account.Faults[i]
		if f.InstanceType == "" || f.InstanceType != instanceType || f.Zone != "" && f.Zone != zone {
			continue
		}
		if f.strikes(c.account.lot(i, f.Seen)) {
			return true
		}
	}
	return false
}

// insufficientCapacity is EC2's refusal, InsufficientInstanceCapacity (EC2 User
// Guide, troubleshooting instance launch; the words are what users report).
func insufficientCapacity(instanceType, zone string) *Fail {
	return &Fail{Code: codeNoCapacity, Server: true, Message: fmt.Sprintf(
		"We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). Our system will be working on provisioning additional capacity.", instanceType, zone)}
}

// obtain finds a type and a zone that have capacity: the group's other zones
// first, then the other types of its policy in their order. inst keeps what was
// tried first when none has.
func (g *group) obtain(c *call, inst *groupInstance) bool {
	if len(c.account.Faults) == 0 {
		return true
	}
	kinds, zones := []string{inst.Type}, []string{inst.Zone}
	if m := g.mixed(c); m != nil && m.LaunchTemplate != nil {
		for _, o := range m.LaunchTemplate.Overrides {
			kinds = append(kinds, aws.ToString(o.InstanceType))
		}
	}
	zones = append(zones, g.Zones...)
	for n, kind := range kinds {
		if n > 0 && kind == inst.Type {
			continue
		}
		for i, zone := range zones {
			if i > 0 && zone == inst.Zone || c.lacks(kind, zone) {
				continue
			}
			inst.Type, inst.Zone = kind, zone
			return true
		}
	}
	return false
}

// steadyRetries is for how long a group tries once a minute.
const steadyRetries = 60

// retryLater says when a group that got no instance tries again: each minute
// for an hour, then after twice as long each time, so that an account that
// nobody looks at for a month is still quick to open.
func (g *group) retryLater(c *call) {
	g.Tries++
	g.Retry = c.now.Add(c.takes(retrySeconds * math.Pow(2, float64(max(0, g.Tries-steadyRetries)))))
}
