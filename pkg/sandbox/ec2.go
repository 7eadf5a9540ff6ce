package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func ec2Operations() map[string]operation {
	return map[string]operation{
		"DescribeAvailabilityZones":      reads(describeZones),
		"DescribeImages":                 reads(describeImages),
		"DescribeLaunchTemplates":        reads(describeLaunchTemplates),
		"DescribeLaunchTemplateVersions": reads(describeLaunchTemplateVersions),
		"DescribeSecurityGroups":         docReads(describeSecurityGroups),
		"CreateSecurityGroup":            docWrites(createSecurityGroup),
		"DeleteSecurityGroup":            docWrites(deleteSecurityGroup),
		"AuthorizeSecurityGroupIngress":  docWrites(authorizeIngress),
		"RevokeSecurityGroupIngress":     docWrites(revokeIngress),
		"RunInstances":                   docWrites(runInstances),
		"DescribeInstances":              docReads(describeInstances),
		"DescribeInstanceStatus":         docReads(describeInstanceStatus),
		"StartInstances":                 docWrites(move(0, runningCode, bootSeconds, stoppedCode)),
		"StopInstances":                  docWrites(move(64, stoppedCode, stopSeconds, 0, runningCode)),
		"TerminateInstances":             docWrites(move(32, terminatedCode, stopSeconds, 0, runningCode, 64, stoppedCode)),
		"DescribeInstanceTypes":          docReads(describeInstanceTypes),
		"DescribeInstanceTypeOfferings":  docReads(describeTypeOfferings),
		"DescribeSpotPriceHistory":       docReads(describeSpotPrices),
		"GetConsoleOutput":               docReads(getConsoleOutput),
		"CreateImage":                    docWrites(createImage),
		"DescribeSnapshots":              docReads(describeSnapshots),
		"DeleteSnapshot":                 docWrites(deleteSnapshot),
		"CreateTags":                     docWrites(createTags),
		"DeleteTags":                     docWrites(deleteTags),
		"DescribeTags":                   docReads(describeTags),
		"DescribeSubnets":                reads(describeSubnets),
		"DescribeVpcs":                   reads(describeVPCs),
		"RegisterImage":                  writes(registerImage),
		"DeregisterImage":                writes(deregisterImage),
		"CreateLaunchTemplateVersion":    writes(createLaunchTemplateVersion),
		"ModifyLaunchTemplate":           writes(modifyLaunchTemplate),
	}
}

// ec2Tag is a tag on the wire.
type ec2Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func ec2Tags(tags map[string]string) []ec2Tag {
	out := make([]ec2Tag, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		out = append(out, ec2Tag{key, tags[key]})
	}
	return out
}

func ec2Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// ec2Page reads MaxResults and cuts a page; without MaxResults everything
// that fits into most is one page.
func ec2Page[T any](r *ec2Request, all []T, key func(T) string, least, most int) ([]T, string, error) {
	limit := most
	if s := r.text("MaxResults"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return nil, "", fail("InvalidParameterValue", "Value ( %.20s ) for parameter maxResults is invalid. Expecting a value between %d and %d.", s, least, most)
		}
		limit = n
	}
	token := r.text("NextToken")
	out, next, err := page(all, key, &token, limit)
	if err != nil {
		return nil, "", fail("InvalidParameter", "The token '%.80s' is invalid", token)
	}
	if next == nil {
		return out, "", nil
	}
	return out, *next, nil
}

type zonesOut struct {
	Zones []zoneOut `xml:"availabilityZoneInfo>item"`
}

type zoneOut struct {
	Name   string `xml:"zoneName"`
	State  string `xml:"zoneState"`
	Region string `xml:"regionName"`
	ID     string `xml:"zoneId"`
	Type   string `xml:"zoneType"`
	OptIn  string `xml:"optInStatus"`
	Group  string `xml:"groupName"`
	Border string `xml:"networkBorderGroup"`
}

// zones are the availability zones of every region of the sandbox.
func (c *call) zones() []string { return zonesOf(c.region.Name) }

func zonesOf(region string) []string { return []string{region + "a", region + "b", region + "c"} }

func describeZones(c *call, in *ec2Request) (*zonesOut, error) {
	names, err := in.list("ZoneName")
	if err != nil {
		return nil, err
	}
	filters, err := in.filters()
	if err != nil {
		return nil, err
	}
	all := c.zones()
	if err := allKnown(names, func(s string) bool { return slices.Contains(all, s) }, "InvalidParameterValue", "Invalid availability zone: [%s]"); err != nil {
		return nil, err
	}
	out := &zonesOut{}
	for i, name := range all {
		z := zoneOut{Name: name, State: "available", Region: c.region.Name, ID: zoneID(c.region.Name, i), Type: "availability-zone", OptIn: "opt-in-not-required", Group: c.region.Name, Border: c.region.Name}
		ok, err := matchFilters(filters, func(f string) ([]string, bool) {
			return lookup(map[string]string{"zone-name": z.Name, "zone-id": z.ID, "state": z.State, "region-name": z.Region, "zone-type": z.Type, "opt-in-status": z.OptIn, "group-name": z.Group}, f)
		})
		if err != nil {
			return nil, err
		}
		if ok && (len(names) == 0 || slices.Contains(names, name)) {
			out.Zones = append(out.Zones, z)
		}
	}
	return out, nil
}

// zoneID shortens a region and adds the zone's number: use1-az1, apne2-az3.
func zoneID(region string, i int) string {
	short := strings.NewReplacer("northeast", "ne", "northwest", "nw", "southeast", "se", "southwest", "sw",
		"north", "n", "south", "s", "east", "e", "west", "w", "central", "c", "-", "").Replace(region)
	return short + "-az" + strconv.Itoa(i+1)
}

// lookup answers a filter from single values.
func lookup(values map[string]string, name string) ([]string, bool) {
	v, ok := values[name]
	return []string{v}, ok
}

// tagFilter answers tag:KEY and tag-key filters.
func tagFilter(tags map[string]string, name string) ([]string, bool) {
	if name == "tag-key" {
		return sortedKeys(tags), true
	}
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		if v, has := tags[key]; has {
			return []string{v}, true
		}
		return nil, true
	}
	return nil, false
}

// allKnown refuses the first id that does not exist.
func allKnown(ids []string, known func(string) bool, code, format string) error {
	for _, id := range ids {
		if !known(id) {
			return fail(code, format, id)
		}
	}
	return nil
}
