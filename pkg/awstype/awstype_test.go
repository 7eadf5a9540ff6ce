package awstype

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func properties(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEveryTypeParsesAndCompiles(t *testing.T) {
	listed, err := os.ReadFile("types.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(listed)), Names()); diff != "" {
		t.Errorf("types.txt and the data differ; run regenerate.py (-want +got):\n%s", diff)
	}
	for _, name := range Names() {
		typ, ok := Lookup(name)
		if !ok || len(typ.Properties) == 0 {
			t.Errorf("Lookup(%s) = %v properties, %v", name, len(typ.Properties), ok)
		}
		if _, err := table().entries[name].compile(); err != nil {
			t.Error(err)
		}
		for _, p := range slices.Concat(typ.Required, typ.Identifier, typ.ReadOnly, typ.CreateOnly, typ.WriteOnly) {
			if top := strings.Split(p, ".")[0]; !slices.Contains(typ.Properties, top) {
				t.Errorf("%s names the property %s, which it does not have", name, p)
			}
		}
		if typ.TagProperty != "" && !slices.Contains(typ.Properties, typ.TagProperty) {
			t.Errorf("%s is tagged by %s, which it does not have", name, typ.TagProperty)
		}
	}
}

func TestNamePropertiesReplace(t *testing.T) {
	for name, property := range nameProperties {
		typ, ok := Lookup(name)
		if !ok || !slices.Contains(typ.Properties, property) {
			t.Errorf("%s has no property %s", name, property)
		}
		if typ.Replacement(property) != Yes {
			t.Errorf("%s.%s names the resource but does not replace it", name, property)
		}
	}
}

func TestCorrectionsSayWhy(t *testing.T) {
	for _, c := range corrections {
		if _, ok := Lookup(c.typeName); !ok || c.reason == "" {
			t.Errorf("correction of %q: known %v, reason %q", c.typeName, ok, c.reason)
		}
	}
}

func TestReplacement(t *testing.T) {
	tests := []struct {
		typeName, path string
		want           Replace
	}{
		{"AWS::EC2::VPC", "Properties.CidrBlock", Yes},
		{"AWS::EC2::VPC", "CidrBlock", Yes},
		{"AWS::EC2::VPC", "EnableDnsSupport", No},
		{"AWS::EC2::VPC", "InstanceTenancy", Maybe},
		{"AWS::EC2::VPC", "Tags[Owner].Value", No},
		{"AWS::EC2::SecurityGroup", "GroupDescription", Yes},
		{"AWS::EC2::VPCEndpoint", "DnsOptions.PrivateDnsPreference", Yes},
		{"AWS::EC2::VPCEndpoint", "DnsOptions.DnsRecordIpType", No},
		{"AWS::EC2::VPCEndpoint", "DnsOptions", Maybe},
		{"AWS::ECS::TaskDefinition", "ContainerDefinitions[web].Image", Yes},
		{"AWS::ECS::TaskDefinition", "Tags[Owner].Value", No},
		{"AWS::AutoScaling::AutoScalingGroup", "Properties.MixedInstancesPolicy.LaunchTemplate.Overrides[0]", Maybe},
		{"AWS::AutoScaling::AutoScalingGroup", "MaxSize", No},
		{"AWS::RDS::DBInstance", "StorageEncrypted", Yes},
		{"AWS::EC2::LaunchTemplate", "LaunchTemplateData.ImageId", No},
		{"AWS::Budgets::Budget", "Budget.BudgetName", Yes},
		{"AWS::Budgets::Budget", "Budget.BudgetLimit.Amount", No},
	}
	for _, tt := range tests {
		typ, ok := Lookup(tt.typeName)
		if !ok {
			t.Fatalf("Lookup(%s) failed", tt.typeName)
		}
		if got := typ.Replacement(tt.path); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.typeName, tt.path, got, tt.want)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := map[string][]string{
		"":                         nil,
		"Properties":               {"Properties"},
		"Properties.A.B[0].C":      {"A", "B", "*", "C"},
		`A["x.y]"].B`:              {"A", "*", "B"},
		"Statement[Sid].Action[2]": {"Statement", "*", "Action", "*"},
		"A[broken":                 {"A", "*"},
	}
	for path, want := range tests {
		if diff := cmp.Diff(want, Split(path)); diff != "" {
			t.Errorf("Split(%q) (-want +got):\n%s", path, diff)
		}
	}
}

func TestLists(t *testing.T) {
	tests := []struct {
		typeName, path string
		want           bool
	}{
		{"AWS::EC2::SecurityGroup", "SecurityGroupIngress", true},
		{"AWS::EC2::SecurityGroup", "Properties.Tags", true},
		{"AWS::AutoScaling::AutoScalingGroup", "MixedInstancesPolicy.LaunchTemplate.Overrides", false},
		{"AWS::EC2::VPC", "CidrBlock", false},
		{"AWS::EC2::VPC", "NoSuch[0].Thing", false},
	}
	for _, tt := range tests {
		typ, _ := Lookup(tt.typeName)
		if got := typ.Unordered(tt.path); got != tt.want {
			t.Errorf("%s %s: unordered %v, want %v", tt.typeName, tt.path, got, tt.want)
		}
	}
}

func TestStateful(t *testing.T) {
	for name, want := range map[string]bool{
		"AWS::RDS::DBInstance": true, "AWS::S3::Bucket": true, "AWS::SecretsManager::Secret": true,
		"AWS::ElastiCache::CacheCluster": true, "AWS::EC2::VPC": false, "AWS::ECS::Service": false,
	} {
		if got := Stateful(name); got != want {
			t.Errorf("Stateful(%s) = %v", name, got)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		typeName, properties string
		want                 []Problem
	}{
		"good":         {"AWS::EC2::VPC", `{"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": true}`, nil},
		"unknown type": {"Custom::Thing", `{"X": 1}`, nil},
		"unknown property": {
			"AWS::EC2::VPC", `{"CidrBlok": "10.0.0.0/16", "Zzz": 1}`,
			[]Problem{{"", "one of CidrBlock and Ipv4IpamPoolId is required"}, {"CidrBlok", "no such property; did you mean CidrBlock?"}, {"Zzz", "no such property"}},
		},
		"wrong type": {
			"AWS::AutoScaling::AutoScalingGroup", `{"MinSize": [1], "MaxSize": "1", "LaunchTemplate": {"LaunchTemplateName": "abc", "Version": "1"}}`,
			[]Problem{{"MinSize", "want string, got array"}},
		},
		"required": {
			"AWS::AutoScaling::AutoScalingGroup", `{"MinSize": "0", "InstanceId": "i-1"}`,
			[]Problem{{"", "MaxSize is required"}},
		},
		"deep": {
			"AWS::ECS::TaskDefinition", `{"ContainerDefinitions": [{"Name": "web", "Image": "x", "PortMappings": [{"ContainerPrt": 80}]}]}`,
			[]Problem{{"ContainerDefinitions[0].PortMappings[0].ContainerPrt", "no such property; did you mean ContainerPort?"}},
		},
		"enum": {
			"AWS::EC2::LaunchTemplate", `{"LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "requird"}}}`,
			[]Problem{{"LaunchTemplateData.MetadataOptions.HttpTokens", `"requird" is not an allowed value; did you mean required?`}},
		},
		"coerced": {"AWS::Logs::LogGroup", `{"RetentionInDays": "30", "DeletionProtectionEnabled": "true"}`, nil},
		"coerced, out of range": {
			"AWS::SQS::Queue", `{"DelaySeconds": "901", "MaximumMessageSize": "0", "MessageRetentionPeriod": "345600"}`,
			[]Problem{{"DelaySeconds", "must be <= 900 but found 901"}, {"MaximumMessageSize", "must be >= 1024 but found 0"}},
		},
		"bad retention": {
			"AWS::Logs::LogGroup", `{"RetentionInDays": 31}`,
			[]Problem{{"RetentionInDays", "must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"}},
		},
		"intrinsics": {
			"AWS::AutoScaling::AutoScalingGroup",
			`{"MinSize": {"Ref": "Min"}, "LaunchTemplate": {"Ref": "AWS::NoValue"}, "MaxSize": {"Fn::If": ["A", "1", {"Ref": "AWS::NoValue"}]},
			  "VPCZoneIdentifier": {"Reconcile::Ref": "output bp-network Subnets"},
			  "TargetGroupARNs": [{"Reconcile::Ref": "output bp-compute X"}]}`,
			nil,
		},
		"dynamic reference": {"AWS::RDS::DBInstance", `{"DBInstanceClass": "db.t4g.medium", "Engine": "mariadb", "AllocatedStorage": "{{resolve:ssm:x}}"}`, nil},
		"computed": {
			"AWS::EC2::VPC", `{"CidrBlock": "10.0.0.0/16", "VpcId": "vpc-1"}`,
			[]Problem{{"VpcId", "is set by AWS and cannot be written"}},
		},
		"one of two": {
			"AWS::EC2::Subnet", `{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a", "AvailabilityZoneId": "use1-az1"}`,
			[]Problem{{"", "AvailabilityZone and AvailabilityZoneId cannot be set together"}},
		},
		"secret values stay out": {
			"AWS::SecretsManager::Secret", `{"SecretString": ["hunter2hunter2"], "KmsKeyId": {"a": "b", "c": "d"}}`,
			[]Problem{{"KmsKeyId", "want string, got object"}, {"SecretString", "want string, got array"}},
		},
		"nil": {"AWS::EC2::Route", ``, []Problem{{"", "RouteTableId is required"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var in map[string]any
			if tt.properties != "" {
				in = properties(t, tt.properties)
			}
			if diff := cmp.Diff(tt.want, Validate(tt.typeName, in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnpackSaysWhatIsWrong(t *testing.T) {
	if _, err := unpack([]byte("not zip")); err == nil {
		t.Error("no error for data that is no archive")
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("AWS::X::Y")
	if err == nil {
		_, err = f.Write([]byte("["))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	d, err := unpack(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d.entries["AWS::X::Y"].parsed().err == nil {
		t.Error("no error for a schema that is no JSON")
	}
}

func BenchmarkLoadAll(b *testing.B) {
	for b.Loop() {
		d, err := unpack(packed)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range d.entries {
			e.parsed()
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`Properties.A["b.c"][0].D`)
	f.Fuzz(func(t *testing.T, path string) {
		for _, s := range Split(path) {
			if s == "" {
				t.Errorf("Split(%q) has an empty segment", path)
			}
		}
	})
}
