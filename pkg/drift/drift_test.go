package drift_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func target() plan.Target {
	return plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"}
}

// deployed is one stack with one resource, and what AWS has of it.
func deployed(resourceType string, properties, live map[string]any) drift.Input {
	t := cfn.Template{Resources: map[string]cfn.Resource{"R": {Type: resourceType, Properties: properties}}}
	d := plan.Deployment{
		Stack:    plan.Stack{Name: "bp-x", Tags: map[string]string{"reconcile:owner": "bp"}, Sources: map[string]spec.Source{"R": {File: "specs/platform.yaml", Line: 3}}},
		Live:     plan.LiveStack{Name: "bp-x", Resources: map[string]plan.LiveResource{"R": {PhysicalID: "id"}, "Role": {PhysicalID: "role"}}},
		Template: t, Wanted: t,
	}
	in := drift.Input{Target: target(), Deployments: []plan.Deployment{d}, Now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	in.Subjects = drift.Subjects(in.Deployments, target())
	in.Live = drift.Live{Found: map[drift.Key]drift.Found{{Stack: "bp-x", Resource: "R"}: {Exists: live != nil, Properties: live}}}
	return in
}

func names(findings []drift.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, strings.TrimPrefix(f.Name(), "bp-x/R "))
	}
	return out
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind                 string
		deployed, live       map[string]any
		hand, expected, lack []string
	}{
		"text and numbers are one": {
			"AWS::AutoScaling::AutoScalingGroup", map[string]any{"MaxSize": "10", "CapacityRebalance": true},
			map[string]any{"MaxSize": 10, "CapacityRebalance": "true", "Cooldown": "300"}, nil, nil, nil},
		"by hand":        {"AWS::AutoScaling::AutoScalingGroup", map[string]any{"MaxSize": "10"}, map[string]any{"MaxSize": "12"}, []string{"MaxSize"}, nil, nil},
		"taken away":     {"AWS::S3::Bucket", map[string]any{"VersioningConfiguration": map[string]any{"Status": "Enabled"}}, map[string]any{}, []string{"VersioningConfiguration"}, nil, nil},
		"gone":           {"AWS::S3::Bucket", map[string]any{"BucketName": "b"}, nil, []string{"bp-x/R"}, nil, nil},
		"false is unset": {"AWS::RDS::DBInstance", map[string]any{"MultiAZ": false}, map[string]any{}, nil, nil, nil},
		"no reading":     {"AWS::RDS::DBInstance", map[string]any{"MasterUserPassword": "x", "MultiAZ": true}, map[string]any{"MultiAZ": "true"}, nil, nil, []string{"AWS::RDS::DBInstance.MasterUserPassword"}},
		"storage grew":   {"AWS::RDS::DBInstance", map[string]any{"AllocatedStorage": "20", "MaxAllocatedStorage": 100}, map[string]any{"AllocatedStorage": "40", "MaxAllocatedStorage": "100"}, nil, []string{"AllocatedStorage"}, nil},
		"storage beyond": {"AWS::RDS::DBInstance", map[string]any{"AllocatedStorage": "20", "MaxAllocatedStorage": 100}, map[string]any{"AllocatedStorage": "400", "MaxAllocatedStorage": "100"}, []string{"AllocatedStorage"}, nil, nil},
		"patch":          {"AWS::ElastiCache::CacheCluster", map[string]any{"EngineVersion": "7.1"}, map[string]any{"EngineVersion": "7.1.0"}, nil, []string{"EngineVersion"}, nil},
		"minor":          {"AWS::ElastiCache::CacheCluster", map[string]any{"EngineVersion": "7.1"}, map[string]any{"EngineVersion": "7.2.0"}, []string{"EngineVersion"}, nil, nil},
		"tags of the stack and of AWS": {
			"AWS::AutoScaling::AutoScalingGroup", map[string]any{"Tags": []any{map[string]any{"Key": "Owner", "Value": "us"}}},
			map[string]any{"Tags": []any{map[string]any{"Key": "aws:x", "Value": "y"}, map[string]any{"Key": "reconcile:owner", "Value": "bp"}, map[string]any{"Key": "Owner", "Value": "us", "PropagateAtLaunch": "true"}}}, nil, nil, nil},
		"a rule more, in another order": {
			"AWS::EC2::SecurityGroup",
			map[string]any{"SecurityGroupIngress": []any{rule("80", "0.0.0.0/0"), rule("443", "0.0.0.0/0")}},
			map[string]any{"SecurityGroupIngress": []any{rule("22", "203.0.113.0/24"), rule("443", "0.0.0.0/0"), rule("80", "0.0.0.0/0")}},
			[]string{"SecurityGroupIngress[2]"}, nil, nil},
		"what only AWS knows": {
			"AWS::RDS::DBInstance", map[string]any{"MonitoringRoleArn": cfn.GetAtt("Elsewhere", "Arn"), "DBName": "bp"},
			map[string]any{"MonitoringRoleArn": "arn:x", "DBName": "bp"}, nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := drift.Compare(deployed(c.kind, c.deployed, c.live))
			if d := cmp.Diff(orNone(c.hand), names(r.Hand)); d != "" {
				t.Errorf("by hand: %s", d)
			}
			if d := cmp.Diff(orNone(c.expected), names(r.Expected)); d != "" {
				t.Errorf("expected: %s", d)
			}
			if d := cmp.Diff(orNone(c.lack), orNone(r.Coverage.Properties)); d != "" {
				t.Errorf("not compared: %s", d)
			}
		})
	}
}

func orNone(s []string) []string { return append([]string{}, s...) }

func rule(port, cidr string) map[string]any {
	return map[string]any{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}
}

// A type that is not read, and a resource whose name is unknown, are said.
func TestNothingIsSilentlyClean(t *testing.T) {
	t.Parallel()
	in := deployed("AWS::IAM::Role", map[string]any{"Description": "x"}, nil)
	in.Live.Found = nil
	in.Absent = map[string]string{"bp-y": "", "bp-z": "UPDATE_IN_PROGRESS"}
	c := drift.Compare(in).Coverage
	if len(c.NotLooked) != 1 || c.NotLooked[0].Type != "AWS::IAM::Role" || len(c.Looked) != 0 {
		t.Errorf("%+v", c)
	}
	if d := cmp.Diff([]string{"bp-y: not deployed", "bp-z: UPDATE_IN_PROGRESS"}, c.Stacks); d != "" {
		t.Error(d)
	}
	in = deployed("AWS::RDS::DBInstance", nil, nil)
	in.Live = drift.Live{Unread: map[string]string{"AWS::RDS::DBInstance": "access denied"}}
	if c := drift.Compare(in).Coverage; len(c.NotLooked) != 1 || c.NotLooked[0].Why != "access denied" {
		t.Errorf("%+v", c)
	}
}

func TestIgnore(t *testing.T) {
	t.Parallel()
	in := deployed("AWS::AutoScaling::AutoScalingGroup", map[string]any{"MaxSize": 1, "MinSize": 0}, map[string]any{"MaxSize": 2, "MinSize": 1})
	in.Ignore = []spec.Ignore{
		{Stack: "bp-*", Resource: "R", Path: "MaxSize", Reason: "load test", Expires: "2026-11-27"},
		{Stack: "bp-x", Resource: "*", Path: "Min", Reason: "no whole property", Expires: "2027-01-01"},
	}
	r := drift.Compare(in)
	if d := cmp.Diff([]string{"MinSize"}, names(r.Hand)); d != "" || len(r.Ignored) != 1 || r.Ignored[0].Reason != "load test" {
		t.Errorf("%s %+v", d, r.Ignored)
	}
	if len(r.Notes) != 1 || r.Notes[0].Code != "ignore-idle" {
		t.Errorf("%+v", r.Notes)
	}
	in.Now = in.Now.AddDate(0, 0, 1) // its day is over
	if r := drift.Compare(in); len(r.Hand) != 2 || len(r.Ignored) != 0 || r.Notes[0].Code != "ignore-expired" {
		t.Errorf("%+v", r)
	}
}

// CloudFormation's own findings join by resource and property.
func TestDetectedJoins(t *testing.T) {
	t.Parallel()
	in := deployed("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateData": map[string]any{"ImageId": "ami-1"}}, map[string]any{"LaunchTemplateData": map[string]any{"ImageId": "ami-2"}})
	if r := drift.Compare(in); len(r.Hand) != 1 || r.Hand[0].Stays == "" {
		t.Errorf("%+v", r.Hand)
	}
	k := drift.Key{Stack: "bp-x", Resource: "R"}
	in.Live.Detected = []drift.Detected{
		{Key: k, Type: "AWS::EC2::LaunchTemplate", Path: "Properties.LaunchTemplateData.ImageId", Live: "ami-2", Deployed: "ami-1"},
		{Key: drift.Key{Stack: "bp-x", Resource: "Role"}, Type: "AWS::IAM::Role", Deleted: true},
	}
	r := drift.Compare(in)
	if len(r.Hand) != 2 || r.Hand[0].Stays != "" || r.Hand[1].By != "cloudformation" || r.Hand[1].Kind != drift.Deleted || !r.Coverage.Detection {
		t.Errorf("%+v", r)
	}
}

func TestNewlyKnown(t *testing.T) {
	t.Parallel()
	in := deployed("AWS::AutoScaling::AutoScalingGroup", map[string]any{"MaxSize": 1}, map[string]any{"MaxSize": 1, "CapacityRebalance": "false"})
	in.Deployments[0].Changes = true
	in.Deployments[0].Wanted = cfn.Template{Resources: map[string]cfn.Resource{"R": {Type: "AWS::AutoScaling::AutoScalingGroup", Properties: map[string]any{"MaxSize": 1, "CapacityRebalance": true}}}}
	r := drift.Compare(in)
	if len(r.Hand) != 0 || len(r.New) != 1 || r.New[0].Live != "false" || r.New[0].Deployed != true {
		t.Errorf("%+v", r)
	}
}

// Whatever a template says, live properties that say the same are no drift,
// whatever else the service adds and in whatever scalar form.
func TestSameIsNoDrift(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names, _ := drift.Compared("AWS::CloudWatch::Alarm")
		deployedProps, live := map[string]any{}, map[string]any{"StateValue": "OK"}
		for _, n := range names {
			if !rapid.Bool().Draw(t, n) {
				continue
			}
			v := rapid.IntRange(0, 99).Draw(t, n+" value")
			switch n {
			case "Dimensions", "Metrics", "AlarmActions", "OKActions", "InsufficientDataActions":
				continue
			}
			deployedProps[n] = v
			if live[n] = any(fmt.Sprint(v)); rapid.Bool().Draw(t, n+" number") {
				live[n] = float64(v)
			}
		}
		if r := drift.Compare(deployed("AWS::CloudWatch::Alarm", deployedProps, live)); !r.Clean() {
			t.Fatalf("%+v", r.Hand)
		}
		// And one that differs is the only one told of.
		for n := range deployedProps {
			live[n] = "other"
			if r := drift.Compare(deployed("AWS::CloudWatch::Alarm", deployedProps, live)); len(r.Hand) != 1 || r.Hand[0].Path != "Properties."+n {
				t.Fatalf("%s: %+v", n, r.Hand)
			}
			return
		}
	})
}

func TestEditFor(t *testing.T) {
	t.Parallel()
	const body = "# ünïcode first\nspec:\n  a: {max: 4, min: 4}   # two\n  max:   4   # kept\n  name: 'it''s'\n  size: \"10\"\n  list: [4, 5]\n  text: |\n    4\n"
	for name, c := range map[string]struct {
		line, column   int
		deployed, live any
		old, now, why  string
	}{
		"plain":         {4, 0, 4, 9, "4", "9", ""},
		"single quotes": {5, 0, "it's", "o'k", "'it''s'", "'o''k'", ""},
		"double quotes": {6, 0, "10", "12", `"10"`, `"12"`, ""},
		"in a flow":     {7, 0, 5, 6, "5", "6", ""},
		"two alike":     {3, 0, 4, 5, "", "", "no field"},
		"by its column": {3, 7, 4, 5, "4", "5", ""},
		"no number":     {4, 0, 4, "many", "", "", "whole number"},
		"not literal":   {4, 0, 5, 6, "", "", "no field"},
		"block":         {8, 0, "4\n", "5", "", "", "several lines"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := drift.Finding{Stack: "bp-x", Resource: "R", Path: "Properties.P", Kind: drift.Modified, Live: c.live, Deployed: c.deployed,
				Source: spec.Source{File: "specs/a.yaml", Line: c.line, Column: c.column}}
			e, err := drift.EditFor(f, []byte(body))
			if c.why != "" {
				if err == nil || !strings.Contains(err.Error(), c.why) {
					t.Fatalf("%+v %v", e, err)
				}
				return
			}
			if err != nil || e.Old != c.old || e.New != c.now {
				t.Fatalf("%+v %v", e, err)
			}
			lines, want := strings.Split(string(e.Apply([]byte(body))), "\n"), strings.Split(body, "\n")
			changed := 0
			for i := range want {
				if lines[i] != want[i] {
					changed++
				}
			}
			if changed != 1 || len(lines) != len(want) || lines[c.line-1] == want[c.line-1] {
				t.Errorf("%q", lines)
			}
		})
	}
}

func TestEditForCUE(t *testing.T) {
	t.Parallel()
	f := drift.Finding{Live: "7", Deployed: "4", Kind: drift.Modified, Source: spec.Source{File: "specs/a.cue", Line: 2}}
	e, err := drift.EditFor(f, []byte("spec: {\n\tmax: 4\n}\n"))
	if err != nil || !e.Print || e.Old != "4" || e.New != "7" || e.Column != 7 {
		t.Errorf("%+v %v", e, err)
	}
}
