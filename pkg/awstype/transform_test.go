package awstype

import "testing"

func TestEquivalent(t *testing.T) {
	const key = "1234abcd-12ab-34cd-56ef-1234567890ab"
	tests := []struct {
		typeName, path, declared, live string
		want                           bool
	}{
		{"AWS::RDS::DBInstance", "DBInstanceIdentifier", "Main-DB", "main-db", true},
		{"AWS::RDS::DBInstance", "DBInstanceIdentifier", "Main-DB", "other-db", false},
		{"AWS::RDS::DBInstance", "DBName", "app", "APP", true},
		{"AWS::RDS::DBInstance", "MasterUsername", "Admin", "admin", false},
		{"AWS::RDS::DBCluster", "EngineVersion", "15", "15.4", true},
		{"AWS::RDS::DBCluster", "EngineVersion", "15", "14.4", false},
		{"AWS::ElastiCache::CacheCluster", "EngineVersion", "7.1.0", "7.1", true},
		{"AWS::ECS::Service", "TaskDefinition", "web", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7", true},
		{"AWS::ECS::Service", "TaskDefinition", "web:7", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7", true},
		{"AWS::ECS::Service", "TaskDefinition", "web:6", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7", false},
		{"AWS::ECS::TaskDefinition", "TaskRoleArn", "runner", "arn:aws:iam::123456789012:role/runner", true},
		{"AWS::ECS::CapacityProvider", "AutoScalingGroupProvider.AutoScalingGroupArn", "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:x:autoScalingGroupName/gpu", "gpu", true},
		{"AWS::DynamoDB::Table", "SSESpecification.KMSMasterKeyId", key, "arn:aws:kms:eu-west-1:123456789012:key/" + key, true},
		{"AWS::EFS::FileSystem", "KmsKeyId", key, "arn:aws:kms:eu-west-1:123456789012:key/" + key, true},
		{"AWS::Lambda::Alias", "FunctionName", "work", "arn:aws:lambda:eu-west-1:123456789012:function:work", true},
		{"AWS::Route53::HostedZone", "Name", "Example.org", "example.org.", true},
		{"AWS::S3::Bucket", "NotificationConfiguration.QueueConfigurations[0].Filter.S3Key.Rules[1].Name", "prefix", "Prefix", true},
		{"AWS::EC2::KeyPair", "PublicKeyMaterial", "ssh-rsa AAAA", "ssh-rsa AAAA\n", true},
		{"AWS::EC2::VPC", "CidrBlock", "10.0.0.0/16", "10.0.0.0/17", false},
	}
	for _, tt := range tests {
		typ, ok := Lookup(tt.typeName)
		if !ok {
			t.Fatalf("Lookup(%s) failed", tt.typeName)
		}
		if got := typ.Equivalent(tt.path, map[string]any{}, tt.declared, tt.live); got != tt.want {
			t.Errorf("%s %s: %s for %s is %v", tt.typeName, tt.path, tt.live, tt.declared, got)
		}
	}
	// One property's way of writing can depend on another's value.
	cluster, _ := Lookup("AWS::RDS::DBCluster")
	for engine, want := range map[string]bool{"mysql": true, "aurora-mysql": false} {
		if got := cluster.Equivalent("EnableHttpEndpoint", map[string]any{"Engine": engine}, true, false); got != want {
			t.Errorf("EnableHttpEndpoint of %s: %v", engine, got)
		}
	}
}
