package sandbox

import (
	"regexp"
	"slices"
	"sort"
	"strconv"
	"time"
)

// image is an AMI that somebody registered, or a stocked one that is gone.
type image struct {
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	Describe     string            `json:"description,omitempty"`
	Architecture string            `json:"architecture,omitempty"`
	RootDevice   string            `json:"rootDevice,omitempty"`
	Created      time.Time         `json:"created"`
	Tags         map[string]string `json:"tags,omitempty"`
	Gone         bool              `json:"gone,omitempty"`
	Ready        time.Time         `json:"ready,omitzero"` // pending before
	Snapshot     string            `json:"snapshot,omitempty"`
	Size         int               `json:"size,omitempty"`  // GiB of the root volume
	Owner        string            `json:"owner,omitempty"` // "" for the account itself
}

var imagePattern = regexp.MustCompile(`^ami-[0-9a-f]{8}([0-9a-f]{9})?$`)

// image finds an AMI, a stocked one included.
func (c *call) image(id string) *image {
	if m := c.region.Images[id]; m != nil {
		if m.Gone {
			return nil
		}
		return m
	}
	if m := c.publicImage(); m != nil && m.ID == id {
		return m
	}
	if c.account.Bare || !isStockedAMI(id) {
		return nil
	}
	return &image{
		ID: id, Name: "bp-comfyui-stocked-" + id[len("ami-"):], Describe: "an image that the sandbox has in stock",
		Architecture: "x86_64", RootDevice: "/dev/sda1", Created: c.account.Created,
	}
}

// imageExists tells whether EC2 knows an AMI.
func (c *call) imageExists(id string) bool { return c.image(id) != nil }

type imagesOut struct {
	Images []imageOut `xml:"imagesSet>item"`
	Next   string     `xml:"nextToken,omitempty"`
}

type imageOut struct {
	ID           string   `xml:"imageId"`
	Location     string   `xml:"imageLocation"`
	State        string   `xml:"imageState"`
	Owner        string   `xml:"imageOwnerId"`
	Public       bool     `xml:"isPublic"`
	Architecture string   `xml:"architecture"`
	Type         string   `xml:"imageType"`
	Name         string   `xml:"name"`
	Describe     string   `xml:"description,omitempty"`
	Root         string   `xml:"rootDeviceName"`
	RootType     string   `xml:"rootDeviceType"`
	Virtual      string   `xml:"virtualizationType"`
	Hypervisor   string   `xml:"hypervisor"`
	Created      string   `xml:"creationDate"`
	ENA          bool     `xml:"enaSupport"`
	Tags         []ec2Tag `xml:"tagSet>item"`

	Devices []deviceOut `xml:"blockDeviceMapping>item"`
}

type deviceOut struct {
	Name     string `xml:"deviceName"`
	Snapshot string `xml:"ebs>snapshotId"`
	Size     int    `xml:"ebs>volumeSize"`
	Type     string `xml:"ebs>volumeType"`
}

func (m *image) devices() []deviceOut {
	if m.Snapshot == "" {
		return nil
	}
	return []deviceOut{{m.RootDevice, m.Snapshot, m.Size, "gp3"}}
}

func describeImages(c *call, in *ec2Request) (*imagesOut, error) {
	ids, err := in.list("ImageId")
	if err != nil {
		return nil, err
	}
	owners, err := in.list("Owner")
	if err != nil {
		return nil, err
	}
	filters, err := in.filters()
	if err != nil {
		return nil, err
	}
	if err := knownFilters(filters, (&image{}).filterValues(c)); err != nil {
		return nil, err
	}
	images, err := c.imagesAsked(ids, filters["image-id"])
	if err != nil {
		return nil, err
	}
	var all []imageOut
	for _, m := range images {
		ok, err := matchFilters(filters, m.filterValues(c))
		if err != nil {
			return nil, err
		}
		mine := len(owners) == 0 || m.Owner == "" && slices.Contains(owners, "self") || slices.Contains(owners, m.owner(c))
		if ok && mine {
			all = append(all, m.out(c))
		}
	}
	list, next, err := ec2Page(in, all, func(m imageOut) string { return m.ID }, 1, 1000)
	return &imagesOut{Images: list, Next: next}, err
}

// imagesAsked are the images of these ids, or all that are stored; what is in
// stock has no end and shows only when it is asked for by id, named as such or
// among the values of a filter.
func (c *call) imagesAsked(ids, filter []string) ([]*image, error) {
	if len(ids) == 0 {
		ids = append(sortedKeys(c.region.Images), slices.DeleteFunc(slices.Clone(filter), func(id string) bool { return !isStockedAMI(id) })...)
		ids = slices.DeleteFunc(ids, func(id string) bool { return !c.imageExists(id) })
		if m := c.publicImage(); m != nil {
			ids = append(ids, m.ID)
		}
	}
	sort.Strings(ids)
	var out []*image
	for _, id := range slices.Compact(ids) {
		if !imagePattern.MatchString(id) {
			return nil, fail("InvalidAMIID.Malformed", "Invalid id: \"%.80s\" (expecting \"ami-...\")", id)
		}
		m := c.image(id)
		if m == nil {
			return nil, fail("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
		}
		out = append(out, m)
	}
	return out, nil
}

func (m *image) state(now time.Time) string {
	if now.Before(m.Ready) {
		return "pending"
	}
	return "available"
}

func (m *image) owner(c *call) string {
	if m.Owner != "" {
		return m.Owner
	}
	return c.account.ID
}

// publicImage is the image that fleets are built from, in a stocked account:
// Canonical's Ubuntu 22.04 (facts: contracts, AMI builds).
func (c *call) publicImage() *image {
	if c.account.Bare {
		return nil
	}
	return &image{
		ID: "ami-" + hexOf("ubuntu jammy", c.region.Name)[:17], Name: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20251015", Architecture: "x86_64", RootDevice: "/dev/sda1",
		Describe: "Canonical, Ubuntu, 22.04 LTS, amd64 jammy image", Created: time.Date(2025, 10, 15, 0, 0, 0, 0, time.UTC), Owner: "099720109477", Snapshot: "snap-" + hexOf("ubuntu jammy snapshot")[:17], Size: 8,
	}
}

func (m *image) filterValues(c *call) func(string) ([]string, bool) {
	return func(name string) ([]string, bool) {
		if have, ok := tagFilter(m.Tags, name); ok {
			return have, true
		}
		return lookup(map[string]string{
			"image-id": m.ID, "name": m.Name, "state": m.state(c.now), "architecture": m.Architecture, "owner-id": m.owner(c),
			"root-device-type": "ebs", "virtualization-type": "hvm", "image-type": "machine", "is-public": strconv.FormatBool(m.Owner != ""), "description": m.Describe,
		}, name)
	}
}

func (m *image) out(c *call) imageOut {
	return imageOut{
		ID: m.ID, Location: c.account.ID + "/" + m.Name, State: m.state(c.now), Owner: m.owner(c), Public: m.Owner != "", Devices: m.devices(), Architecture: m.Architecture,
		Type: "machine", Name: m.Name, Describe: m.Describe, Root: m.RootDevice, RootType: "ebs", Virtual: "hvm", Hypervisor: "xen",
		Created: ec2Time(m.Created), ENA: true, Tags: ec2Tags(m.Tags),
	}
}

type registerImageOut struct {
	ID string `xml:"imageId"`
}

func registerImage(c *call, in *ec2Request) (*registerImageOut, error) {
	name := in.text("Name")
	if name == "" {
		return nil, fail("MissingParameter", "The request must contain the parameter name")
	}
	if err := c.imageNameFree(name); err != nil {
		return nil, err
	}
	form, err := in.form.plain(true)
	if err != nil {
		return nil, err
	}
	tree, _ := form.(map[string]any)
	m := &image{
		ID: "ami-" + c.account.draw("image")[:17], Name: name, Describe: in.text("Description"), Architecture: in.text("Architecture"),
		RootDevice: in.text("RootDeviceName"), Created: c.now, Tags: props{"Tags": taggedAs(tree, "image")}.tags("Tags"),
	}
	for _, d := range props(tree).list("BlockDeviceMapping") {
		id := d.sub("Ebs").text("SnapshotId")
		if id != "" && c.region.Snapshots[id] == nil {
			return nil, fail("InvalidSnapshot.NotFound", "The snapshot '%.80s' does not exist.", id)
		}
		if id != "" {
			m.Snapshot, m.Size = id, c.region.Snapshots[id].Size
		}
	}
	if m.Architecture == "" {
		m.Architecture = "x86_64"
	}
	c.region.Images[m.ID] = m
	return &registerImageOut{m.ID}, nil
}

type returnOut struct {
	Return bool `xml:"return"`
}

func deregisterImage(c *call, in *ec2Request) (*returnOut, error) {
	id := in.text("ImageId")
	if !c.imageExists(id) {
		return nil, fail("InvalidAMIID.NotFound", "The image id '[%.80s]' does not exist", id)
	}
	c.settleImages()
	c.region.Images[id] = &image{ID: id, Gone: true, Created: c.now}
	return &returnOut{true}, nil
}
