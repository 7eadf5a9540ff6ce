package cfn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/awstype"
)

// resource reads one resource from JSON.
func resource(t testing.TB, text string) Resource {
	t.Helper()
	var r Resource
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return r
}

func one(r Resource) Template { return Template{Resources: map[string]Resource{"X": r}} }

// lines is what a person would say about differences, one a line.
func lines(ds []Difference) string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(string(d.Kind) + " " + d.Resource)
		if d.Path != "" {
			b.WriteString(" " + d.Path)
		}
		if d.Kind != Add || d.After != nil {
			before, _ := Canonical(d.Before)
			after, _ := Canonical(d.After)
			b.WriteString(": " + string(before) + " -> " + string(after))
		}
		if d.Replace != awstype.No {
			b.WriteString(" replace=" + string(d.Replace))
		}
		if d.Unknown {
			b.WriteString(" unknown")
		}
		if d.Sensitive {
			b.WriteString(" sensitive")
		}
		b.WriteString("\n")
		b.WriteString(d.Document)
	}
	return b.String()
}

func TestDiffOfOneResource(t *testing.T) {
	tests := map[string]struct{ before, after, want string }{
		"same": {
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16","EnableDnsSupport":true}}`,
			`{"Type":"AWS::EC2::VPC","Properties":{"EnableDnsSupport":"true","CidrBlock":"10.0.0.0/16"}}`, ``,
		},
		"numbers and strings": {
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MinSize":"0","MaxSize":3}}`,
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MinSize":0,"MaxSize":"3"}}`, ``,
		},
		"create-only": {
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16"}}`,
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.1.0.0/16"}}`,
			`modify X Properties.CidrBlock: "10.0.0.0/16" -> "10.1.0.0/16" replace=yes` + "\n",
		},
		"another type": {
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16"}}`,
			`{"Type":"AWS::SNS::Topic"}`,
			`modify X Type: "AWS::EC2::VPC" -> "AWS::SNS::Topic" replace=yes` + "\n",
		},
		"tags by key": {
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16","Tags":[{"Key":"A","Value":"1"},{"Key":"B","Value":"2"},{"Key":"C","Value":"3"}]}}`,
			`{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.0.0.0/16","Tags":[{"Key":"C","Value":"3"},{"Key":"B","Value":"9"},{"Key":"D","Value":"4"}]}}`,
			"remove X Properties.Tags[A]: {\"Key\":\"A\",\"Value\":\"1\"} -> null\n" +
				"modify X Properties.Tags[B].Value: \"2\" -> \"9\"\n" +
				"add X Properties.Tags[D]: null -> {\"Key\":\"D\",\"Value\":\"4\"}\n",
		},
		"a set in another order": {
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"d","SecurityGroupIngress":[{"IpProtocol":"tcp","FromPort":80,"ToPort":80,"CidrIp":"0.0.0.0/0"},{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"CidrIp":"0.0.0.0/0"}]}}`,
			`{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"d","SecurityGroupIngress":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"CidrIp":"0.0.0.0/0"},{"IpProtocol":"tcp","FromPort":80,"ToPort":80,"CidrIp":"0.0.0.0/0","Description":"HTTP"}]}}`,
			"add X Properties.SecurityGroupIngress[0].Description: null -> \"HTTP\"\n",
		},
		"an ordered list with an insertion": {
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MixedInstancesPolicy":{"LaunchTemplate":{"Overrides":[{"InstanceType":"g4dn.xlarge"},{"InstanceType":"g5.xlarge"}]}}}}`,
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MixedInstancesPolicy":{"LaunchTemplate":{"Overrides":[{"InstanceType":"g6.xlarge"},{"InstanceType":"g4dn.xlarge"},{"InstanceType":"g5.xlarge"}]}}}}`,
			"add X Properties.MixedInstancesPolicy.LaunchTemplate.Overrides[0]: null -> {\"InstanceType\":\"g6.xlarge\"}\n",
		},
		"a pinned launch template version is no replacement": {
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MixedInstancesPolicy":{"LaunchTemplate":{"LaunchTemplateSpecification":{"Version":"1"}}}}}`,
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MixedInstancesPolicy":{"LaunchTemplate":{"LaunchTemplateSpecification":{"Version":"2"}}}}}`,
			"modify X Properties.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version: \"1\" -> \"2\"\n",
		},
		"a replacing update policy replaces": {
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","UpdatePolicy":{"AutoScalingReplacingUpdate":{"WillReplace":true}},"Properties":{"LaunchTemplate":{"Version":"1"}}}`,
			`{"Type":"AWS::AutoScaling::AutoScalingGroup","UpdatePolicy":{"AutoScalingReplacingUpdate":{"WillReplace":true}},"Properties":{"LaunchTemplate":{"Version":"2"}}}`,
			"modify X Properties.LaunchTemplate.Version: \"1\" -> \"2\" replace=yes\n",
		},
		"a container's environment": {
			`{"Type":"AWS::ECS::TaskDefinition","Properties":{"ContainerDefinitions":[{"Name":"web","Image":"a","Environment":[{"Name":"A","Value":"1"},{"Name":"DB_PASSWORD","Value":"hunter2"}]}]}}`,
			`{"Type":"AWS::ECS::TaskDefinition","Properties":{"ContainerDefinitions":[{"Name":"web","Image":"a","Environment":[{"Name":"DB_PASSWORD","Value":"hunter3"},{"Name":"A","Value":"2"}]}]}}`,
			"modify X Properties.ContainerDefinitions[web].Environment[A].Value: \"1\" -> \"2\" replace=yes\n" +
				"modify X Properties.ContainerDefinitions[web].Environment[DB_PASSWORD].Value: \"(sensitive)\" -> \"(sensitive)\" replace=yes sensitive\n",
		},
		"a policy": {
			`{"Type":"AWS::IAM::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*"},{"Sid":"B","Effect":"Allow","Action":["a:B","a:C"],"Resource":["x","y"]}]}}}`,
			`{"Type":"AWS::IAM::Policy","Properties":{"PolicyDocument":{"Version":"2012-10-17","Statement":[{"Sid":"B","Effect":"Allow","Action":["a:C","a:B"],"Resource":["y"]},{"Effect":"Allow","Action":"s3:GetObject","Resource":["*"]}]}}}`,
			"remove X Properties.PolicyDocument.Statement[1].Resource[0]: \"x\" -> null\n",
		},
		"a statement by its id": {
			`{"Type":"AWS::IAM::Policy","Properties":{"PolicyDocument":{"Statement":[{"Sid":"A","Action":"a:A","Resource":"*"},{"Sid":"B","Action":"b:B","Resource":"*"}]}}}`,
			`{"Type":"AWS::IAM::Policy","Properties":{"PolicyDocument":{"Statement":{"Sid":"A","Action":"a:X","Resource":"*"}}}}`,
			"modify X Properties.PolicyDocument.Statement[A].Action: \"a:A\" -> \"a:X\"\n" +
				"remove X Properties.PolicyDocument.Statement[B]: {\"Action\":\"b:B\",\"Resource\":\"*\",\"Sid\":\"B\"} -> null\n",
		},
		"a dashboard": {
			`{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{\"widgets\":[{\"x\":0,\"y\":1}]}"}}`,
			`{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{ \"widgets\": [{\"y\":2,\"x\":0}] }"}}`,
			`modify X Properties.DashboardBody: "{\"widgets\":[{\"x\":0,\"y\":1}]}" -> "{ \"widgets\": [{\"y\":2,\"x\":0}] }"` + "\n" +
				"@@ -2,7 +2,7 @@\n   \"widgets\": [\n     {\n       \"x\": 0,\n-      \"y\": 1\n+      \"y\": 2\n     }\n   ]\n }\n",
		},
		"a dashboard with other white space": {
			`{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{\"widgets\":[1]}"}}`,
			`{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{ \"widgets\": [ 1 ] }"}}`, "",
		},
		"user data with references": {
			`{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"UserData":{"Fn::Base64":"#!/bin/bash\nURL=http://old\nrun\n"}}}}`,
			`{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"UserData":{"Fn::Base64":{"Fn::Join":["",["#!/bin/bash\nURL=",{"Reconcile::Ref":"output bp-compute Url"},"\nrun\n"]]}}}}}`,
			"modify X Properties.LaunchTemplateData.UserData: {\"Fn::Base64\":\"#!/bin/bash\\nURL=http://old\\nrun\\n\"} -> {\"Fn::Base64\":{\"Fn::Join\":[\"\",[\"#!/bin/bash\\nURL=\",{\"Reconcile::Ref\":\"output bp-compute Url\"},\"\\nrun\\n\"]]}} unknown\n" +
				"@@ -1,3 +1,3 @@\n #!/bin/bash\n-URL=http://old\n+URL=${bp-compute.Url}\n run\n",
		},
		"a moving value of the template itself": {
			`{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"UserData":"A=x\nB\n"}}}`,
			`{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"UserData":{"Fn::Join":["",["A=",{"Reconcile::Ref":"output . {\"Fn::GetAtt\":[\"Db\",\"Arn\"]}"},"\nB\n"]]}}}}`,
			`modify X Properties.LaunchTemplateData.UserData: "A=x\nB\n" -> {"Fn::Join":["",["A=",{"Reconcile::Ref":"output . {\"Fn::GetAtt\":[\"Db\",\"Arn\"]}"},"\nB\n"]]} unknown` + "\n" +
				"@@ -1,2 +1,2 @@\n-A=x\n+A=${Db.Arn}\n B\n",
		},
		"an open reference against a literal": {
			`{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":"vpc-1","MapPublicIpOnLaunch":true}}`,
			`{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":{"Reconcile::Ref":"output bp-network VpcId"},"MapPublicIpOnLaunch":true}}`,
			"modify X Properties.VpcId: \"vpc-1\" -> {\"Reconcile::Ref\":\"output bp-network VpcId\"} replace=maybe unknown\n",
		},
		"the same reference in two forms": {
			`{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":{"Fn::GetAtt":"Vpc.VpcId"},"CidrBlock":{"Fn::Join":["",["10.0.","0.0/24"]]}}}`,
			`{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":{"Fn::GetAtt":["Vpc","VpcId"]},"CidrBlock":"10.0.0.0/24"}}`, "",
		},
		"secrets": {
			`{"Type":"AWS::RDS::DBInstance","Properties":{"MasterUserPassword":"hunter2","MasterUsername":"a"}}`,
			`{"Type":"AWS::RDS::DBInstance","Properties":{"MasterUserPassword":"{{resolve:secretsmanager:x}}","MasterUsername":"a"}}`,
			"modify X Properties.MasterUserPassword: \"(sensitive)\" -> \"{{resolve:secretsmanager:x}}\" sensitive\n",
		},
		"a secret of several lines has no document": {
			`{"Type":"AWS::SecretsManager::Secret","Properties":{"SecretString":"a\nb\n"}}`,
			`{"Type":"AWS::SecretsManager::Secret","Properties":{"SecretString":"a\nc\n"}}`,
			"modify X Properties.SecretString: \"(sensitive)\" -> \"(sensitive)\" sensitive\n",
		},
		"a secret in a join": {
			`{"Type":"AWS::SecretsManager::Secret","Properties":{"SecretString":"a"}}`,
			`{"Type":"AWS::SecretsManager::Secret","Properties":{"SecretString":{"Fn::Join":["",["hunter2",{"Ref":"X"}]]}}}`,
			"modify X Properties.SecretString: \"(sensitive)\" -> {\"Fn::Join\":[\"(sensitive)\",[\"(sensitive)\",{\"Ref\":\"X\"}]]} sensitive\n",
		},
		"a parameter whose name is secret": {
			`{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/bp/fleets/staging/fleet-secret","Type":"String","Value":"a"}}`,
			`{"Type":"AWS::SSM::Parameter","Properties":{"Name":"/bp/fleets/staging/fleet-secret","Type":"String","Value":"b"}}`,
			"modify X Properties.Value: \"(sensitive)\" -> \"(sensitive)\" sensitive\n",
		},
		"attributes": {
			`{"Type":"AWS::SNS::Topic","DependsOn":["A","B"],"DeletionPolicy":"Delete"}`,
			`{"Type":"AWS::SNS::Topic","DependsOn":["B","A"],"DeletionPolicy":"Retain","UpdateReplacePolicy":"Retain","Metadata":{"a":{"b.c":1}}}`,
			"modify X DeletionPolicy: \"Delete\" -> \"Retain\"\nadd X UpdateReplacePolicy: null -> \"Retain\"\nadd X Metadata: null -> {\"a\":{\"b.c\":1}}\n",
		},
		"keys with dots": {
			`{"Type":"Custom::A","Properties":{"M":{"a.b":1}}}`,
			`{"Type":"Custom::A","Properties":{"M":{"a.b":2}}}`,
			"modify X Properties.M[\"a.b\"]: 1 -> 2 replace=maybe\n",
		},
		"an object that holds a create-only property": {
			`{"Type":"AWS::EC2::VPCEndpoint","Properties":{"VpcId":"v"}}`,
			`{"Type":"AWS::EC2::VPCEndpoint","Properties":{"VpcId":"v","DnsOptions":{"PrivateDnsPreference":"ALL_DOMAINS"}}}`,
			"add X Properties.DnsOptions: null -> {\"PrivateDnsPreference\":\"ALL_DOMAINS\"} replace=yes\n",
		},
		"an object that holds none": {
			`{"Type":"AWS::EC2::VPCEndpoint","Properties":{"VpcId":"v"}}`,
			`{"Type":"AWS::EC2::VPCEndpoint","Properties":{"VpcId":"v","DnsOptions":{"DnsRecordIpType":"ipv4"}}}`,
			"add X Properties.DnsOptions: null -> {\"DnsRecordIpType\":\"ipv4\"}\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := lines(Diff(one(resource(t, tt.before)), one(resource(t, tt.after))))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffOfTemplates(t *testing.T) {
	before, err := Parse([]byte(`{"Description":"old","Resources":{"A":{"Type":"AWS::SNS::Topic"},"B":{"Type":"AWS::SNS::Topic"}},
		"Parameters":{"P":{"Type":"String","NoEcho":true,"Default":"hunter2"}},
		"Outputs":{"O":{"Value":{"Ref":"A"}},"ReconcileDigest":{"Value":"1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	after, err := Parse([]byte(`{"Description":"new","Resources":{"B":{"Type":"AWS::SNS::Topic"},"C":{"Type":"AWS::SQS::Queue"}},
		"Parameters":{"P":{"Type":"String","NoEcho":"true","Default":"hunter3"}},
		"Outputs":{"O":{"Value":{"Ref":"C"}},"N":{"Value":"x","Description":"d"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "remove A: null -> null\n" +
		"add C\n" +
		"add Outputs.N: null -> {\"Description\":\"d\",\"Value\":\"x\"}\n" +
		"modify Outputs.O Value: {\"Ref\":\"A\"} -> {\"Ref\":\"C\"}\n" +
		"modify Parameters.P Default: \"(sensitive)\" -> \"(sensitive)\" sensitive\n"
	got := lines(Diff(before, after))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
