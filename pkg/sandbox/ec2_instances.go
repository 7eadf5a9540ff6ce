package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// instance is one that RunInstances made. Those of Auto Scaling groups are the
// groups' own and are shown beside them.
type instance struct {
	ID       string            `json:"id"`
	Image    string            `json:"image"`
	Type     string            `json:"type"`
	Subnet   string            `json:"subnet,omitempty"`
	VPC      string            `json:"vpc,omitempty"`
	Zone     string            `json:"zone"`
	Groups   []string          `json:"groups,omitempty"`
	Profile  string            `json:"profile,omitempty"` // name
	Public   bool              `json:"public,omitempty"`
	Spot     bool              `json:"spot,omitempty"`
	Stops    bool              `json:"stops,omitempty"` // a shutdown from inside stops it
	UserData string            `json:"userData,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"` // options
	Devices  []map[string]any  `json:"devices,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Token    string            `json:"token,omitempty"`
	Launched time.Time         `json:"launched"`
	Life     []moment          `json:"life"` // the oldest first
}

// moment is when an instance comes into a state.
type moment struct {
	At   time.Time `json:"at"`
	Code int       `json:"code"`
}

// Seconds that an instance takes, and the codes of EC2's states.
const (
	bootSeconds = 20
	stopSeconds = 30

	runningCode    = 16
	terminatedCode = 48
	stoppedCode    = 80
)

type instanceState struct {
	code int
	name string
	at   time.Time
}

func stateNames() map[int]string {
	return map[int]string{0: "pending", runningCode: "running", 32: "shutting-down", terminatedCode: "terminated", 64: "stopping", stoppedCode: "stopped"}
}

func (i *instance) state(now time.Time) instanceState {
	out := instanceState{name: "pending", at: i.Launched}
	for _, m := range i.Life {
		if !m.At.After(now) {
			out = instanceState{m.Code, stateNames()[m.Code], m.At}
		}
	}
	return out
}

// become lets an instance pass through a state into another one.
func (i *instance) become(c *call, through, into int, seconds float64) {
	i.Life = slices.DeleteFunc(i.Life, func(m moment) bool { return m.At.After(c.now) })
	i.Life = append(i.Life, moment{c.now, through}, moment{c.now.Add(c.takes(seconds)), into})
}

// instances are all that exist, by id; a terminated one shows for an hour.
func (c *call) instances() []*instance {
	var out []*instance
	for _, id := range sortedKeys(c.region.Instances) {
		i := c.region.Instances[id]
		if s := i.state(c.now); s.code != terminatedCode || c.now.Sub(s.at) < time.Hour {
			out = append(out, i)
		}
	}
	for _, name := range sortedKeys(c.region.Groups) {
		g := c.region.Groups[name]
		for k := range g.Instances {
			if i := c.groupInstance(g, &g.Instances[k]); c.now.Sub(i.state(c.now).at) < time.Hour || i.state(c.now).code != terminatedCode {
				out = append(out, i)
			}
		}
	}
	slices.SortFunc(out, func(a, b *instance) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// groupInstance shows an instance of a group as EC2 does.
func (c *call) groupInstance(g *group, gi *groupInstance) *instance {
	out := &instance{ID: gi.ID, Image: gi.Image, Type: gi.Type, Zone: gi.Zone, Launched: gi.Launched, Spot: !gi.OnDemand, Tags: map[string]string{"aws:autoscaling:groupName": g.Name}}
	for _, t := range g.Tags {
		if t.Propagate {
			out.Tags[t.Key] = t.Value
		}
	}
	out.Life = []moment{{gi.Launched, 0}, {gi.Launched.Add(c.takes(bootSeconds)), runningCode}}
	if !gi.Shut.IsZero() {
		out.Life = append(out.Life, moment{gi.Shut, 32}, moment{gi.Shut.Add(c.takes(terminateSeconds)), terminatedCode})
	}
	for _, id := range g.Subnets {
		if s, ok := c.subnet(id); ok && s.props.text("AvailabilityZone") == gi.Zone {
			out.Subnet, out.VPC = id, s.props.text("VpcId")
		}
	}
	if t := c.template(gi.Template.ID, gi.Template.Name); t != nil {
		p := t.latest().properties()
		out.Groups = p.texts("SecurityGroupIds")
		profile := p.sub("IamInstanceProfile")
		if out.Profile = profile.text("Name"); out.Profile == "" {
			out.Profile = tail(profile.text("Arn"))
		}
	}
	return out
}

func (c *call) machine(id string) (*instance, error) {
	if !strings.HasPrefix(id, "i-") {
		return nil, fail("InvalidInstanceID.Malformed", "Invalid id: \"%.80s\" (expecting \"i-...\")", id)
	}
	for _, i := range c.instances() {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, fail("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

func (c *call) address(i *instance, kind string) string {
	h := hexOf(kind, i.ID)
	n := func(k int) string { v, _ := strconv.ParseUint(h[k:k+2], 16, 8); return strconv.Itoa(int(v)%250 + 2) }
	if kind == "private" {
		return "10.0." + n(0) + "." + n(2)
	}
	return "54." + n(0) + "." + n(2) + "." + n(4)
}

func (c *call) instanceDoc(i *instance) doc {
	s := i.state(c.now)
	out := doc{
		"instanceId": i.ID, "imageId": i.Image, "instanceType": i.Type, "instanceState": doc{"code": s.code, "name": s.name}, "launchTime": i.Launched,
		"placement": doc{"availabilityZone": i.Zone, "tenancy": "default"}, "architecture": "x86_64", "rootDeviceName": "/dev/sda1", "rootDeviceType": "ebs",
		"virtualizationType": "hvm", "hypervisor": "xen", "monitoring": doc{"state": "disabled"}, "enaSupport": true, "clientToken": opt(i.Token), "amiLaunchIndex": 0,
		"tagSet": ec2TagDocs(i.Tags), "reason": "", "platformDetails": "Linux/UNIX", "sourceDestCheck": true,
	}
	groups := []doc{}
	for _, id := range i.Groups {
		g, _ := c.securityGroup(id)
		groups = append(groups, doc{"groupId": id, "groupName": c.groupName(g)})
	}
	out["groupSet"] = groups
	options := doc{"state": "applied", "httpTokens": "optional", "httpPutResponseHopLimit": 1, "httpEndpoint": "enabled"}
	for k, v := range i.Metadata {
		options[lowerFirst(k)] = v
	}
	out["metadataOptions"] = options
	if i.Spot {
		out["instanceLifecycle"] = "spot"
	}
	if i.Profile != "" {
		out["iamInstanceProfile"] = doc{"arn": "arn:aws:iam::" + c.account.ID + ":instance-profile/" + i.Profile, "id": "AIPA" + strings.ToUpper(hexOf("profile", i.Profile)[:17])}
	}
	if s.code == terminatedCode {
		out["stateReason"] = doc{"code": "Client.UserInitiatedShutdown", "message": "Client.UserInitiatedShutdown: User initiated shutdown"}
		return out
	}
	out["subnetId"], out["vpcId"], out["privateIpAddress"] = opt(i.Subnet), opt(i.VPC), c.address(i, "private")
	if i.Public && (s.code == runningCode || s.code == 0) {
		out["ipAddress"] = c.address(i, "public")
	}
	return out
}

func describeInstances(c *call, in props) (doc, error) {
	list, next, err := c.instancesAsked(in, true)
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range list {
		out = append(out, doc{"reservationId": "r-" + hexOf("reservation", i.ID)[:17], "ownerId": c.account.ID, "groupSet": []doc{}, "instancesSet": []doc{c.instanceDoc(i)}})
	}
	return doc{"reservationSet": out, "nextToken": next}, nil
}

// instancesAsked applies ids, filters and paging; without all, only what runs.
func (c *call) instancesAsked(in props, all bool) ([]*instance, any, error) {
	ids := in.texts("InstanceId")
	for _, id := range ids {
		if _, err := c.machine(id); err != nil {
			return nil, nil, err
		}
	}
	byID := map[string]*instance{}
	var things []networkItem
	for _, i := range c.instances() {
		if (len(ids) == 0 || slices.Contains(ids, i.ID)) && (all || i.state(c.now).code == runningCode) {
			byID[i.ID] = i
			things = append(things, networkItem{id: i.ID, stackTags: i.Tags})
		}
	}
	list, next, err := filtered(in, things, func(t networkItem, name string) ([]string, bool) {
		i := byID[t.id]
		if i == nil {
			i = &instance{}
		}
		s := i.state(c.now)
		if name == "instance.group-id" || name == "network-interface.group-id" {
			return i.Groups, true
		}
		return lookup(map[string]string{
			"instance-id": i.ID, "instance-state-name": s.name, "instance-state-code": plainText(s.code), "instance-type": i.Type, "image-id": i.Image, "subnet-id": i.Subnet,
			"vpc-id": i.VPC, "availability-zone": i.Zone, "client-token": i.Token, "instance-lifecycle": map[bool]string{true: "spot"}[i.Spot],
			"iam-instance-profile.arn": "arn:aws:iam::" + c.account.ID + ":instance-profile/" + i.Profile, "ip-address": c.address(i, "public"), "private-ip-address": c.address(i, "private"),
		}, name)
	})
	var out []*instance
	for _, t := range list {
		out = append(out, byID[t.id])
	}
	return out, next, err
}

func describeInstanceStatus(c *call, in props) (doc, error) {
	list, next, err := c.instancesAsked(in, in.flag("IncludeAllInstances"))
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range list {
		s := i.state(c.now)
		check := "not-applicable"
		if s.code == runningCode {
			if check = "initializing"; c.now.Sub(s.at) >= c.takes(120) {
				check = "ok"
			}
		}
		reach := map[string]string{"ok": "passed", "initializing": "initializing"}[check]
		status := doc{"status": check, "details": []doc{}}
		if reach != "" {
			status["details"] = []doc{{"name": "reachability", "status": reach}}
		}
		out = append(out, doc{"instanceId": i.ID, "availabilityZone": i.Zone, "instanceState": doc{"code": s.code, "name": s.name}, "instanceStatus": status, "systemStatus": status})
	}
	return doc{"instanceStatusSet": out, "nextToken": next}, nil
}

// move makes the handler of Start, Stop and TerminateInstances.
func move(through, into int, seconds float64, from ...int) func(*call, props) (doc, error) {
	return func(c *call, in props) (doc, error) {
		ids := in.texts("InstanceId")
		if len(ids) == 0 {
			return nil, fail("MissingParameter", "The request must contain the parameter InstanceId")
		}
		var list []*instance
		for _, id := range ids {
			i, err := c.machine(id)
			if err != nil {
				return nil, err
			}
			if s := i.state(c.now); !slices.Contains(from, s.code) && s.code != through && s.code != into {
				return nil, fail("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be %s.", id, map[int]string{runningCode: "started", stoppedCode: "stopped", terminatedCode: "terminated"}[into])
			}
			list = append(list, i)
		}
		out := []doc{}
		for _, i := range list {
			before := i.state(c.now)
			if slices.Contains(from, before.code) {
				if err := c.changeLife(i, through, into, seconds); err != nil {
					return nil, err
				}
			}
			after := i.state(c.now)
			out = append(out, doc{"instanceId": i.ID, "previousState": doc{"code": before.code, "name": before.name}, "currentState": doc{"code": after.code, "name": after.name}})
		}
		return doc{"instancesSet": out}, nil
	}
}

// changeLife moves an instance. One of a group that somebody terminates is
// missed by its group; another move would be undone there, and is refused here.
func (c *call) changeLife(i *instance, through, into int, seconds float64) error {
	if into != runningCode {
		c.undeliverable(i.ID)
	}
	if own := c.region.Instances[i.ID]; own != nil {
		if into == runningCode {
			own.Launched = c.now // EC2 says when it was launched last
		}
		own.become(c, through, into, seconds)
		return nil
	}
	for _, g := range c.region.Groups {
		for k := range g.Instances {
			if g.Instances[k].ID != i.ID {
				continue
			}
			if into != terminatedCode {
				return fail("UnsupportedOperation", "the sandbox does not stop or start an instance of an Auto Scaling group")
			}
			cause := g.because(c, "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.")
			g.end(c, &g.Instances[k], cause)
			g.Instances[k].Shut = c.now // whatever its hooks wait for
			i.become(c, through, into, seconds)
			g.scale(c, cause)
			return nil
		}
	}
	return nil
}

// getConsoleOutput: nothing boots here, so there is nothing on the console.
func getConsoleOutput(c *call, in props) (doc, error) {
	i, err := c.machine(in.text("InstanceId"))
	if err != nil {
		return nil, err
	}
	return doc{"instanceId": i.ID, "timestamp": i.state(c.now).at, "output": ""}, nil
}
