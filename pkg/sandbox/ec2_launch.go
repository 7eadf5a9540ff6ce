package sandbox

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// runInstances checks what a request names, then makes the instances.
func runInstances(c *call, in props) (doc, error) {
	if token := in.text("ClientToken"); token != "" {
		var made []*instance
		for _, id := range sortedKeys(c.region.Instances) {
			if i := c.region.Instances[id]; i.Token == token {
				made = append(made, i)
			}
		}
		if len(made) > 0 {
			return c.reservation(made), nil
		}
	}
	in, err := c.withTemplate(in)
	if err != nil {
		return nil, err
	}
	base, err := c.launchRequest(in)
	if err != nil {
		return nil, err
	}
	least, ok1 := in.number("MinCount")
	most, ok2 := in.number("MaxCount")
	if !ok1 || !ok2 {
		return nil, fail("MissingParameter", "The request must contain the parameter MinCount and MaxCount")
	}
	if least < 1 || most < least || most > 1000 {
		return nil, fail("InvalidParameterValue", "Value (%d) for parameter maxCount is invalid", most)
	}
	if in.flag("DryRun") {
		f := fail("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
		f.Status = 412
		return nil, f
	}
	if c.lacks(base.Type, base.Zone) {
		return nil, insufficientCapacity(base.Type, base.Zone)
	}
	for most > least && c.overQuota(base.Type, base.Spot, int(most)) != nil {
		most-- // as many as there may be
	}
	if f := c.overQuota(base.Type, base.Spot, int(most)); f != nil {
		return nil, f
	}
	var made []*instance
	for range most {
		i := *base
		i.ID, i.Tags = "i-"+c.account.draw("instance")[:17], maps.Clone(base.Tags)
		i.become(c, 0, runningCode, bootSeconds)
		c.region.Instances[i.ID] = &i
		made = append(made, &i)
	}
	return c.reservation(made), nil
}

func (c *call) reservation(list []*instance) doc {
	var out []doc
	for _, i := range list {
		out = append(out, c.instanceDoc(i))
	}
	return doc{"reservationId": "r-" + hexOf("reservation", list[0].ID)[:17], "ownerId": c.account.ID, "groupSet": []doc{}, "instancesSet": out}
}

func (c *call) launchRequest(in props) (*instance, error) {
	i := &instance{
		Image: in.text("ImageId"), Type: in.text("InstanceType"), Subnet: in.text("SubnetId"), Groups: in.texts("SecurityGroupId"), Token: in.text("ClientToken"), UserData: in.text("UserData"),
		Launched: c.now, Stops: in.text("InstanceInitiatedShutdownBehavior") != "terminate", Spot: in.sub("InstanceMarketOptions").text("MarketType") == "spot",
		Tags: props{"Tags": taggedAs(in, "instance")}.tags("Tags"), Metadata: map[string]string{},
	}
	for k := range in.sub("MetadataOptions") {
		i.Metadata[k] = in.sub("MetadataOptions").text(k)
	}
	for _, d := range in.list("BlockDeviceMapping") {
		i.Devices = append(i.Devices, d)
	}
	if len(in.list("NetworkInterface")) > 0 && i.Subnet+strings.Join(i.Groups, "") != "" {
		return nil, fail("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request")
	}
	for _, n := range in.list("NetworkInterface") {
		if s := n.text("SubnetId"); s != "" {
			i.Subnet = s
		}
		i.Groups = append(i.Groups, n.texts("SecurityGroupId")...)
		i.Public = i.Public || n.flag("AssociatePublicIpAddress")
	}
	if _, err := base64.StdEncoding.DecodeString(i.UserData); err != nil {
		return nil, fail("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data")
	}
	if len(i.UserData) > 16<<10*4/3+4 {
		return nil, fail("InvalidParameterValue", "User data is limited to 16384 bytes")
	}
	switch {
	case i.Image == "":
		return nil, fail("MissingParameter", "The request must contain the parameter ImageId")
	case !imagePattern.MatchString(i.Image):
		return nil, fail("InvalidAMIID.Malformed", "Invalid id: \"%.80s\" (expecting \"ami-...\")", i.Image)
	case !c.imageExists(i.Image):
		return nil, fail("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", i.Image)
	}
	if _, ok := typeNamed(i.Type); !ok {
		return nil, fail("InvalidParameterValue", "Invalid value '%.80s' for InstanceType.", i.Type)
	}
	if err := c.placeInstance(i, in.sub("Placement").text("AvailabilityZone")); err != nil {
		return nil, err
	}
	return i, c.profileOf(i, in.sub("IamInstanceProfile"))
}

// placeInstance finds the subnet and its groups: the default VPC's if none is named.
func (c *call) placeInstance(i *instance, zone string) error {
	n := c.defaultNetwork()
	if i.Subnet == "" {
		if n == nil {
			return fail("VPCIdNotSpecified", "No default VPC for this user")
		}
		at := 0
		if zone != "" {
			if at = slices.Index(c.zones(), zone); at < 0 {
				return fail("InvalidParameterValue", "Invalid availability zone: [%.40s]", zone)
			}
		}
		i.Subnet = n.subnets[at]
	}
	s, ok := c.subnet(i.Subnet)
	if !ok {
		return fail("InvalidSubnetID.NotFound", "The subnet ID '%.80s' does not exist", i.Subnet)
	}
	i.VPC, i.Zone = s.props.text("VpcId"), s.props.text("AvailabilityZone")
	i.Public = i.Public || s.props.flag("MapPublicIpOnLaunch")
	for _, id := range i.Groups {
		g, ok := c.securityGroup(id)
		if !ok {
			return fail("InvalidGroup.NotFound", "The security group '%.80s' does not exist", id)
		}
		if g.props.text("VpcId") != i.VPC {
			return fail("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, i.Subnet)
		}
	}
	if len(i.Groups) == 0 && n != nil && n.vpc == i.VPC {
		i.Groups = []string{n.group}
	}
	t, _ := typeNamed(i.Type)
	if !slices.Contains([]byte(t.zones), i.Zone[len(i.Zone)-1]) {
		return fail("Unsupported", "Your requested instance type (%s) is not supported in your requested Availability Zone (%s). Please retry your request by not specifying an Availability Zone or choosing another one.", i.Type, i.Zone)
	}
	return nil
}

func (c *call) profileOf(i *instance, p props) error {
	i.Profile = p.text("Name")
	if arn := p.text("Arn"); arn != "" {
		i.Profile = tail(arn)
	}
	if i.Profile == "" {
		return nil
	}
	for _, known := range c.itemsEverywhere(profileType) {
		if known.id == i.Profile {
			return nil
		}
	}
	return fail("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", i.Profile)
}
