package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// updateGroup changes what is given and leaves the rest.
func updateGroup(c *call, in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	old, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	g := *old // a refused update changes nothing
	if err := g.change(c, in); err != nil {
		return nil, err
	}
	cause := old.because(c, fmt.Sprintf("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing the desired capacity from %d to %d.", g.Min, g.Max, g.Desired, old.Desired, g.Desired))
	*old = g
	old.scale(c, cause)
	return &autoscaling.UpdateAutoScalingGroupOutput{}, nil
}

// change sets what a request gives.
func (g *group) change(c *call, in *autoscaling.UpdateAutoScalingGroupInput) error {
	if r := g.refreshing(); r != nil && r.Desired != nil && (in.LaunchTemplate != nil || in.MixedInstancesPolicy != nil) {
		return errDesired()
	}
	if s := in.LaunchTemplate; s != nil {
		g.Template, g.Mixed = &templateRef{aws.ToString(s.LaunchTemplateId), aws.ToString(s.LaunchTemplateName), aws.ToString(s.Version)}, nil
	}
	if in.MixedInstancesPolicy != nil {
		if err := g.setMixed(c, in.MixedInstancesPolicy); err != nil {
			return err
		}
	}
	set(&g.Cooldown, in.DefaultCooldown)
	set(&g.Grace, in.HealthCheckGracePeriod)
	set(&g.HealthCheck, in.HealthCheckType)
	set(&g.Rebalance, in.CapacityRebalance)
	set(&g.Protect, in.NewInstancesProtectedFromScaleIn)
	if in.DefaultInstanceWarmup != nil {
		g.Warmup = in.DefaultInstanceWarmup
	}
	if in.MaxInstanceLifetime != nil {
		g.Lifetime = in.MaxInstanceLifetime
	}
	if in.VPCZoneIdentifier != nil {
		g.Subnets = strings.Split(*in.VPCZoneIdentifier, ",")
		if err := c.subnetsExist(g.Subnets); err != nil {
			return err
		}
	}
	if in.AvailabilityZones != nil {
		g.Zones = in.AvailabilityZones
	}
	g.addZones(c)
	if in.TerminationPolicies != nil {
		g.Policies = in.TerminationPolicies
	}
	if err := g.resize(in.MinSize, in.MaxSize, in.DesiredCapacity); err != nil {
		return err
	}
	return g.checkLaunch(c)
}

// errDesired is how AWS keeps a rollout's configuration (terraform-provider-aws
// reports of the text).
func errDesired() *Fail {
	return fail("ValidationError", "An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.")
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// resize moves the bounds; the desired capacity is only pushed into them.
func (g *group) resize(least, most, desired *int32) error {
	set(&g.Min, least)
	set(&g.Max, most)
	if g.Min < 0 || g.Max < 0 {
		return fail("ValidationError", "Size can not be negative")
	}
	if g.Max < g.Min {
		return fail("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	}
	if desired != nil {
		if *desired < g.Min || *desired > g.Max {
			return fail("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", *desired, g.Min, g.Max)
		}
		g.Desired = *desired
	}
	g.Desired = min(max(g.Desired, g.Min), g.Max)
	return nil
}

// setMixed keeps an API input in CloudFormation's names, which are the same.
func (g *group) setMixed(c *call, m *types.MixedInstancesPolicy) error {
	if m.LaunchTemplate == nil {
		return fail("ValidationError", "The launch template is missing from the mixed instances policy.")
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return err
	}
	if b, err = json.Marshal(withoutEmpty(tree)); err != nil {
		return err
	}
	g.Mixed, g.Template = b, nil
	return c.sandbox.fields.fill(b, &types.MixedInstancesPolicy{})
}

// withoutEmpty drops nulls and empty texts: the members that were not given.
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e != nil && e != "" {
				out[k] = withoutEmpty(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutEmpty(e)
		}
		return out
	}
	return v
}

// checkLaunch refuses a group whose launch template, or the AMI in it, does
// not exist.
func (g *group) checkLaunch(c *call) error {
	ref, _ := launchConfig{g.Template, g.Mixed}.launch(c)
	return c.checkLaunch(ref)
}

func (c *call) checkLaunch(ref templateRef) error {
	if ref.ID == "" && ref.Name == "" {
		return fail("ValidationError", "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	t := c.template(ref.ID, ref.Name)
	if t == nil {
		return fail("ValidationError", "You must use a valid fully-formed launch template. The specified launch template, with template %s, does not exist.", ref.words())
	}
	v := t.version(ref.Version)
	if v == nil {
		return fail("ValidationError", "You must use a valid fully-formed launch template. Could not find launch template version %s for launch template %s.", ref.Version, t.ID)
	}
	return c.checkLaunchData(v.properties())
}

// checkLaunchData looks up what a launch template names. EC2 took it as it
// was; Auto Scaling tries a launch before it accepts it.
func (c *call) checkLaunchData(p props) error {
	const invalid = "You must use a valid fully-formed launch template. "
	if image := p.text("ImageId"); strings.HasPrefix(image, "ami-") && !c.imageExists(image) {
		return fail("ValidationError", invalid+"The image id '[%s]' does not exist", image)
	}
	if name := p.sub("IamInstanceProfile").text("Name"); name != "" && !c.profileExists(name) {
		return fail("ValidationError", invalid+"Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", name)
	}
	if arn := p.sub("IamInstanceProfile").text("Arn"); arn != "" && !c.foreign(arn) && !c.profileExists(arn) {
		return fail("ValidationError", invalid+"Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", arn)
	}
	groups := p.texts("SecurityGroupIds")
	for _, n := range p.list("NetworkInterfaces") {
		groups = append(groups, n.texts("Groups")...)
	}
	for _, id := range groups {
		if !c.securityGroupExists(id) {
			return fail("ValidationError", invalid+"The security group '%s' does not exist", id)
		}
	}
	if key := p.text("KeyName"); key != "" && !c.exists("AWS::EC2::KeyPair", key) {
		return fail("ValidationError", invalid+"The key pair '%s' does not exist", key)
	}
	return nil
}

func (r templateRef) words() string {
	if r.ID != "" {
		return "ID " + r.ID
	}
	return "name " + r.Name
}
