package sandbox

import (
	"strconv"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// The network is what stacks made of it: these operations show the engine's
// own list, read-only. A VPC that nobody made does not exist.

// networkItem is a thing of the account with its live properties.
type networkItem struct {
	id         string
	props      props
	attributes map[string]string
	stackTags  map[string]string
	created    time.Time
	item       *stackengine.Item // nil for what was made by hand
}

// item is what a stack made of a type, or left behind; nil when there is none.
func (c *call) item(typeName, id string) *stackengine.Item {
	if c.region.Stacks == nil {
		return nil
	}
	return c.region.Stacks.Items[typeName+"|"+id]
}

// itemProps are an item's properties: live ones where they differ from the
// stack's, else what its stack deployed.
func (c *call) itemProps(item *stackengine.Item) props { return itemProps(c.region, item) }

func itemProps(r *region, item *stackengine.Item) props {
	if len(item.Properties) > 0 {
		return decodeProps(item.Properties)
	}
	s := r.Stacks.Stacks[item.Owner]
	if s == nil || s.Resources[item.LogicalID] == nil {
		return props{}
	}
	// While a resource is replaced, the stack's record may be of the other one.
	for res := s.Resources[item.LogicalID]; res != nil; res = res.Before {
		if res.PhysicalID == item.PhysicalID {
			return decodeProps(res.Properties)
		}
	}
	for _, res := range s.Garbage {
		if res.PhysicalID == item.PhysicalID && res.Type == item.Type {
			return decodeProps(res.Properties)
		}
	}
	return decodeProps(s.Resources[item.LogicalID].Properties)
}

// itemsAsked applies the ids of a request.
func (c *call) itemsAsked(in *ec2Request, typeName, idParameter, code, format string) ([]networkItem, error) {
	ids, err := in.list(idParameter)
	if err != nil {
		return nil, err
	}
	all := c.items(typeName)
	if len(ids) == 0 {
		return all, nil
	}
	byID := map[string]networkItem{}
	for _, item := range all {
		byID[item.id] = item
	}
	if err := allKnown(ids, func(id string) bool { _, ok := byID[id]; return ok }, code, format); err != nil {
		return nil, err
	}
	var out []networkItem
	for _, id := range ids {
		out = append(out, byID[id])
	}
	return out, nil
}

// shown keeps the items that pass the request's filters, one page of them.
func shown[T any](in *ec2Request, items []networkItem, values func(networkItem) map[string]string, out func(networkItem) T, key func(T) string) ([]T, string, error) {
	filters, err := in.filters()
	if err != nil {
		return nil, "", err
	}
	var all []T
	for _, item := range items {
		ok, err := matchFilters(filters, func(name string) ([]string, bool) {
			if have, ok := tagFilter(item.props.tags("Tags"), name); ok {
				return have, true
			}
			return lookup(values(item), name)
		})
		if err != nil {
			return nil, "", err
		}
		if ok {
			all = append(all, out(item))
		}
	}
	nothing := values(networkItem{props: props{}})
	if err := knownFilters(filters, func(name string) ([]string, bool) { return lookup(nothing, name) }); err != nil {
		return nil, "", err
	}
	return ec2Page(in, all, key, 5, 1000)
}

type vpcsOut struct {
	VPCs []vpcOut `xml:"vpcSet>item"`
	Next string   `xml:"nextToken,omitempty"`
}

type vpcOut struct {
	ID      string   `xml:"vpcId"`
	Owner   string   `xml:"ownerId"`
	State   string   `xml:"state"`
	CIDR    string   `xml:"cidrBlock"`
	Tenancy string   `xml:"instanceTenancy"`
	Default bool     `xml:"isDefault"`
	Tags    []ec2Tag `xml:"tagSet>item"`
}

func describeVPCs(c *call, in *ec2Request) (*vpcsOut, error) {
	items, err := c.itemsAsked(in, "AWS::EC2::VPC", "VpcId", "InvalidVpcID.NotFound", "The vpc ID '%.80s' does not exist")
	if err != nil {
		return nil, err
	}
	list, next, err := shown(in, items, func(i networkItem) map[string]string {
		return map[string]string{"vpc-id": i.id, "cidr": i.props.text("CidrBlock"), "state": "available", "is-default": strconv.FormatBool(i.props.flag("IsDefault")), "isDefault": strconv.FormatBool(i.props.flag("IsDefault")), "owner-id": c.account.ID}
	}, func(i networkItem) vpcOut {
		return vpcOut{ID: i.id, Owner: c.account.ID, State: "available", CIDR: i.props.text("CidrBlock"), Tenancy: "default", Default: i.props.flag("IsDefault"), Tags: ec2Tags(i.props.tags("Tags"))}
	}, func(v vpcOut) string { return v.ID })
	return &vpcsOut{VPCs: list, Next: next}, err
}

type subnetsOut struct {
	Subnets []subnetOut `xml:"subnetSet>item"`
	Next    string      `xml:"nextToken,omitempty"`
}

type subnetOut struct {
	ID     string   `xml:"subnetId"`
	ARN    string   `xml:"subnetArn"`
	VPC    string   `xml:"vpcId"`
	Owner  string   `xml:"ownerId"`
	State  string   `xml:"state"`
	CIDR   string   `xml:"cidrBlock"`
	Zone   string   `xml:"availabilityZone"`
	Public bool     `xml:"mapPublicIpOnLaunch"`
	Free   int      `xml:"availableIpAddressCount"`
	Usual  bool     `xml:"defaultForAz"`
	Tags   []ec2Tag `xml:"tagSet>item"`
}

func describeSubnets(c *call, in *ec2Request) (*subnetsOut, error) {
	items, err := c.itemsAsked(in, "AWS::EC2::Subnet", "SubnetId", "InvalidSubnetID.NotFound", "The subnet ID '%.80s' does not exist")
	if err != nil {
		return nil, err
	}
	list, next, err := shown(in, items, func(i networkItem) map[string]string {
		return map[string]string{"subnet-id": i.id, "vpc-id": i.props.text("VpcId"), "availability-zone": i.props.text("AvailabilityZone"), "cidr-block": i.props.text("CidrBlock"), "state": "available", "default-for-az": strconv.FormatBool(i.props.flag("DefaultForAz")), "map-public-ip-on-launch": strconv.FormatBool(i.props.flag("MapPublicIpOnLaunch"))}
	}, func(i networkItem) subnetOut {
		return subnetOut{
			ID: i.id, ARN: c.arn("ec2", "subnet/"+i.id), VPC: i.props.text("VpcId"), Owner: c.account.ID, State: "available", CIDR: i.props.text("CidrBlock"),
			Zone: i.props.text("AvailabilityZone"), Public: i.props.flag("MapPublicIpOnLaunch"), Free: 251, Usual: i.props.flag("DefaultForAz"), Tags: ec2Tags(i.props.tags("Tags")),
		}
	}, func(s subnetOut) string { return s.ID })
	return &subnetsOut{Subnets: list, Next: next}, err
}
