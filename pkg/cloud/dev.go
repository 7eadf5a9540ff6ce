package cloud

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"reconcile/pkg/dev"
)

// Waits of a dev instance.
const (
	devBoot      = 10 * time.Minute // until it runs and has an address
	devEnd       = 10 * time.Minute // until it is terminated, and its group can go
	devSeen      = 20 * time.Second // until EC2 shows what it just made
	devPollFirst = time.Second
	devPollMax   = 10 * time.Second
	// devTries is how many instances of one group may have been terminated by hand.
	devTries = 8
)

// patience is a bounded row of growing pauses.
type patience struct {
	left time.Duration
	wait backoff
}

func patienceFor(d time.Duration) *patience {
	return &patience{left: d, wait: backoff{first: devPollFirst, max: devPollMax}}
}

// pauseFor sleeps for the next pause; more is false when the time is over.
func (c *Cloud) pauseFor(ctx context.Context, p *patience) (more bool, err error) {
	if p.left <= 0 {
		return false, nil
	}
	d := p.wait.next()
	p.left -= d
	return true, c.pause(ctx, d)
}

// DevStart is what somebody asks for.
type DevStart struct {
	Fleet dev.Fleet
	CIDR  string
	Hours int
	// HoursAsked tells that Hours is somebody's word and no default.
	HoursAsked bool
}

// DevStarted is the instance that there is then.
type DevStarted struct {
	Instance dev.Instance `json:"instance"`
	CIDR     string       `json:"cidr"`
	// How: "made", "started" (it was stopped), "found" (it ran already).
	How string `json:"how"`
}

// devWhat is what a fleet's parameters say.
type devWhat struct{ image, kind, profile string }

// StartDev makes the dev instance of a fleet, or finds the one that there is,
// lets one network in and waits until it runs. say hears of each step. Killed
// anywhere, it finishes when it is called again.
func (c *Cloud) StartDev(ctx context.Context, w DevStart, say func(string)) (DevStarted, error) {
	data, err := dev.UserData(w.Hours)
	if err != nil {
		return DevStarted{}, err
	}
	all, err := c.DevLeftovers(ctx, w.Fleet.Platform)
	if err != nil {
		return DevStarted{}, err
	}
	left := all.Of(w.Fleet)
	there, err := left.Usable(w.Hours, w.HoursAsked)
	if err != nil {
		return DevStarted{}, err
	}
	if there != nil {
		return c.reuseDev(ctx, w, *there, left, say)
	}
	what, err := c.devParameters(ctx, w.Fleet)
	if err != nil {
		return DevStarted{}, err
	}
	vpc, subnets, err := c.devSubnets(ctx, what.kind)
	if err != nil {
		return DevStarted{}, err
	}
	group, err := c.devGroup(ctx, w.Fleet, vpc, say)
	if err != nil {
		return DevStarted{}, err
	}
	if err := c.openDev(ctx, group, w, say); err != nil {
		return DevStarted{}, err
	}
	launch := dev.Launch{Fleet: w.Fleet, Image: what.image, Type: what.kind, Profile: what.profile, Group: group.ID, Hours: w.Hours}
	made, err := c.launchDev(ctx, launch, subnets, data)
	if err != nil {
		return DevStarted{}, err
	}
	say(fmt.Sprintf("%s is made: %s of %s in %s", made.ID, made.Type, made.Image, made.Zone))
	made, err = c.awaitDev(ctx, made, "until it runs", devBoot, func(i dev.Instance) bool { return i.State == "running" && i.Address != "" })
	return DevStarted{made, w.CIDR, "made"}, err
}

// reuseDev lets the network into the instance that there is, and starts it if it
// stopped.
func (c *Cloud) reuseDev(ctx context.Context, w DevStart, i dev.Instance, left dev.Leftover, say func(string)) (DevStarted, error) {
	how := "found"
	group := slices.IndexFunc(left.Groups, func(g dev.Group) bool { return slices.Contains(i.Groups, g.ID) })
	if group < 0 {
		return DevStarted{}, &dev.Refusal{Message: fmt.Sprintf("%s has no security group with the tags of a dev instance, so whom it lets in is not ours to change", i.ID),
			Next: "reconcile dev stop " + w.Fleet.ID() + ", then start again"}
	}
	if err := c.openDev(ctx, left.Groups[group], w, say); err != nil {
		return DevStarted{}, err
	}
	if !i.Up() {
		how = "started"
		say(i.ID + " is " + i.State + "; it is started again, with what is on its disk")
		stopped, err := c.awaitDev(ctx, i, "until it is stopped", devEnd, func(i dev.Instance) bool { return i.State == "stopped" || i.Up() })
		if err != nil {
			return DevStarted{}, err
		}
		if !stopped.Up() {
			if err := c.ec2(ctx, "StartInstances", url.Values{"InstanceId.1": {i.ID}}, &struct{}{}); err != nil {
				return DevStarted{}, c.devTrouble("start "+i.ID, err, w.Fleet, i.Type)
			}
		}
	}
	i, err := c.awaitDev(ctx, i, "until it runs", devBoot, func(i dev.Instance) bool { return i.State == "running" && i.Address != "" })
	return DevStarted{i, w.CIDR, how}, err
}

// devParameters reads what to start.
func (c *Cloud) devParameters(ctx context.Context, f dev.Fleet) (devWhat, error) {
	found, err := c.parametersChunk(ctx, []string{f.ImageParameter(), f.ConfigParameter(), f.ProfileParameter()})
	if err != nil {
		return devWhat{}, err
	}
	for _, p := range []struct{ name, what, next string }{
		{f.ImageParameter(), "the fleet's AMI", "build an image; an AMI build writes it there"},
		{f.ConfigParameter(), "the fleet's instance type", "reconcile apply --fleet " + f.ID()},
		{f.ProfileParameter(), "the instance profile", "reconcile apply --stack " + f.Platform + "-data"},
	} {
		if found[p.name].Value == "" {
			return devWhat{}, dev.NoParameter(p.name, p.what, p.next)
		}
	}
	kind, err := dev.TypeIn(found[f.ConfigParameter()].Value)
	if err != nil {
		return devWhat{}, &dev.Refusal{Message: fmt.Sprintf("%s: %v", f.ConfigParameter(), err), Next: "reconcile apply --fleet " + f.ID()}
	}
	return devWhat{found[f.ImageParameter()].Value, kind, found[f.ProfileParameter()].Value}, nil
}

// launchDev makes the instance in the first zone that has one to give.
func (c *Cloud) launchDev(ctx context.Context, l dev.Launch, subnets []string, data string) (dev.Instance, error) {
	var last error
	for _, subnet := range subnets {
		l.Subnet = subnet
		made, err := c.launchDevIn(ctx, l, data)
		switch errorCode(err) {
		case "InsufficientInstanceCapacity", "Unsupported":
			last = err
			continue
		}
		if err != nil && errorCode(err) == "" {
			return made, err
		}
		if err != nil {
			return made, c.devTrouble("start a "+l.Type, err, l.Fleet, l.Type)
		}
		return made, nil
	}
	return dev.Instance{}, c.devTrouble("start a "+l.Type, last, l.Fleet, l.Type)
}

// launchDevIn asks with one token after another until it gets an instance that
// is not one which somebody terminated.
func (c *Cloud) launchDevIn(ctx context.Context, l dev.Launch, data string) (dev.Instance, error) {
	for try := range devTries {
		made, err := c.runDev(ctx, l, l.Token(try), data)
		if errorCode(err) == "IdempotentParameterMismatch" {
			made, err = c.devByToken(ctx, l, l.Token(try))
		}
		if err != nil {
			return dev.Instance{}, err
		}
		if !made.Gone() {
			return made, nil
		}
	}
	return dev.Instance{}, &dev.Refusal{Message: fmt.Sprintf("%d dev instances of %s were terminated by hand, and EC2 gives only those again", devTries, l.Fleet.ID()),
		Next: "reconcile dev stop " + l.Fleet.ID() + ", which removes their security group, then start again"}
}

func (c *Cloud) runDev(ctx context.Context, l dev.Launch, token, data string) (dev.Instance, error) {
	form := url.Values{
		"MinCount": {"1"}, "MaxCount": {"1"}, "ClientToken": {token}, "ImageId": {l.Image}, "InstanceType": {l.Type},
		"IamInstanceProfile.Name":           {l.Profile},
		"InstanceInitiatedShutdownBehavior": {"stop"},
		"UserData":                          {base64.StdEncoding.EncodeToString([]byte(data))},
		"MetadataOptions.HttpTokens":        {"required"}, "MetadataOptions.HttpPutResponseHopLimit": {"1"}, "MetadataOptions.HttpEndpoint": {"enabled"},
		"NetworkInterface.1.DeviceIndex": {"0"}, "NetworkInterface.1.SubnetId": {l.Subnet}, "NetworkInterface.1.SecurityGroupId.1": {l.Group},
		"NetworkInterface.1.AssociatePublicIpAddress": {"true"}, "NetworkInterface.1.DeleteOnTermination": {"true"},
		"BlockDeviceMapping.1.DeviceName": {"/dev/sda1"}, "BlockDeviceMapping.1.Ebs.VolumeSize": {strconv.Itoa(dev.VolumeGiB)},
		"BlockDeviceMapping.1.Ebs.VolumeType": {"gp3"}, "BlockDeviceMapping.1.Ebs.Encrypted": {"true"}, "BlockDeviceMapping.1.Ebs.DeleteOnTermination": {"true"},
	}
	tagSpecification(form, 1, "instance", l.Tags())
	tagSpecification(form, 2, "volume", l.Tags())
	var out struct {
		Items []ec2Instance `xml:"instancesSet>item"`
	}
	if err := c.ec2(ctx, "RunInstances", form, &out); err != nil {
		return dev.Instance{}, err
	}
	if len(out.Items) != 1 {
		return dev.Instance{}, fmt.Errorf("EC2 answered with %d instances instead of one", len(out.Items))
	}
	return out.Items[0].of(l.Fleet.Platform), nil
}

// devByToken finds what an earlier request with this token and other settings
// made. What EC2 does not show is long terminated.
func (c *Cloud) devByToken(ctx context.Context, l dev.Launch, token string) (dev.Instance, error) {
	for p := patienceFor(devSeen); ; {
		form := url.Values{}
		filter(form, "client-token", token)
		found, err := c.devInstances(ctx, l.Fleet.Platform, form)
		if err != nil {
			return dev.Instance{}, err
		}
		if len(found) > 0 {
			return found[0], nil
		}
		if more, err := c.pauseFor(ctx, p); err != nil || !more {
			return dev.Instance{State: "terminated"}, err
		}
	}
}

// awaitDev looks at an instance until done says so.
func (c *Cloud) awaitDev(ctx context.Context, i dev.Instance, what string, limit time.Duration, done func(dev.Instance) bool) (dev.Instance, error) {
	for p := patienceFor(limit); ; {
		found, err := c.devInstances(ctx, i.Fleet.Platform, url.Values{"InstanceId.1": {i.ID}})
		switch {
		case errorCode(err) == "InvalidInstanceID.NotFound": // just made, or long gone
			found = []dev.Instance{{ID: i.ID, Fleet: i.Fleet}}
		case err != nil:
			return i, c.readError("look at "+i.ID, err)
		case len(found) == 0:
			found = []dev.Instance{i}
		}
		if done(found[0]) {
			return found[0], nil
		}
		if found[0].Gone() && !i.Gone() {
			return found[0], &dev.Refusal{Message: i.ID + " is " + found[0].State + ": somebody or AWS ended it", Next: "reconcile dev start " + i.Fleet.ID() + " …"}
		}
		more, err := c.pauseFor(ctx, p)
		if err != nil {
			return i, c.readError("wait for "+i.ID+" "+what, err)
		}
		if !more {
			return found[0], &dev.Refusal{Message: fmt.Sprintf("waited %v for %s %s; it is %s", limit, i.ID, what, found[0].State), Next: "run the same command again; it goes on waiting"}
		}
	}
}

// devTrouble is AWS's refusal with the next command.
func (c *Cloud) devTrouble(doing string, err error, f dev.Fleet, kind string) error {
	if isCanceled(err) {
		return c.readError(doing, err)
	}
	return &dev.Trouble{Doing: doing, Code: errorCode(err), Message: c.masks.apply(oneLine(errorMessage(err))), Next: dev.NextAfter(errorCode(err), f, kind, c.region)}
}
