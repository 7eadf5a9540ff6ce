package cloud

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"reconcile/pkg/dev"
)

type ec2Tags []struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func (t ec2Tags) byKey() dev.Tags {
	out := make(dev.Tags, len(t))
	for _, tag := range t {
		out[tag.Key] = tag.Value
	}
	return out
}

type ec2Instance struct {
	ID       string    `xml:"instanceId"`
	State    string    `xml:"instanceState>name"`
	Type     string    `xml:"instanceType"`
	Image    string    `xml:"imageId"`
	Zone     string    `xml:"placement>availabilityZone"`
	Address  string    `xml:"ipAddress"`
	Launched time.Time `xml:"launchTime"`
	Groups   []struct {
		ID string `xml:"groupId"`
	} `xml:"groupSet>item"`
	Tags ec2Tags `xml:"tagSet>item"`
}

func (i ec2Instance) of(platform string) dev.Instance {
	out := dev.Instance{ID: i.ID, State: i.State, Type: i.Type, Image: i.Image, Zone: i.Zone, Address: i.Address, Launched: i.Launched.UTC()}
	for _, g := range i.Groups {
		out.Groups = append(out.Groups, g.ID)
	}
	out.Of(platform, i.Tags.byKey())
	return out
}

// filter adds EC2's Filter.N to a request.
func filter(form url.Values, name string, values ...string) {
	n := 1
	for form.Has("Filter." + strconv.Itoa(n) + ".Name") {
		n++
	}
	prefix := "Filter." + strconv.Itoa(n) + "."
	form.Set(prefix+"Name", name)
	for i, v := range values {
		form.Set(prefix+"Value."+strconv.Itoa(i+1), v)
	}
}

// devInstances are the instances that a request's ids or filters name.
func (c *Cloud) devInstances(ctx context.Context, platform string, form url.Values) ([]dev.Instance, error) {
	var found []dev.Instance
	err := pages(func(token *string) (*string, error) {
		if token != nil {
			form.Set("NextToken", *token)
		}
		var out struct {
			Items []ec2Instance `xml:"reservationSet>item>instancesSet>item"`
			Next  string        `xml:"nextToken"`
		}
		if err := c.ec2(ctx, "DescribeInstances", form, &out); err != nil {
			return nil, err
		}
		for _, i := range out.Items {
			found = append(found, i.of(platform))
		}
		return &out.Next, nil
	})
	slices.SortFunc(found, func(a, b dev.Instance) int {
		return cmp.Or(cmp.Compare(a.Fleet.ID(), b.Fleet.ID()), a.Launched.Compare(b.Launched), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

// devGroups are the security groups that a request's filters name.
func (c *Cloud) devGroups(ctx context.Context, platform string, form url.Values) ([]dev.Group, error) {
	var found []dev.Group
	err := pages(func(token *string) (*string, error) {
		if token != nil {
			form.Set("NextToken", *token)
		}
		var out struct {
			Items []ec2Group `xml:"securityGroupInfo>item"`
			Next  string     `xml:"nextToken"`
		}
		if err := c.ec2(ctx, "DescribeSecurityGroups", form, &out); err != nil {
			return nil, err
		}
		for _, g := range out.Items {
			found = append(found, g.of(platform))
		}
		return &out.Next, nil
	})
	slices.SortFunc(found, func(a, b dev.Group) int { return cmp.Compare(a.ID, b.ID) })
	return found, err
}

type ec2Group struct {
	ID          string `xml:"groupId"`
	Name        string `xml:"groupName"`
	Permissions []struct {
		Protocol string  `xml:"ipProtocol"`
		From     *int    `xml:"fromPort"`
		To       *int    `xml:"toPort"`
		V4       []ec2ID `xml:"ipRanges>item"`
		V6       []ec2ID `xml:"ipv6Ranges>item"`
		Groups   []ec2ID `xml:"groups>item"`
		Lists    []ec2ID `xml:"prefixListIds>item"`
	} `xml:"ipPermissions>item"`
	Tags ec2Tags `xml:"tagSet>item"`
}

// ec2ID is whom a rule lets in, one of these.
type ec2ID struct {
	V4    string `xml:"cidrIp"`
	V6    string `xml:"cidrIpv6"`
	Group string `xml:"groupId"`
	List  string `xml:"prefixListId"`
}

func (g ec2Group) of(platform string) dev.Group {
	tags := g.Tags.byKey()
	out := dev.Group{ID: g.ID, Name: g.Name, Ours: tags[dev.TagManagedBy] == dev.ManagedBy,
		Fleet: dev.Fleet{Platform: platform, Stage: tags[dev.TagStage], Slug: tags[dev.TagSlug]}}
	for _, p := range g.Permissions {
		rule := dev.Rule{Protocol: p.Protocol, From: dev.NoPort, To: dev.NoPort}
		if p.From != nil && p.To != nil {
			rule.From, rule.To = *p.From, *p.To
		}
		for _, peer := range slices.Concat(p.V4, p.V6, p.Groups, p.Lists) {
			rule.Peer = cmp.Or(peer.V4, peer.V6, peer.Group, peer.List)
			out.Rules = append(out.Rules, rule)
		}
	}
	return out
}

// DevLeftovers finds every dev instance and security group of the account in
// this region by its tags; what is terminated already is not there.
func (c *Cloud) DevLeftovers(ctx context.Context, platform string) (dev.Leftover, error) {
	instances := url.Values{}
	filter(instances, "tag:"+dev.TagManagedBy, dev.ManagedBy)
	filter(instances, "instance-state-name", "pending", "running", "stopping", "stopped", "shutting-down")
	var left dev.Leftover
	var err error
	if left.Instances, err = c.devInstances(ctx, platform, instances); err != nil {
		return left, c.readError("look for dev instances", err)
	}
	groups := url.Values{}
	filter(groups, "tag:"+dev.TagManagedBy, dev.ManagedBy)
	if left.Groups, err = c.devGroups(ctx, platform, groups); err != nil {
		return left, c.readError("look for security groups of dev instances", err)
	}
	return left, nil
}

// devSubnets are the default VPC and its default subnets in zones that have the
// type, in the order of the zones.
func (c *Cloud) devSubnets(ctx context.Context, kind string) (vpc string, subnets []string, err error) {
	form := url.Values{}
	filter(form, "is-default", "true")
	var vpcs struct {
		IDs []string `xml:"vpcSet>item>vpcId"`
	}
	if err := c.ec2(ctx, "DescribeVpcs", form, &vpcs); err != nil {
		return "", nil, c.readError("look for the default VPC", err)
	}
	if len(vpcs.IDs) == 0 {
		return "", nil, dev.NoDefaultVPC(c.region)
	}
	form = url.Values{}
	filter(form, "vpc-id", vpcs.IDs[0])
	filter(form, "default-for-az", "true")
	var list struct {
		Items []struct {
			ID   string `xml:"subnetId"`
			Zone string `xml:"availabilityZone"`
		} `xml:"subnetSet>item"`
	}
	if err := c.ec2(ctx, "DescribeSubnets", form, &list); err != nil {
		return "", nil, c.readError("look for default subnets", err)
	}
	if len(list.Items) == 0 {
		return "", nil, &dev.Refusal{Message: fmt.Sprintf("the default VPC %s has no default subnet", vpcs.IDs[0]),
			Next: "aws ec2 create-default-subnet --availability-zone " + c.region + "a --region " + c.region}
	}
	form = url.Values{"LocationType": {"availability-zone"}}
	filter(form, "instance-type", kind)
	var offers struct {
		Zones []string `xml:"instanceTypeOfferingSet>item>location"`
	}
	if err := c.ec2(ctx, "DescribeInstanceTypeOfferings", form, &offers); err != nil {
		return "", nil, c.readError("ask which zones have "+kind, err)
	}
	slices.SortFunc(list.Items, func(a, b struct {
		ID   string `xml:"subnetId"`
		Zone string `xml:"availabilityZone"`
	}) int {
		return cmp.Compare(a.Zone, b.Zone)
	})
	for _, s := range list.Items {
		if slices.Contains(offers.Zones, s.Zone) {
			subnets = append(subnets, s.ID)
		}
	}
	if len(subnets) == 0 {
		return "", nil, &dev.Refusal{Message: fmt.Sprintf("no zone of %s with a default subnet offers %s", c.region, kind), Next: "name another type first in instanceTypes of the fleet, then reconcile apply"}
	}
	return vpcs.IDs[0], subnets, nil
}
