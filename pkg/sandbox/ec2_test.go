package sandbox_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// These speak EC2's protocol by hand; the AWS CLI does in cli_test.go.

type versionsXML struct {
	Versions []struct {
		ID      string `xml:"launchTemplateId"`
		Name    string `xml:"launchTemplateName"`
		Number  int    `xml:"versionNumber"`
		Default bool   `xml:"defaultVersion"`
		Data    struct {
			Image   string   `xml:"imageId"`
			Type    string   `xml:"instanceType"`
			Groups  []string `xml:"securityGroupIdSet>item"`
			Devices []struct {
				Name string `xml:"deviceName"`
				Size int    `xml:"ebs>volumeSize"`
			} `xml:"blockDeviceMappingSet>item"`
			Tags []struct {
				Type string `xml:"resourceType"`
				Key  string `xml:"tagSet>item>key"`
			} `xml:"tagSpecificationSet>item"`
			Tokens string `xml:"metadataOptions>httpTokens"`
		} `xml:"launchTemplateData"`
	} `xml:"launchTemplateVersionSet>item"`
	Next string `xml:"nextToken"`
}

func ec2Versions(t *testing.T, s *sandbox.Sandbox, form string) versionsXML {
	t.Helper()
	status, body := raw(t, s, "ec2", "DescribeLaunchTemplateVersions", form)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var out versionsXML
	if err := xml.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLaunchTemplateVersions(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	m := fleetTemplate(t).only("Vpc", "Group", "Template")
	data := m["Resources"].(map[string]any)["Template"].(map[string]any)["Properties"].(map[string]any)["LaunchTemplateData"].(map[string]any)
	s.want(s.create("lt", m), cfntypes.StackStatusCreateComplete)
	data["InstanceType"] = "g5.xlarge"
	s.want(s.update("lt", m), cfntypes.StackStatusUpdateComplete)

	all := ec2Versions(t, box, "LaunchTemplateName=staging-gpu-default")
	if len(all.Versions) != 2 || all.Versions[0].Number != 2 || all.Versions[0].Default || !all.Versions[1].Default {
		t.Fatalf("%+v", all.Versions)
	}
	v := all.Versions[0].Data
	if v.Type != "g5.xlarge" || all.Versions[1].Data.Type != "g4dn.xlarge" || v.Image != stockedAMI(t, box, "/bp/ami/fleets/staging/gpu-default") ||
		len(v.Groups) != 1 || !strings.HasPrefix(v.Groups[0], "sg-") || v.Devices[0].Size != 100 || v.Tags[0].Key != "FleetSlug" || v.Tokens != "required" {
		t.Errorf("%+v", v)
	}
	latest := ec2Versions(t, box, "LaunchTemplateVersion.1="+url.QueryEscape("$Latest")+"&LaunchTemplateVersion.2="+url.QueryEscape("$Default"))
	if len(latest.Versions) != 2 {
		t.Errorf("%+v", latest.Versions)
	}
	for form, code := range map[string]string{
		"LaunchTemplateVersion.1=1":             "InvalidParameterValue",
		"":                                      "MissingParameter",
		"LaunchTemplateId=lt-0123456789abcdef0": "InvalidLaunchTemplateId.NotFound",
		"LaunchTemplateName=none":               "InvalidLaunchTemplateName.NotFoundException",
		"LaunchTemplateName=staging-gpu-default&LaunchTemplateVersion.1=9":       "InvalidLaunchTemplateId.VersionNotFound",
		"LaunchTemplateName=staging-gpu-default&MaxResults=0":                    "InvalidParameterValue",
		"LaunchTemplateName=staging-gpu-default&MaxResults=1&NextToken=nonsense": "InvalidParameter",
	} {
		if status, body := raw(t, box, "ec2", "DescribeLaunchTemplateVersions", form); status != 400 || !strings.Contains(body, "<Errors><Error><Code>"+code+"</Code>") {
			t.Errorf("%s: %d %s", form, status, body)
		}
	}
	// A hand edit: a new version, and the default moved.
	raw(t, box, "ec2", "CreateLaunchTemplateVersion", "LaunchTemplateName=staging-gpu-default&SourceVersion=1&LaunchTemplateData.InstanceType=g6.xlarge&LaunchTemplateData.SecurityGroupId.1=sg-1")
	raw(t, box, "ec2", "ModifyLaunchTemplate", "LaunchTemplateName=staging-gpu-default&SetDefaultVersion=3")
	edited := ec2Versions(t, box, "LaunchTemplateName=staging-gpu-default&LaunchTemplateVersion.1="+url.QueryEscape("$Default"))
	if e := edited.Versions[0]; e.Number != 3 || e.Data.Type != "g6.xlarge" || e.Data.Image != v.Image || e.Data.Groups[0] != "sg-1" {
		t.Errorf("%+v", e)
	}
}

func TestLaunchTemplatePages(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	manyFleets(t, box, clk, 25)
	var names []string
	token := ""
	for {
		out := ec2Versions(t, box, "LaunchTemplateVersion.1="+url.QueryEscape("$Latest")+"&MaxResults=10&NextToken="+url.QueryEscape(token))
		if len(out.Versions) > 10 {
			t.Fatalf("%d on a page", len(out.Versions))
		}
		for _, v := range out.Versions {
			names = append(names, v.Name)
		}
		if token = out.Next; token == "" {
			break
		}
	}
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
	}
	if len(names) != 25 || len(seen) != 25 {
		t.Errorf("%d versions of %d templates", len(names), len(seen))
	}
}

func TestRegisteredImages(t *testing.T) {
	box := open(t, sandbox.Options{Bare: true})
	status, body := raw(t, box, "ec2", "RegisterImage", "Name=bp-comfyui-x&Architecture=arm64")
	_, id, ok := strings.Cut(body, "<imageId>")
	id, _, _ = strings.Cut(id, "<")
	if status != 200 || !ok {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := raw(t, box, "ec2", "RegisterImage", "Name=bp-comfyui-x"); status != 400 || !strings.Contains(body, "InvalidAMIName.Duplicate") {
		t.Errorf("%d %s", status, body)
	}
	for form, want := range map[string]bool{
		"ImageId.1=" + id: true, "Owner.1=self": true, "Owner.1=099720109477": false,
		"Filter.1.Name=name&Filter.1.Value.1=bp-comfyui-*": true, "Filter.1.Name=architecture&Filter.1.Value.1=x86_64": false,
	} {
		_, body := raw(t, box, "ec2", "DescribeImages", form)
		if got := strings.Contains(body, "<imageId>"+id+"</imageId>"); got != want {
			t.Errorf("%s: found %v in %s", form, got, body)
		}
	}
	raw(t, box, "ec2", "DeregisterImage", "ImageId="+id)
	if status, body := raw(t, box, "ec2", "DescribeImages", "ImageId.1="+id); status != 400 || !strings.Contains(body, "InvalidAMIID.NotFound") {
		t.Errorf("%d %s", status, body)
	}
}

func TestZoneNames(t *testing.T) {
	s := open(t, sandbox.Options{Region: "ap-northeast-2"})
	_, body := raw(t, s, "ec2", "DescribeAvailabilityZones", "Filter.1.Name=zone-name&Filter.1.Value.1=us-east-1a")
	var out struct {
		Zones []struct {
			Name string `xml:"zoneName"`
			ID   string `xml:"zoneId"`
		} `xml:"availabilityZoneInfo>item"`
	}
	if err := xml.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("[{us-east-1a use1-az1}]", fmt.Sprint(out.Zones)); d != "" {
		t.Error(d)
	}
}
