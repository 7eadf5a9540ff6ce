package cfn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"reconcile/pkg/awstype"
)

func TestConditionsCoverEveryConditionallyCreateOnlyProperty(t *testing.T) {
	var want, got []string
	for _, name := range awstype.Names() {
		typ, _ := awstype.Lookup(name)
		for _, p := range typ.ConditionalCreateOnly {
			want = append(want, name+"."+p)
		}
	}
	for _, c := range conditions {
		got = append(got, c.typeName+"."+c.property)
		if c.reason == "" {
			t.Errorf("%s.%s has no reason", c.typeName, c.property)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConditions(t *testing.T) {
	tests := []struct {
		typeName, before, after string
		want                    awstype.Replace
	}{
		{"AWS::EC2::VPC", `{}`, `{"InstanceTenancy":"dedicated"}`, awstype.Yes},
		{"AWS::EC2::VPC", `{"InstanceTenancy":"dedicated"}`, `{}`, awstype.No},
		{"AWS::EC2::VPC", `{"InstanceTenancy":"dedicated"}`, `{"InstanceTenancy":{"Ref":"P"}}`, awstype.Maybe},
		{"AWS::Events::Rule", `{}`, `{"EventBusName":"default"}`, awstype.No},
		{"AWS::Events::Rule", `{}`, `{"EventBusName":"other"}`, awstype.Yes},
		{"AWS::Events::Rule", `{}`, `{"EventBusName":{"Ref":"Bus"}}`, awstype.Maybe},
		{"AWS::RDS::DBInstance", `{"MultiAZ":true}`, `{"MultiAZ":false}`, awstype.No},
		{"AWS::RDS::DBInstance", `{"MultiAZ":true,"DBClusterIdentifier":"c"}`, `{"MultiAZ":false,"DBClusterIdentifier":"c"}`, awstype.Maybe},
		{"AWS::RDS::DBInstance", `{"Engine":"mariadb"}`, `{"Engine":"mysql"}`, awstype.Maybe},
		{"AWS::SSM::Document", `{"Content":"a"}`, `{"Content":"b"}`, awstype.Yes},
		{"AWS::SSM::Document", `{"Content":"a"}`, `{"Content":"b","UpdateMethod":"NewVersion"}`, awstype.No},
		{"AWS::SSM::Document", `{"Content":"a"}`, `{"Content":"b","UpdateMethod":{"Ref":"P"}}`, awstype.Maybe},
		{"AWS::ECS::Service", `{"LaunchType":"FARGATE"}`, `{"LaunchType":"EC2"}`, awstype.Maybe},
	}
	for _, tt := range tests {
		before := resource(t, `{"Type":"`+tt.typeName+`","Properties":`+tt.before+`}`)
		after := resource(t, `{"Type":"`+tt.typeName+`","Properties":`+tt.after+`}`)
		ds := Diff(one(before), one(after))
		if len(ds) == 0 || ds[0].Replace != tt.want {
			t.Errorf("%s %s -> %s: %swant %s", tt.typeName, tt.before, tt.after, lines(ds), tt.want)
		}
	}
}

func TestNamedReplacements(t *testing.T) {
	tests := map[string]struct {
		before, after string
		want          []Named
	}{
		"the name stays": {
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupName":"web","GroupDescription":"a","VpcId":"v1"}}`,
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupName":"web","GroupDescription":"b","VpcId":"v2"}}`,
			[]Named{{"X", "AWS::EC2::SecurityGroup", "GroupName", "web", []string{"Properties.GroupDescription", "Properties.VpcId"}}},
		},
		"the name changes": {
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupName":"web","GroupDescription":"a"}}`,
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupName":"web2","GroupDescription":"a"}}`, nil,
		},
		"no name": {
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"a"}}`,
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"b"}}`, nil,
		},
		"a subnet keeps its range in its VPC": {
			`{"Type":"AWS::EC2::Subnet","Properties":{"CidrBlock":"10.0.0.0/24","AvailabilityZone":"a","VpcId":"v"}}`,
			`{"Type":"AWS::EC2::Subnet","Properties":{"CidrBlock":"10.0.0.0/24","AvailabilityZone":"b","VpcId":"v"}}`,
			[]Named{{"X", "AWS::EC2::Subnet", "CidrBlock", "10.0.0.0/24", []string{"Properties.AvailabilityZone"}}},
		},
		"a subnet moves to another VPC": {
			`{"Type":"AWS::EC2::Subnet","Properties":{"CidrBlock":"10.0.0.0/24","AvailabilityZone":"a","VpcId":"v"}}`,
			`{"Type":"AWS::EC2::Subnet","Properties":{"CidrBlock":"10.0.0.0/24","AvailabilityZone":"a","VpcId":"w"}}`, nil,
		},
		"a change in place": {
			`{"Type":"AWS::SNS::Topic","Properties":{"TopicName":"a","DisplayName":"a"}}`,
			`{"Type":"AWS::SNS::Topic","Properties":{"TopicName":"a","DisplayName":"b"}}`, nil,
		},
		"a task definition has a family, not a name": {
			`{"Type":"AWS::ECS::TaskDefinition","Properties":{"Family":"web","Cpu":"256"}}`,
			`{"Type":"AWS::ECS::TaskDefinition","Properties":{"Family":"web","Cpu":"512"}}`, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := one(resource(t, tt.before)), one(resource(t, tt.after))
			if diff := cmp.Diff(tt.want, NamedReplacements(before, after, Diff(before, after))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const graphTemplate = `{"Resources":{
	"LT":{"Type":"AWS::EC2::LaunchTemplate"},
	"ASG":{"Type":"AWS::AutoScaling::AutoScalingGroup","DependsOn":["Role","Nobody"],"Properties":{
		"LaunchTemplate":{"LaunchTemplateId":{"Ref":"LT"},"Version":{"Fn::GetAtt":"LT.LatestVersionNumber"}},
		"Tags":[{"Key":"a","Value":{"Fn::Sub":["${Role.Arn} ${own} ${!Role} ${AWS::Region}",{"own":{"Fn::Join":["",[{"Ref":"LT"},"x"]]}}]}}]}},
	"Role":{"Type":"AWS::IAM::Role"}},
	"Outputs":{"Name":{"Value":{"Ref":"ASG"}}}}`

func TestGraph(t *testing.T) {
	tpl, err := Parse([]byte(graphTemplate))
	if err != nil {
		t.Fatal(err)
	}
	dependents := map[string][]Dependent{
		"ASG": {{"Outputs.Name", "Value", "Ref"}},
		"LT": {
			{"ASG", "Properties.LaunchTemplate.LaunchTemplateId", "Ref"},
			{"ASG", "Properties.LaunchTemplate.Version", "LatestVersionNumber"},
			{"ASG", "Properties.Tags.Value", "Ref"},
		},
		"Role": {{"ASG", "DependsOn", ""}, {"ASG", "Properties.Tags.Value", "Arn"}},
	}
	if diff := cmp.Diff(dependents, tpl.Dependents()); diff != "" {
		t.Errorf("Dependents (-want +got):\n%s", diff)
	}
	dependencies := map[string][]string{"ASG": {"LT", "Role"}, "LT": {}, "Role": {}}
	if diff := cmp.Diff(dependencies, tpl.Dependencies()); diff != "" {
		t.Errorf("Dependencies (-want +got):\n%s", diff)
	}
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		template string
		want     []string
	}{
		{`{"Resources":{"A":{"Type":"AWS::SNS::Topic"}}}`, nil},
		{`{"Resources":{"A":{"Type":"AWS::IAM::Role"}}}`, []string{"CAPABILITY_IAM"}},
		{`{"Resources":{"A":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"x"}}}}`, []string{"CAPABILITY_IAM"}},
		{`{"Resources":{"A":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"x"}},"B":{"Type":"AWS::IAM::Role"}}}`, []string{"CAPABILITY_NAMED_IAM"}},
		{`{"Transform":"AWS::Serverless-2016-10-31","Resources":{"A":{"Type":"AWS::IAM::Role"}}}`, []string{"CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"}},
	}
	for _, tt := range tests {
		tpl, err := Parse([]byte(tt.template))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, Capabilities(tpl)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.template, diff)
		}
	}
}

func TestRender(t *testing.T) {
	tpl, err := Parse([]byte(`{"AWSTemplateFormatVersion":"2010-09-09","Description":"VPC: a <test>",
		"Metadata":{"m":"1"},
		"Resources":{
			"On":{"Type":"AWS::SNS::Topic"},
			"LT":{"Type":"AWS::EC2::LaunchTemplate","DependsOn":["On"],"DeletionPolicy":"Retain","Properties":{
				"LaunchTemplateData":{"UserData":{"Fn::Base64":"#!/bin/bash\n\n  indented\necho \"$X\"\n"}},
				"Odd":["yes","012","1:30","2012-10-17","1e3","~","null",true,7,2147483648,0.5,"  lead\n x",""]}}},
		"Outputs":{"O":{"Value":{"Ref":"LT"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `AWSTemplateFormatVersion: "2010-09-09"
Description: 'VPC: a <test>'
Metadata:
  m: "1"
Resources:
  LT:
    Type: AWS::EC2::LaunchTemplate
    DependsOn:
    - "On"
    DeletionPolicy: Retain
    Properties:
      LaunchTemplateData:
        UserData:
          Fn::Base64: |
            #!/bin/bash

              indented
            echo "$X"
      Odd:
      - "yes"
      - "012"
      - "1:30"
      - "2012-10-17"
      - "1e3"
      - "~"
      - "null"
      - true
      - 7
      - 2147483648
      - 0.5
      - |2-
          lead
         x
      - ""

  "On":
    Type: AWS::SNS::Topic
Outputs:
  O:
    Value:
      Ref: LT
`
	got, err := Render(tpl, YAML)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []Format{YAML, JSON} {
		body, err := Render(tpl, f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := yaml.YAMLToJSON(body)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		again, err := Parse(back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tpl, again); diff != "" {
			t.Errorf("%s does not read back (-want +got):\n%s", f, diff)
		}
	}
	if _, err := Render(tpl, "toml"); err == nil {
		t.Error("no error for an unknown format")
	}
}

func TestShown(t *testing.T) {
	r := resource(t, `{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/x/token","Value":"hunter2",
		"Tags":{"a":"b"},"SecretString":{"Ref":"P"},"Environment":[{"Name":"DB_PASSWORD","Value":"hunter3"}]}}`)
	want := map[string]any{
		"Name": "/x/token", "Value": Masked, "Tags": map[string]any{"a": "b"}, "SecretString": LogicalRef("P"),
		"Environment": []any{map[string]any{"Name": "DB_PASSWORD", "Value": Masked}},
	}
	if diff := cmp.Diff(want, r.Shown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSize(t *testing.T) {
	n, err := Size(Template{Resources: map[string]Resource{"A": {Type: "<T>"}}})
	if want := len(`{"Resources":{"A":{"Type":"<T>"}}}`); err != nil || n != want {
		t.Errorf("Size = %d, %v; want %d", n, err, want)
	}
}

func TestSurelyWithin(t *testing.T) {
	worst := strings.Repeat("\x00", 20_000) // six bytes each
	for name, tmpl := range map[string]Template{
		"properties": {Resources: map[string]Resource{"A": {Properties: map[string]any{"P": []any{worst}}}}},
		"metadata":   {Metadata: map[string]any{worst: map[string]any{"x": worst}}},
		"outputs":    {Outputs: map[string]Output{"A": {Value: worst}}},
		"ours":       large(60, "1"),
	} {
		n, err := Size(tmpl)
		if err != nil {
			t.Fatal(err)
		}
		if SurelyWithin(tmpl, n-1) {
			t.Errorf("%s: surely within %d bytes, but it has %d", name, n-1, n)
		}
		if !SurelyWithin(tmpl, 10*n) {
			t.Errorf("%s has %d bytes and is not surely within %d", name, n, 10*n)
		}
	}
}

// large is a template of n resources in the shape of ours.
func large(n int, version string) Template {
	t := Template{Resources: make(map[string]Resource, n)}
	for i := range n {
		t.Resources[fmt.Sprintf("R%03d", i)] = Resource{
			Type: "AWS::AutoScaling::AutoScalingGroup",
			Properties: map[string]any{
				"MinSize": "0", "MaxSize": 3, "VPCZoneIdentifier": []any{"subnet-a", "subnet-b"},
				"MixedInstancesPolicy": map[string]any{"LaunchTemplate": map[string]any{
					"LaunchTemplateSpecification": map[string]any{"LaunchTemplateId": LogicalRef("LT"), "Version": version},
					"Overrides":                   []any{map[string]any{"InstanceType": "g4dn.xlarge"}, map[string]any{"InstanceType": "g5.xlarge"}},
				}},
				"Tags":     []any{map[string]any{"Key": "Project", "Value": "x"}, map[string]any{"Key": "Service", "Value": "y"}},
				"UserData": map[string]any{"Fn::Base64": strings.Repeat("echo hello\n", 60)},
			},
		}
	}
	return t
}

func BenchmarkDiff60Resources(b *testing.B) {
	before, after := large(60, "1"), large(60, "2")
	for b.Loop() {
		if len(Diff(before, after)) != 60 {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkDiff1000Fleets(b *testing.B) {
	before, after := make([]Template, 1000), make([]Template, 1000)
	for i := range before {
		before[i], after[i] = large(15, "1"), large(15, "1")
	}
	for b.Loop() {
		for i := range before {
			if len(Diff(before[i], after[i])) != 0 {
				b.Fatal("wrong")
			}
		}
	}
}
