package sandbox

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// snapshot is what an image's root volume is made of.
type snapshot struct {
	ID       string            `json:"id"`
	Volume   string            `json:"volume"`
	Size     int               `json:"size"` // GiB
	Describe string            `json:"description,omitempty"`
	Created  time.Time         `json:"created"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// imageSeconds is how long CreateImage takes until the image is available.
const imageSeconds = 120

// createImage makes an image of an instance, with a snapshot of its root volume.
func createImage(c *call, in props) (doc, error) {
	i, err := c.machine(in.text("InstanceId"))
	if err != nil {
		return nil, err
	}
	if s := i.state(c.now); s.code != runningCode && s.code != stoppedCode {
		return nil, fail("IncorrectInstanceState", "The instance '%s' is not in the 'running' or 'stopped' state.", i.ID)
	}
	if len(in.text("Name")) < 3 || len(in.text("Name")) > 128 {
		return nil, fail("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'")
	}
	if err := c.imageNameFree(in.text("Name")); err != nil {
		return nil, err
	}
	size := 8
	for _, d := range i.Devices {
		if n, ok := props(d).sub("Ebs").number("VolumeSize"); ok {
			size = int(n)
		}
	}
	m := &image{
		ID: "ami-" + c.account.draw("image")[:17], Name: in.text("Name"), Describe: in.text("Description"), Architecture: "x86_64", RootDevice: "/dev/sda1",
		Created: c.now, Ready: c.now.Add(c.takes(imageSeconds)), Tags: props{"Tags": taggedAs(in, "image")}.tags("Tags"),
	}
	s := &snapshot{
		ID: "snap-" + c.account.draw("snapshot")[:17], Volume: "vol-" + hexOf("volume", i.ID)[:17], Size: size, Created: c.now,
		Describe: "Created by CreateImage(" + i.ID + ") for " + m.ID, Tags: props{"Tags": taggedAs(in, "snapshot")}.tags("Tags"),
	}
	m.Snapshot, m.Size = s.ID, size
	c.region.Images[m.ID], c.region.Snapshots[s.ID] = m, s
	return doc{"imageId": m.ID}, nil
}

func (c *call) imageNameFree(name string) error {
	for _, id := range sortedKeys(c.region.Images) {
		if m := c.image(id); m != nil && m.Name == name {
			return fail("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", name, id)
		}
	}
	return nil
}

func describeSnapshots(c *call, in props) (doc, error) {
	ids, owners := in.texts("SnapshotId"), in.texts("Owner")
	for _, id := range ids {
		if c.region.Snapshots[id] == nil {
			return nil, fail("InvalidSnapshot.NotFound", "The snapshot '%.80s' does not exist.", id)
		}
	}
	var all []networkItem
	for id, s := range c.region.Snapshots {
		mine := len(owners) == 0 || slices.Contains(owners, "self") || slices.Contains(owners, c.account.ID)
		if mine && (len(ids) == 0 || slices.Contains(ids, id)) {
			all = append(all, networkItem{id: id, stackTags: s.Tags})
		}
	}
	slices.SortFunc(all, func(a, b networkItem) int { return strings.Compare(a.id, b.id) })
	list, next, err := filtered(in, all, func(i networkItem, name string) ([]string, bool) {
		s := c.region.Snapshots[i.id]
		if s == nil {
			s = &snapshot{}
		}
		return lookup(map[string]string{"snapshot-id": s.ID, "volume-id": s.Volume, "status": "completed", "owner-id": c.account.ID, "description": s.Describe, "volume-size": plainText(s.Size)}, name)
	})
	out := []doc{}
	for _, i := range list {
		s := c.region.Snapshots[i.id]
		out = append(out, doc{
			"snapshotId": s.ID, "volumeId": s.Volume, "status": "completed", "startTime": s.Created, "progress": "100%", "ownerId": c.account.ID, "description": s.Describe,
			"volumeSize": s.Size, "encrypted": true, "storageTier": "standard", "tagSet": ec2TagDocs(s.Tags),
		})
	}
	return doc{"snapshotSet": out, "nextToken": next}, err
}

// deleteSnapshot refuses one that an image still needs.
func deleteSnapshot(c *call, in props) (doc, error) {
	id := in.text("SnapshotId")
	if c.region.Snapshots[id] == nil {
		return nil, fail("InvalidSnapshot.NotFound", "The snapshot '%.80s' does not exist.", id)
	}
	for _, name := range sortedKeys(c.region.Images) {
		if m := c.image(name); m != nil && m.Snapshot == id {
			return nil, fail("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", id, m.ID)
		}
	}
	delete(c.region.Snapshots, id)
	return doc{"return": true}, nil
}

// tagsOf finds the tags of a resource of EC2; a setter writes them back.
func (c *call) tagsOf(id string) (tags map[string]string, kind string, set func(map[string]string), err error) {
	kind, _, _ = strings.Cut(id, "-")
	switch kind {
	case "i":
		if own := c.region.Instances[id]; own != nil {
			return own.Tags, "instance", func(t map[string]string) { own.Tags = t }, nil
		}
	case "ami":
		if m := c.region.Images[id]; m != nil && !m.Gone {
			return m.Tags, "image", func(t map[string]string) { m.Tags = t }, nil
		}
		if m := c.image(id); m != nil {
			return m.Tags, "image", func(t map[string]string) { m.Tags = t; c.region.Images[id] = m }, nil
		}
	case "snap":
		if s := c.region.Snapshots[id]; s != nil {
			return s.Tags, "snapshot", func(t map[string]string) { s.Tags = t }, nil
		}
	case "lt":
		if t := c.region.LaunchTemplates[id]; t != nil {
			return t.Tags, "launch-template", func(tags map[string]string) { t.Tags = tags }, nil
		}
	}
	for typeName, name := range map[string]string{groupType2: "security-group", "AWS::EC2::VPC": "vpc", "AWS::EC2::Subnet": "subnet"} {
		if i, ok := c.among(typeName, id); ok {
			return i.props.tags("Tags"), name, func(tags map[string]string) {
				p := maps.Clone(i.props)
				var list []any
				for _, k := range sortedKeys(tags) {
					list = append(list, map[string]any{"Key": k, "Value": tags[k]})
				}
				p["Tags"] = list
				c.put(typeName, id, p, nil)
			}, nil
		}
	}
	return nil, "", nil, fail("InvalidID", "The ID '%.80s' is not valid", id)
}

func createTags(c *call, in props) (doc, error) {
	for _, t := range in.list("Tag") {
		if strings.HasPrefix(t.text("Key"), "aws:") {
			return nil, fail("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		}
	}
	return c.retag(in, func(tags map[string]string) {
		maps.Copy(tags, props{"Tags": in["Tag"]}.tags("Tags"))
	})
}

func deleteTags(c *call, in props) (doc, error) {
	return c.retag(in, func(tags map[string]string) {
		for _, t := range in.list("Tag") {
			if _, value := t["Value"]; !value || tags[t.text("Key")] == t.text("Value") {
				delete(tags, t.text("Key"))
			}
		}
	})
}

func (c *call) retag(in props, change func(map[string]string)) (doc, error) {
	for _, id := range in.texts("ResourceId") {
		if _, _, _, err := c.tagsOf(id); err != nil {
			return nil, err
		}
	}
	for _, id := range in.texts("ResourceId") {
		tags, _, set, err := c.tagsOf(id)
		if err != nil {
			return nil, err
		}
		if tags = maps.Clone(tags); tags == nil {
			tags = map[string]string{}
		}
		change(tags)
		set(tags)
	}
	return doc{"return": true}, nil
}

func describeTags(c *call, in props) (doc, error) {
	var ids []string
	for _, i := range c.instances() {
		ids = append(ids, i.ID)
	}
	ids = append(ids, sortedKeys(c.region.Images)...)
	ids = append(ids, sortedKeys(c.region.Snapshots)...)
	ids = append(ids, sortedKeys(c.region.LaunchTemplates)...)
	for _, typeName := range []string{groupType2, "AWS::EC2::VPC", "AWS::EC2::Subnet"} {
		for _, i := range c.items(typeName) {
			ids = append(ids, i.id)
		}
	}
	slices.Sort(ids)
	filters := map[string][]string{}
	for _, f := range in.list("Filter") {
		filters[f.text("Name")] = f.texts("Value")
	}
	out := []doc{}
	for _, id := range ids {
		tags, kind, _, err := c.tagsOf(id)
		if err != nil {
			continue // it has none that a call could change
		}
		for _, k := range sortedKeys(tags) {
			ok, err := matchFilters(filters, func(name string) ([]string, bool) {
				return lookup(map[string]string{"resource-id": id, "resource-type": kind, "key": k, "value": tags[k]}, name)
			})
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, doc{"resourceId": id, "resourceType": kind, "key": k, "value": tags[k]})
			}
		}
	}
	return doc{"tagSet": out}, nil
}
