package stackengine

// DefaultDurations gives the seconds that AWS typically takes for an operation
// on a resource of a type, until it is stable. The figures are what users see
// and what AWS's guides say, rounded: known to a factor of two, not measured.
func DefaultDurations(resourceType string, phase Phase) float64 {
	d, ok := typical[resourceType]
	if !ok {
		d = span{2, 2, 1}
	}
	switch phase {
	case PhaseCreate:
		return d.create
	case PhaseDelete:
		return d.remove
	default:
		return d.update
	}
}

// span is seconds to create, to update and to delete.
type span struct{ create, update, remove float64 }

var typical = map[string]span{
	"AWS::AutoScaling::AutoScalingGroup":          {30, 5, 60},
	"AWS::AutoScaling::WarmPool":                  {20, 5, 30},
	"AWS::CertificateManager::Certificate":        {120, 5, 5},
	"AWS::CloudFront::Distribution":               {240, 200, 240},
	"AWS::CloudFront::Function":                   {5, 5, 5},
	"AWS::CloudWatch::Dashboard":                  {2, 2, 1},
	"AWS::DynamoDB::Table":                        {15, 30, 10},
	"AWS::EC2::EIP":                               {15, 5, 2},
	"AWS::EC2::Instance":                          {25, 60, 40},
	"AWS::EC2::InternetGateway":                   {15, 2, 2},
	"AWS::EC2::NatGateway":                        {90, 10, 60},
	"AWS::EC2::Route":                             {5, 5, 3},
	"AWS::EC2::SecurityGroup":                     {5, 5, 3},
	"AWS::EC2::Subnet":                            {5, 3, 2},
	"AWS::EC2::VPC":                               {12, 3, 2},
	"AWS::EC2::VPCEndpoint":                       {15, 10, 20},
	"AWS::EC2::VPCGatewayAttachment":              {10, 5, 10},
	"AWS::ECS::Cluster":                           {8, 5, 5},
	"AWS::ECS::Service":                           {120, 120, 90},
	"AWS::EFS::FileSystem":                        {10, 5, 10},
	"AWS::EFS::MountTarget":                       {80, 10, 60},
	"AWS::ElastiCache::CacheCluster":              {300, 240, 240},
	"AWS::ElastiCache::ReplicationGroup":          {480, 300, 300},
	"AWS::ElasticLoadBalancingV2::LoadBalancer":   {120, 10, 20},
	"AWS::ElasticLoadBalancingV2::TargetGroup":    {12, 5, 5},
	"AWS::IAM::InstanceProfile":                   {120, 10, 3},
	"AWS::IAM::ManagedPolicy":                     {15, 15, 3},
	"AWS::IAM::Policy":                            {15, 15, 2},
	"AWS::IAM::Role":                              {15, 15, 3},
	"AWS::KMS::Key":                               {15, 10, 5},
	"AWS::Lambda::Function":                       {8, 8, 5},
	"AWS::RDS::DBCluster":                         {120, 60, 120},
	"AWS::RDS::DBInstance":                        {600, 300, 300},
	"AWS::RDS::DBParameterGroup":                  {15, 15, 5},
	"AWS::Route53::RecordSet":                     {35, 35, 35},
	"AWS::S3::Bucket":                             {20, 5, 3},
	"AWS::SNS::Topic":                             {10, 5, 3},
	"AWS::SQS::Queue":                             {60, 60, 60},
	"AWS::SecretsManager::SecretTargetAttachment": {3, 3, 2},
}
