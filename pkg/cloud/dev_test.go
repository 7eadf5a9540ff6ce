package cloud

import (
	"encoding/base64"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/dev"
)

// The request that makes an instance is the contract's, field by field.
func TestDevLaunchIsTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent url.Values
		c, _ := open(t, map[string]func(ask) answer{"RunInstances": func(a ask) answer {
			sent = a.form
			return answer{body: "<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState></item></instancesSet></RunInstancesResponse>"}
		}})
		data, err := dev.UserData(4)
		if err != nil {
			t.Fatal(err)
		}
		l := dev.Launch{Fleet: dev.Fleet{Platform: "bp", Stage: "staging", Slug: "gpu-default"}, Image: "ami-1", Type: "g4dn.xlarge", Profile: "packer", Group: "sg-1", Hours: 4}
		if _, err := c.launchDev(t.Context(), l, []string{"subnet-1"}, data); err != nil {
			t.Fatal(err)
		}
		l.Subnet = "subnet-1"
		want := url.Values{
			"Action": {"RunInstances"}, "Version": {"2016-11-15"}, "MinCount": {"1"}, "MaxCount": {"1"}, "ClientToken": {l.Token(0)},
			"ImageId": {"ami-1"}, "InstanceType": {"g4dn.xlarge"}, "IamInstanceProfile.Name": {"packer"}, "InstanceInitiatedShutdownBehavior": {"stop"},
			"UserData":                   {base64.StdEncoding.EncodeToString([]byte(data))},
			"MetadataOptions.HttpTokens": {"required"}, "MetadataOptions.HttpPutResponseHopLimit": {"1"}, "MetadataOptions.HttpEndpoint": {"enabled"},
			"NetworkInterface.1.DeviceIndex": {"0"}, "NetworkInterface.1.SubnetId": {"subnet-1"}, "NetworkInterface.1.SecurityGroupId.1": {"sg-1"},
			"NetworkInterface.1.AssociatePublicIpAddress": {"true"}, "NetworkInterface.1.DeleteOnTermination": {"true"},
			"BlockDeviceMapping.1.DeviceName": {"/dev/sda1"}, "BlockDeviceMapping.1.Ebs.VolumeSize": {"100"}, "BlockDeviceMapping.1.Ebs.VolumeType": {"gp3"},
			"BlockDeviceMapping.1.Ebs.Encrypted": {"true"}, "BlockDeviceMapping.1.Ebs.DeleteOnTermination": {"true"},
		}
		for n, resource := range []string{"instance", "volume"} {
			prefix := "TagSpecification." + string(rune('1'+n)) + "."
			want.Set(prefix+"ResourceType", resource)
			for i, tag := range [][2]string{{"FleetSlug", "gpu-default"}, {"Hours", "4"}, {"ManagedBy", "dev-gpu-action"}, {"Name", "dev-gpu-staging-gpu-default"}, {"Stage", "staging"}} {
				want.Set(prefix+"Tag."+string(rune('1'+i))+".Key", tag[0])
				want.Set(prefix+"Tag."+string(rune('1'+i))+".Value", tag[1])
			}
		}
		if diff := cmp.Diff(want, sent); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// A token that an instance was made with before gives that one if it lives, and
// another instance if it is gone; EC2 refuses the token once settings differ.
func TestDevTokenOfAnotherLaunch(t *testing.T) {
	const mismatch = "<Response><Errors><Error><Code>IdempotentParameterMismatch</Code><Message>no</Message></Error></Errors></Response>"
	instance := func(wrap, id, state string) string {
		return "<R>" + wrap + "<instancesSet><item><instanceId>" + id + "</instanceId><instanceState><name>" + state + "</name></instanceState></item></instancesSet></R>"
	}
	described := func(id, state string) string {
		return "<R><reservationSet><item><instancesSet><item><instanceId>" + id + "</instanceId><instanceState><name>" + state + "</name></instanceState></item></instancesSet></item></reservationSet></R>"
	}
	for name, tt := range map[string]struct {
		shown string // of the first token
		want  string
	}{
		"it lives":      {described("i-old", "running"), "i-old"},
		"it is gone":    {described("i-old", "terminated"), "i-new"},
		"it is unknown": {"<R><reservationSet/></R>", "i-new"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := dev.Launch{Group: "sg-1", Subnet: "subnet-1"}
				c, _ := open(t, map[string]func(ask) answer{
					"RunInstances": func(a ask) answer {
						if a.form.Get("ClientToken") == l.Token(0) {
							return answer{status: 400, body: mismatch}
						}
						return answer{body: instance("", "i-new", "pending")}
					},
					"DescribeInstances": func(a ask) answer {
						if got := a.form.Get("Filter.1.Value.1"); got != l.Token(0) {
							t.Errorf("asked for %s", got)
						}
						return answer{body: tt.shown}
					},
				})
				got, err := c.launchDevIn(t.Context(), l, "")
				if err != nil || got.ID != tt.want {
					t.Errorf("%s, %v", got.ID, err)
				}
			})
		})
	}
}
