package sandbox_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reconcile/pkg/sandbox"
)

func resource(kind string, properties map[string]any) map[string]any {
	return map[string]any{"Type": kind, "Properties": properties}
}

func template(resources map[string]any) tree { return tree{"Resources": resources} }

const (
	aTargetGroup = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"
	aBalancer    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/none/0123456789abcdef"
	aListener    = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/none/0123456789abcdef/0123456789abcdef"
	aTopic       = "arn:aws:sns:us-east-1:123456789012:none"
	aRole        = "arn:aws:iam::123456789012:role/none"
	aSubnet      = "subnet-0123456789abcdef0"
	aGroup       = "sg-0123456789abcdef0"
)

// launched is a group with one property more; its template is there.
func launched(extra map[string]any) map[string]any {
	p := map[string]any{"MinSize": "0", "MaxSize": "1", "LaunchTemplate": map[string]any{"LaunchTemplateName": "there", "Version": "1"}, "AvailabilityZones": []any{"us-east-1a"}}
	for k, v := range extra {
		p[k] = v
	}
	return resource("AWS::AutoScaling::AutoScalingGroup", p)
}

// every case is a resource that refers to something that does not exist, what
// AWS says of it, and the handler's code.
var brokenReferences = map[string]struct {
	r          map[string]any
	want, code string
}{
	"group: subnet":          {launched(map[string]any{"VPCZoneIdentifier": []any{aSubnet}}), "The subnet ID '" + aSubnet + "' does not exist (Service: AutoScaling, Status Code: 400", "InvalidRequest"},
	"group: target group":    {launched(map[string]any{"TargetGroupARNs": []any{aTargetGroup}}), "Provided Target Groups may not be valid. Please ensure they exist and try again.", "InvalidRequest"},
	"group: zone":            {launched(map[string]any{"AvailabilityZones": []any{"us-east-1z"}}), "Invalid Availability Zones: [us-east-1z]", "InvalidRequest"},
	"group: topic":           {launched(map[string]any{"NotificationConfigurations": []any{map[string]any{"TopicARN": aTopic, "NotificationTypes": []any{"autoscaling:EC2_INSTANCE_LAUNCH"}}}}), "Unable to publish test notification message to notification target " + aTopic, "InvalidRequest"},
	"group: template":        {launched(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "none", "Version": "1"}}), "The specified launch template, with template name none, does not exist.", "InvalidRequest"},
	"group: version":         {launched(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "there", "Version": "7"}}), "Could not find launch template version 7", "InvalidRequest"},
	"group: image":           {launched(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "image", "Version": "1"}}), "The image id '[ami-0123456789abcdef0]' does not exist", "InvalidRequest"},
	"group: profile":         {launched(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "profile", "Version": "1"}}), "Invalid IAM Instance Profile name", "InvalidRequest"},
	"group: security group":  {launched(map[string]any{"LaunchTemplate": map[string]any{"LaunchTemplateName": "firewall", "Version": "1"}}), "The security group '" + aGroup + "' does not exist", "InvalidRequest"},
	"policy: group":          {resource("AWS::AutoScaling::ScalingPolicy", map[string]any{"AutoScalingGroupName": "none", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}), "AutoScalingGroup name not found", "InvalidRequest"},
	"profile: role":          {resource("AWS::IAM::InstanceProfile", map[string]any{"Roles": []any{"none"}}), "The role with name none cannot be found. (Service: Iam, Status Code: 404", "NotFound"},
	"policy: role":           {resource("AWS::IAM::Policy", map[string]any{"PolicyName": "p", "PolicyDocument": map[string]any{"Statement": []any{}}, "Roles": []any{"none"}}), "The role with name none cannot be found.", "NotFound"},
	"role: policy":           {resource("AWS::IAM::Role", map[string]any{"AssumeRolePolicyDocument": map[string]any{}, "ManagedPolicyArns": []any{"arn:aws:iam::123456789012:policy/none"}}), "Policy arn:aws:iam::123456789012:policy/none does not exist or is not attachable.", "NotFound"},
	"function: role":         {resource("AWS::Lambda::Function", map[string]any{"Role": aRole, "Handler": "a.b", "Runtime": "python3.13", "Code": map[string]any{"ZipFile": "x"}}), "The role defined for the function cannot be assumed by Lambda.", "InvalidRequest"},
	"permission: function":   {resource("AWS::Lambda::Permission", map[string]any{"Action": "lambda:InvokeFunction", "FunctionName": "none", "Principal": "sns.amazonaws.com"}), "Function not found: arn:aws:lambda:us-east-1:123456789012:function:none", "NotFound"},
	"listener: balancer":     {resource("AWS::ElasticLoadBalancingV2::Listener", map[string]any{"LoadBalancerArn": aBalancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": []any{map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": "404"}}}}), "Load balancer '" + aBalancer + "' not found", "NotFound"},
	"rule: listener":         {resource("AWS::ElasticLoadBalancingV2::ListenerRule", map[string]any{"ListenerArn": aListener, "Priority": 1, "Conditions": []any{}, "Actions": []any{map[string]any{"Type": "forward", "TargetGroupArn": aTargetGroup}}}), "One or more listeners not found", "NotFound"},
	"service: cluster":       {resource("AWS::ECS::Service", map[string]any{"Cluster": "none", "TaskDefinition": "none:1"}), "Cluster not found.", "NotFound"},
	"service: task":          {resource("AWS::ECS::Service", map[string]any{"Cluster": "there", "TaskDefinition": "none:1"}), "TaskDefinition not found.", "InvalidRequest"},
	"service: subnet":        {resource("AWS::ECS::Service", map[string]any{"Cluster": "there", "TaskDefinition": "none:1", "NetworkConfiguration": map[string]any{"AwsvpcConfiguration": map[string]any{"Subnets": []any{aSubnet}}}}), "Error retrieving subnet information for [" + aSubnet + "]: The subnet ID '" + aSubnet + "' does not exist (ErrorCode: InvalidSubnetID.NotFound)", "InvalidRequest"},
	"service: group":         {resource("AWS::ECS::Service", map[string]any{"Cluster": "there", "TaskDefinition": "none:1", "NetworkConfiguration": map[string]any{"AwsvpcConfiguration": map[string]any{"SecurityGroups": []any{aGroup}}}}), "Error retrieving security group information for [" + aGroup + "]", "InvalidRequest"},
	"service: target group":  {resource("AWS::ECS::Service", map[string]any{"Cluster": "there", "TaskDefinition": "none:1", "LoadBalancers": []any{map[string]any{"TargetGroupArn": map[string]any{"Ref": "Idle"}, "ContainerName": "a", "ContainerPort": 80}}}), "does not have an associated load balancer.", "InvalidRequest"},
	"providers: cluster":     {resource("AWS::ECS::ClusterCapacityProviderAssociations", map[string]any{"Cluster": "none", "CapacityProviders": []any{"FARGATE"}, "DefaultCapacityProviderStrategy": []any{}}), "Cluster not found.", "NotFound"},
	"scaling: service":       {resource("AWS::ApplicationAutoScaling::ScalableTarget", map[string]any{"ResourceId": "service/there/none", "ScalableDimension": "ecs:service:DesiredCount", "ServiceNamespace": "ecs", "MinCapacity": 1, "MaxCapacity": 2}), "ECS service doesn't exist: service/there/none", "InvalidRequest"},
	"scaling: target":        {resource("AWS::ApplicationAutoScaling::ScalingPolicy", map[string]any{"PolicyName": "p", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": "service/a/b|ecs:service:DesiredCount|ecs"}), "No scalable target registered for service namespace: ecs, resource ID: service/a/b", "NotFound"},
	"database: subnet group": {resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "DBSubnetGroupName": "none"}), "DB subnet group 'none' does not exist.", "NotFound"},
	"database: parameters":   {resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "DBParameterGroupName": "none"}), "DBParameterGroup not found: none", "NotFound"},
	"database: firewall":     {resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "VPCSecurityGroups": []any{aGroup}}), "Invalid security group , groupId= " + aGroup + ", groupName=.", "InvalidRequest"},
	"database subnets":       {resource("AWS::RDS::DBSubnetGroup", map[string]any{"DBSubnetGroupDescription": "d", "SubnetIds": []any{aSubnet}}), "Some input subnets in :[" + aSubnet + "] are invalid.", "InvalidRequest"},
	"cache: subnet group":    {resource("AWS::ElastiCache::CacheCluster", map[string]any{"CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheNodes": 1, "CacheSubnetGroupName": "none"}), "Cache Subnet Group none does not exist.", "NotFound"},
	"subscription: topic":    {resource("AWS::SNS::Subscription", map[string]any{"TopicArn": aTopic, "Protocol": "email", "Endpoint": "a@example.com"}), "Topic does not exist (Service: Sns, Status Code: 404", "NotFound"},
	"topic policy: topic":    {resource("AWS::SNS::TopicPolicy", map[string]any{"Topics": []any{aTopic}, "PolicyDocument": map[string]any{}}), "Topic does not exist", "NotFound"},
	"bucket policy: bucket":  {resource("AWS::S3::BucketPolicy", map[string]any{"Bucket": "none", "PolicyDocument": map[string]any{}}), "The specified bucket does not exist (Service: S3, Status Code: 404", "NotFound"},
	"filter: log group":      {resource("AWS::Logs::MetricFilter", map[string]any{"LogGroupName": "/none", "FilterPattern": "x", "MetricTransformations": []any{map[string]any{"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}}}), "The specified log group does not exist.", "NotFound"},
	"instance: image":        {resource("AWS::EC2::Instance", map[string]any{"ImageId": "ami-0123456789abcdef0"}), "The image id '[ami-0123456789abcdef0]' does not exist", "NotFound"},
	"secret":                 {resource("AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": "{{resolve:secretsmanager:/none:SecretString:password}}"}), "Secrets Manager can't find the specified secret. (Service: AWSSecretsManager", ""},
	"secret: key":            {resource("AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": "{{resolve:secretsmanager:/there:SecretString:none}}"}), "Could not find a value associated with JSONKey in SecretString", ""},
	"secret: stage":          {resource("AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": "{{resolve:secretsmanager:/there:SecretString:user:AWSPENDING}}"}), "Secrets Manager can't find the specified secret value for staging label: AWSPENDING", ""},
}

func TestReferencesToNothing(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	must[*secretsmanager.CreateSecretOutput](t)(secretsmanager.NewFromConfig(config(box)).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("/there"), SecretString: aws.String(`{"user":"u"}`)}))
	data := func(extra map[string]any) map[string]any {
		return resource("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateName": extra["name"], "LaunchTemplateData": extra["data"]})
	}
	// EC2 takes a launch template whose ids nothing has; the group refuses it.
	s.want(s.create("there", template(map[string]any{
		"There":    data(map[string]any{"name": "there", "data": map[string]any{"InstanceType": "t3.micro"}}),
		"Image":    data(map[string]any{"name": "image", "data": map[string]any{"ImageId": "ami-0123456789abcdef0"}}),
		"Profile":  data(map[string]any{"name": "profile", "data": map[string]any{"IamInstanceProfile": map[string]any{"Name": "none"}}}),
		"Firewall": data(map[string]any{"name": "firewall", "data": map[string]any{"SecurityGroupIds": []any{aGroup}}}),
		"Cluster":  resource("AWS::ECS::Cluster", map[string]any{"ClusterName": "there"}),
	})), cfntypes.StackStatusCreateComplete)
	for name, test := range brokenReferences {
		t.Run(name, func(t *testing.T) {
			resources := map[string]any{"Broken": test.r}
			if strings.Contains(name, "service: target group") {
				resources["Idle"] = resource("AWS::ElasticLoadBalancingV2::TargetGroup", map[string]any{"Name": "idle"})
			}
			stack := "broken-" + strings.NewReplacer(": ", "-", " ", "-").Replace(name)
			st := s.create(stack, template(resources))
			all := strings.Join(s.reasons(*st.StackId), "\n")
			if st.StackStatus != cfntypes.StackStatusRollbackComplete || !strings.Contains(all, test.want) || test.code != "" && !strings.Contains(all, "HandlerErrorCode: "+test.code+")") {
				t.Errorf("%s, want %q and code %s\n%s", st.StackStatus, test.want, test.code, all)
			}
		})
	}
}

// What the API made counts as what a stack made, and the other way round.
func TestReferencesAcrossStacksAndCalls(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template")), cfntypes.StackStatusCreateComplete)
	c := autoscaling.NewFromConfig(config(box))
	group := &autoscaling.CreateAutoScalingGroupInput{AutoScalingGroupName: aws.String("by-hand"), MinSize: aws.Int32(0), MaxSize: aws.Int32(1), AvailabilityZones: []string{"us-east-1a"}, LaunchTemplate: fleetLaunch("1")}
	must[*autoscaling.CreateAutoScalingGroupOutput](t)(c.CreateAutoScalingGroup(t.Context(), group))
	_, err := c.CreateAutoScalingGroup(t.Context(), group)
	wantCode(t, err, "AlreadyExists")
	group.AutoScalingGroupName, group.LaunchTemplate = aws.String("other"), fleetLaunch("9")
	_, err = c.CreateAutoScalingGroup(t.Context(), group)
	wantCode(t, err, "ValidationError")
	group.LaunchTemplate, group.VPCZoneIdentifier = fleetLaunch("1"), aws.String(aSubnet)
	_, err = c.CreateAutoScalingGroup(t.Context(), group)
	wantCode(t, err, "ValidationError")
	s.want(s.create("policy", template(map[string]any{
		"Policy": resource("AWS::AutoScaling::ScalingPolicy", map[string]any{"AutoScalingGroupName": "by-hand", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}),
	})), cfntypes.StackStatusCreateComplete)
	out := must[*autoscaling.DescribePoliciesOutput](t)(c.DescribePolicies(t.Context(), &autoscaling.DescribePoliciesInput{AutoScalingGroupName: aws.String("by-hand")}))
	if len(out.ScalingPolicies) != 1 || *out.ScalingPolicies[0].ScalingAdjustment != 1 || *out.ScalingPolicies[0].PolicyType != "SimpleScaling" {
		t.Errorf("%+v", out.ScalingPolicies)
	}
	// A stack whose reference breaks later fails when it next looks.
	must[*autoscaling.DeleteAutoScalingGroupOutput](t)(c.DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("by-hand")}))
	s.want(s.update("policy", template(map[string]any{
		"Policy": resource("AWS::AutoScaling::ScalingPolicy", map[string]any{"AutoScalingGroupName": "by-hand", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 2}),
	})), cfntypes.StackStatusUpdateRollbackFailed)
}

// The default network and what calls made can be referred to from a stack.
func TestReferencesToWhatNoStackMade(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	between := func(op, body, name string) string {
		t.Helper()
		_, answer := raw(t, box, "ec2", op, body)
		_, rest, ok := strings.Cut(answer, "<"+name+">")
		id, _, _ := strings.Cut(rest, "<")
		if !ok {
			t.Fatal(answer)
		}
		return id
	}
	subnet := between("DescribeSubnets", "Filter.1.Name=availability-zone&Filter.1.Value.1=us-east-1a", "subnetId")
	second := between("DescribeSubnets", "Filter.1.Name=availability-zone&Filter.1.Value.1=us-east-1b", "subnetId")
	group := between("CreateSecurityGroup", "GroupName=dev&GroupDescription=dev", "groupId")
	s.want(s.create("user", template(map[string]any{
		"Template": resource("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateName": "there", "LaunchTemplateData": map[string]any{"InstanceType": "t3.micro", "SecurityGroupIds": []any{group}}}),
		"Group": map[string]any{"Type": "AWS::AutoScaling::AutoScalingGroup", "DependsOn": "Template", "Properties": map[string]any{
			"MinSize": "0", "MaxSize": "1", "LaunchTemplate": map[string]any{"LaunchTemplateName": "there", "Version": "1"}, "VPCZoneIdentifier": []any{subnet}}},
		"Firewall": resource("AWS::EC2::SecurityGroup", map[string]any{"GroupDescription": "d", "VpcId": between("DescribeVpcs", "", "vpcId")}),
		"Subnets":  resource("AWS::RDS::DBSubnetGroup", map[string]any{"DBSubnetGroupDescription": "d", "SubnetIds": []any{subnet, second}}),
	})), cfntypes.StackStatusCreateComplete)
}

// What something else still uses stays, with the service's own words.
func TestDeletionOfWhatIsInUse(t *testing.T) {
	role := resource("AWS::IAM::Role", map[string]any{"RoleName": "used", "AssumeRolePolicyDocument": map[string]any{}})
	balancer := resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Name": "lb", "Subnets": []any{}})
	for name, test := range map[string]struct {
		used map[string]any
		user map[string]any // with "USED" for the physical id
		want string
	}{
		"target group": {resource("AWS::ElasticLoadBalancingV2::TargetGroup", map[string]any{"Name": "used"}),
			map[string]any{"Balancer": balancer, "User": resource("AWS::ElasticLoadBalancingV2::Listener", map[string]any{"LoadBalancerArn": map[string]any{"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP", "DefaultActions": []any{map[string]any{"Type": "forward", "TargetGroupArn": "USED"}}})},
			"is currently in use by a listener or a rule"},
		"role": {role, map[string]any{"User": resource("AWS::IAM::InstanceProfile", map[string]any{"Roles": []any{"used"}})},
			"Cannot delete entity, must remove roles from instance profile first. (Service: Iam, Status Code: 409"},
		"role with a policy": {role, map[string]any{"User": resource("AWS::IAM::Policy", map[string]any{"PolicyName": "p", "PolicyDocument": map[string]any{}, "Roles": []any{"used"}})},
			"Cannot delete entity, must delete policies first."},
		"subnet group": {resource("AWS::ElastiCache::SubnetGroup", map[string]any{"CacheSubnetGroupName": "used", "Description": "d", "SubnetIds": []any{}}),
			map[string]any{"User": resource("AWS::ElastiCache::CacheCluster", map[string]any{"CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheNodes": 1, "CacheSubnetGroupName": "used"})},
			"Cache subnet group used is currently in use by a cache cluster."},
		"database subnets": {resource("AWS::RDS::DBSubnetGroup", map[string]any{"DBSubnetGroupName": "used", "DBSubnetGroupDescription": "d", "SubnetIds": []any{}}),
			map[string]any{"User": resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceIdentifier": "db", "DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "DBSubnetGroupName": "used"})},
			"Cannot delete the subnet group 'used' because at least one database instance: db is still using it."},
		"parameter group": {resource("AWS::RDS::DBParameterGroup", map[string]any{"DBParameterGroupName": "used", "Description": "d", "Family": "mysql8.0"}),
			map[string]any{"User": resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "DBParameterGroupName": "used"})},
			"One or more database instances are still members of this parameter group used, so the group cannot be deleted"},
		"cluster": {resource("AWS::ECS::Cluster", map[string]any{"ClusterName": "used"}),
			map[string]any{"Task": resource("AWS::ECS::TaskDefinition", map[string]any{"Family": "f", "ContainerDefinitions": []any{map[string]any{"Name": "a", "Image": "nginx"}}}), "User": resource("AWS::ECS::Service", map[string]any{"Cluster": "used", "TaskDefinition": map[string]any{"Ref": "Task"}})},
			"The Cluster cannot be deleted while Services are active."},
		"protected balancer": {resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Name": "lb2", "Subnets": []any{}, "LoadBalancerAttributes": []any{map[string]any{"Key": "deletion_protection.enabled", "Value": "true"}}}), nil,
			"cannot be deleted because deletion protection is enabled"},
		"protected database": {resource("AWS::RDS::DBInstance", map[string]any{"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u", "DeletionProtection": true, "BackupRetentionPeriod": 0}), nil,
			"Cannot delete protected DB Instance, please disable deletion protection and try again."},
	} {
		t.Run(name, func(t *testing.T) {
			clk := newClock()
			box := open(t, sandbox.Options{Now: clk.now})
			s := newStacks(t, box, clk)
			used := s.create("used", template(map[string]any{"Used": test.used}))
			s.want(used, cfntypes.StackStatusCreateComplete)
			if test.user != nil {
				out := must[*cloudformation.DescribeStackResourcesOutput](t)(s.c.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("used")}))
				m := template(test.user)
				body := strings.ReplaceAll(*m.body(t), "USED", *out.StackResources[0].PhysicalResourceId)
				must[*cloudformation.CreateStackOutput](t)(s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("user"), TemplateBody: &body, Capabilities: namedIAM}))
				s.want(s.settle("user"), cfntypes.StackStatusCreateComplete)
			}
			s.want(s.remove("used"), cfntypes.StackStatusDeleteFailed)
			if all := strings.Join(s.reasons(*used.StackId), "\n"); !strings.Contains(all, test.want) {
				t.Error(all)
			}
			if test.user != nil {
				s.want(s.remove("user"), cfntypes.StackStatusDeleteComplete)
				s.want(s.remove("used"), cfntypes.StackStatusDeleteComplete)
			}
		})
	}
}
