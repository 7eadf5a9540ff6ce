package cloud

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"reconcile/pkg/dev"
)

// devGroup makes the fleet's security group, or finds it by its name: two of one
// name there cannot be in a VPC, so a lost answer does no harm.
func (c *Cloud) devGroup(ctx context.Context, f dev.Fleet, vpc string, say func(string)) (dev.Group, error) {
	form := url.Values{"GroupName": {f.Group()}, "VpcId": {vpc}, "GroupDescription": {"Dev GPU instance of fleet " + f.ID()}}
	tagSpecification(form, 1, "security-group", f.Tags())
	var made struct {
		ID string `xml:"groupId"`
	}
	err := c.ec2(ctx, "CreateSecurityGroup", form, &made)
	if err == nil {
		say("security group " + made.ID + " is made: " + f.Group())
		return dev.Group{ID: made.ID, Name: f.Group(), Fleet: f, Ours: true}, nil
	}
	if errorCode(err) != "InvalidGroup.Duplicate" {
		return dev.Group{}, c.devTrouble("make the security group "+f.Group(), err, f, "")
	}
	named := url.Values{}
	filter(named, "vpc-id", vpc)
	filter(named, "group-name", f.Group())
	for p := patienceFor(devSeen); ; {
		found, err := c.devGroups(ctx, f.Platform, named)
		if err != nil {
			return dev.Group{}, c.readError("look for the security group "+f.Group(), err)
		}
		if len(found) > 0 {
			if !found[0].Ours || found[0].Fleet.ID() != f.ID() {
				return dev.Group{}, &dev.Refusal{Message: fmt.Sprintf("InvalidGroup.Duplicate: security group %s has the name %s and not the tags of a dev instance of %s", found[0].ID, f.Group(), f.ID()),
					Next: "aws ec2 delete-security-group --group-id " + found[0].ID + ", if nobody needs it"}
			}
			return found[0], nil
		}
		if more, err := c.pauseFor(ctx, p); err != nil || !more {
			return dev.Group{}, c.readError("look for the security group "+f.Group(), orElse(err, fmt.Errorf("EC2 says that it exists and does not show it; run the command again")))
		}
	}
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// openDev lets one network in and nobody else; old rules go first.
func (c *Cloud) openDev(ctx context.Context, g dev.Group, w DevStart, say func(string)) error {
	revoke, add := g.RulesFor(w.CIDR)
	for _, r := range revoke {
		form := ruleForm(g.ID, r)
		if err := c.ec2(ctx, "RevokeSecurityGroupIngress", form, &struct{}{}); err != nil && errorCode(err) != "InvalidPermission.NotFound" {
			return c.devTrouble("revoke what "+r.Peer+" may in "+g.ID, err, w.Fleet, "")
		}
		say(fmt.Sprintf("%s may not reach it any more (%s)", r.Peer, g.ID))
	}
	if !add {
		return nil
	}
	form := ruleForm(g.ID, dev.Wanted(w.CIDR))
	form.Set("IpPermissions.1.IpRanges.1.Description", "ComfyUI of a dev instance")
	if err := c.ec2(ctx, "AuthorizeSecurityGroupIngress", form, &struct{}{}); err != nil && errorCode(err) != "InvalidPermission.Duplicate" {
		return c.devTrouble("open "+g.ID+" to "+w.CIDR, err, w.Fleet, "")
	}
	say(fmt.Sprintf("%s may reach port %d (%s)", w.CIDR, dev.Port, g.ID))
	return nil
}

func ruleForm(group string, r dev.Rule) url.Values {
	form := url.Values{"GroupId": {group}, "IpPermissions.1.IpProtocol": {r.Protocol}}
	if r.From != dev.NoPort {
		form.Set("IpPermissions.1.FromPort", strconv.Itoa(r.From))
		form.Set("IpPermissions.1.ToPort", strconv.Itoa(r.To))
	}
	form.Set("IpPermissions.1."+r.Member(), r.Peer)
	return form
}

// tagSpecification adds TagSpecification.N to a request.
func tagSpecification(form url.Values, n int, resource string, tags map[string]string) {
	prefix := "TagSpecification." + strconv.Itoa(n) + "."
	form.Set(prefix+"ResourceType", resource)
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		form.Set(prefix+"Tag."+strconv.Itoa(i+1)+".Key", key)
		form.Set(prefix+"Tag."+strconv.Itoa(i+1)+".Value", tags[key])
	}
}
