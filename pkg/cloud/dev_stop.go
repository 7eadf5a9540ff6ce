package cloud

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"reconcile/pkg/dev"
)

// StopDev terminates instances, whose disks go with them, waits, and deletes
// the security groups that they used. say hears of each step. Killed anywhere,
// the rest is found by its tags and removed by the next call.
func (c *Cloud) StopDev(ctx context.Context, left dev.Leftover, say func(string)) error {
	form := url.Values{}
	for _, i := range left.Instances {
		if !i.Gone() {
			form.Set("InstanceId."+strconv.Itoa(len(form)+1), i.ID)
		}
	}
	if len(form) > 0 {
		if err := c.ec2(ctx, "TerminateInstances", form, &struct{}{}); err != nil && errorCode(err) != "InvalidInstanceID.NotFound" {
			return c.devTrouble("terminate "+left.Instances[0].ID, err, left.Instances[0].Fleet, "")
		}
	}
	for _, i := range left.Instances {
		i.State = "shutting-down" // its end is what is waited for
		_, err := c.awaitDev(ctx, i, "until it is terminated", devEnd, func(i dev.Instance) bool { return i.State == "terminated" || i.State == "" })
		if err != nil {
			return err
		}
		say(i.ID + " is terminated, and its disk deleted")
	}
	for _, g := range left.Groups {
		if err := c.dropDevGroup(ctx, g); err != nil {
			return err
		}
		say("security group " + g.ID + " is deleted")
	}
	return nil
}

// dropDevGroup deletes a group. For a moment after an instance is terminated its
// network interface still uses it.
func (c *Cloud) dropDevGroup(ctx context.Context, g dev.Group) error {
	for p := patienceFor(devEnd); ; {
		err := c.ec2(ctx, "DeleteSecurityGroup", url.Values{"GroupId": {g.ID}}, &struct{}{})
		switch errorCode(err) {
		case "DependencyViolation", "InvalidGroup.InUse":
		case "InvalidGroup.NotFound":
			return nil
		default:
			if err == nil {
				return nil
			}
			return c.devTrouble(fmt.Sprintf("delete the security group %s (%s)", g.ID, g.Name), err, g.Fleet, "")
		}
		more, waited := c.pauseFor(ctx, p)
		if waited != nil {
			return c.readError("wait until nothing uses "+g.ID, waited)
		}
		if !more {
			return c.devTrouble(fmt.Sprintf("delete the security group %s (%s)", g.ID, g.Name), err, g.Fleet, "")
		}
	}
}
