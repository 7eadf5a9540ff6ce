package stacks

import (
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// dataStack holds what must not be lost: database, cache, secrets, buckets, and
// the distribution that serves the media bucket.
func (p *platform) dataStack() plan.Stack {
	s := p.stack(p.data(), "data", "RDS MariaDB, ElastiCache Redis, S3, CloudFront")
	s.Protect = true
	p.database(s)
	p.cache(s)
	p.secrets(s)
	p.buckets(s)
	p.mediaDistribution(s)
	p.packerRole(s)
	p.dataParameters(s)
	p.databaseLast(s)
	return s.finish()
}

func (p *platform) masterSecretName() string { return "/" + p.Name + "/rds/master-credentials" }
func (p *platform) redisSecretName() string  { return "/" + p.Name + "/redis/auth-token" }
func (p *platform) laravelKeyName() string   { return "/" + p.Name + "/laravel/app-key" }
func (p *platform) oauthName() string        { return "/" + p.Name + "/oauth/secrets" }
func (p *platform) assetOpsName() string     { return "/" + p.Name + "/asset-ops/secret" }

func (p *platform) isolatedSubnets() list { return p.subnetIDs(spec.SubnetIsolated) }

func (p *platform) database(s *stack) {
	db := p.Database
	s.add("MasterSecret", cfn.Resource{Type: "AWS::SecretsManager::Secret", Properties: props{
		"Name":        p.masterSecretName(),
		"Description": "Master user of the database",
		"GenerateSecretString": props{
			"SecretStringTemplate": `{"username":"` + p.databaseUser() + `"}`,
			"GenerateStringKey":    "password",
			"PasswordLength":       30,
			"ExcludeCharacters":    " %+~`#$&*()|[]{}:;<>?!'/@\"\\",
		},
	}})
	s.add("DatabaseSubnets", cfn.Resource{Type: "AWS::RDS::DBSubnetGroup", Properties: props{
		"DBSubnetGroupDescription": "Subnet group for Database database",
		"SubnetIds":                p.isolatedSubnets(),
	}})
	family := "mariadb" + majorMinor(db.EngineVersion)
	s.add("DatabaseParameters", cfn.Resource{Type: "AWS::RDS::DBParameterGroup", Properties: props{
		"Family":      family,
		"Description": "Parameter group for " + family,
		"Parameters": props{
			"character_set_server": "utf8mb4",
			"collation_server":     "utf8mb4_unicode_ci",
			"max_connections":      "150",
		},
	}})
	s.add("DatabaseMonitoringRole", role("monitoring.rds.amazonaws.com", "Enhanced monitoring of the database"))
	s.Template.Resources["DatabaseMonitoringRole"].Properties["ManagedPolicyArns"] =
		texts(p.managedPolicy("service-role/AmazonRDSEnhancedMonitoringRole"))

	s.add("Database", cfn.Resource{Type: "AWS::RDS::DBInstance", Properties: p.databaseInstance(s)})
	s.add("DatabaseSecretAttachment", cfn.Resource{Type: "AWS::SecretsManager::SecretTargetAttachment", Properties: props{
		"SecretId":   cfn.LogicalRef("MasterSecret"),
		"TargetType": "AWS::RDS::DBInstance",
		"TargetId":   cfn.LogicalRef("Database"),
	}})
	// A retained database still needs its subnets and parameters, and is of no
	// use without its password.
	s.keep("Database", "DatabaseSubnets", "DatabaseParameters", "MasterSecret")

	p.databaseCauses(s)
	s.output("DatabaseId", "RDS instance", cfn.LogicalRef("Database"))
	s.output("RdsEndpoint", "Address of the database", cfn.GetAtt("Database", "Endpoint.Address"))
	// The attachment's reference is the secret's ARN, and is there only when the
	// secret names the database's host.
	s.output("DatabaseSecretArn", "Secret of the database's master user", cfn.LogicalRef("DatabaseSecretAttachment"))
}

// databaseInstance is what the spec says, and what a database that must not be lost needs.
func (p *platform) databaseInstance(s *stack) props {
	db := p.Database
	instance := props{
		"Engine": "mariadb",
		// The whole version, and no upgrades behind our back: with a part of it the
		// live version would differ from the spec for ever.
		"EngineVersion":           db.EngineVersion,
		"AutoMinorVersionUpgrade": false,
		"DBInstanceClass":         db.InstanceClass,
		"MultiAZ":                 db.MultiAZ,
		"AllocatedStorage":        decimal(db.StorageGiB),
		"StorageType":             "gp3",
		"StorageEncrypted":        true,
		"DBName":                  p.identifier(),
		"MasterUsername":          p.databaseUser(),
		"MasterUserPassword": cfn.Join("{{resolve:secretsmanager:", cfn.LogicalRef("MasterSecret"),
			":SecretString:password::}}"),
		"BackupRetentionPeriod": db.BackupDays,
		"CopyTagsToSnapshot":    true,
		"DeletionProtection":    true,
		"MonitoringInterval":    60,
		"MonitoringRoleArn":     cfn.GetAtt("DatabaseMonitoringRole", "Arn"),
		"PubliclyAccessible":    false,
		"DBSubnetGroupName":     cfn.LogicalRef("DatabaseSubnets"),
		"DBParameterGroupName":  cfn.LogicalRef("DatabaseParameters"),
		"VPCSecurityGroups":     list{cfn.StackOutput(p.network(), "RdsSecurityGroup")},
	}
	// RDS reads an equal maximum as a request to grow and refuses it.
	if db.MaxStorageGiB > db.StorageGiB {
		instance["MaxAllocatedStorage"] = db.MaxStorageGiB
	}
	if insights(db.InstanceClass) {
		instance["EnablePerformanceInsights"] = true
		instance["PerformanceInsightsRetentionPeriod"] = 7
	}
	if p.wants(s, RuleDatabaseIAM, "Database.Properties.EnableIAMDatabaseAuthentication") {
		instance["EnableIAMDatabaseAuthentication"] = true
	}
	if p.wants(s, RuleDatabaseLogs, "Database.Properties.EnableCloudwatchLogsExports") {
		instance["EnableCloudwatchLogsExports"] = list{"error"}
	}
	return instance
}

func (p *platform) databaseCauses(s *stack) {
	s.cause("spec.database", "Database")
	for property, field := range map[string]string{
		"EngineVersion": "engineVersion", "DBInstanceClass": "instanceClass", "MultiAZ": "multiAZ",
		"AllocatedStorage": "storageGiB", "MaxAllocatedStorage": "maxStorageGiB", "BackupRetentionPeriod": "backupDays",
		"EnablePerformanceInsights": "instanceClass", "PerformanceInsightsRetentionPeriod": "instanceClass",
	} {
		s.cause("spec.database."+field, "Database.Properties."+property)
	}
	s.cause("spec.database.engineVersion", "DatabaseParameters")
	s.cause("spec.network.availabilityZones", "DatabaseSubnets.Properties.SubnetIds")
}

// databaseLast lets the database wait for everything else of the stack. It is
// protected from deletion from its first moment on, so a first creation that
// fails after it could not be rolled back.
func (p *platform) databaseLast(s *stack) {
	own := append(s.Template.Dependencies()["Database"], "Database", "DatabaseSecretAttachment")
	var others []string
	for id := range s.Template.Resources {
		if !slices.Contains(own, id) {
			others = append(others, id)
		}
	}
	slices.Sort(others)
	r := s.Template.Resources["Database"]
	r.DependsOn = others
	s.Template.Resources["Database"] = r
}

// majorMinor is "10.11" of "10.11.16".
func majorMinor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// insights tells whether the class has Performance Insights: the two smallest
// sizes have not.
func insights(class string) bool {
	return !strings.HasSuffix(class, ".micro") && !strings.HasSuffix(class, ".small")
}

// cache is one Redis node. Encrypted, it is another resource type, so the two
// have logical ids of their own.
func (p *platform) cache(s *stack) {
	s.add("RedisSubnets", cfn.Resource{Type: "AWS::ElastiCache::SubnetGroup", Properties: props{
		"Description": "Redis subnet group - isolated subnets",
		"SubnetIds":   p.isolatedSubnets(),
	}})
	s.cause("spec.network.availabilityZones", "RedisSubnets.Properties.SubnetIds")
	s.add("RedisSecret", cfn.Resource{Type: "AWS::SecretsManager::Secret", Properties: props{
		"Name":                 p.redisSecretName(),
		"Description":          "AUTH token of Redis, used when spec.cache.encryption is set",
		"GenerateSecretString": props{"PasswordLength": 32, "ExcludePunctuation": true},
	}})
	groups := list{cfn.StackOutput(p.network(), "RedisSecurityGroup")}
	id, endpoint := "Redis", cfn.GetAtt("Redis", "RedisEndpoint.Address")
	if p.Cache.Encryption {
		id, endpoint = "RedisEncrypted", cfn.GetAtt("RedisEncrypted", "PrimaryEndPoint.Address")
		s.add(id, cfn.Resource{Type: "AWS::ElastiCache::ReplicationGroup", Properties: props{
			"ReplicationGroupDescription": p.Name + " cache",
			"Engine":                      "redis",
			"EngineVersion":               p.Cache.EngineVersion,
			"CacheNodeType":               p.Cache.NodeType,
			"NumCacheClusters":            1,
			"AutomaticFailoverEnabled":    false,
			"CacheSubnetGroupName":        cfn.LogicalRef("RedisSubnets"),
			"SecurityGroupIds":            groups,
			"AtRestEncryptionEnabled":     true,
			"TransitEncryptionEnabled":    true,
			"AuthToken":                   cfn.Join("{{resolve:secretsmanager:", cfn.LogicalRef("RedisSecret"), "}}"),
		}})
	} else {
		s.add(id, cfn.Resource{Type: "AWS::ElastiCache::CacheCluster", Properties: props{
			"Engine":               "redis",
			"EngineVersion":        p.Cache.EngineVersion,
			"CacheNodeType":        p.Cache.NodeType,
			"NumCacheNodes":        1,
			"CacheSubnetGroupName": cfn.LogicalRef("RedisSubnets"),
			"VpcSecurityGroupIds":  groups,
		}})
	}
	s.keep("RedisSecret")
	s.cause("spec.cache", id)
	s.cause("spec.cache.nodeType", id+".Properties.CacheNodeType")
	s.cause("spec.cache.engineVersion", id+".Properties.EngineVersion")
	s.cause("spec.cache.encryption", "Redis", "RedisEncrypted", "RedisEndpointParameter",
		"Outputs.RedisEndpoint", "Outputs.RedisClusterId")
	s.output("RedisEndpoint", "Address of Redis", endpoint)
	s.output("RedisSecretArn", "Secret of the Redis AUTH token", cfn.LogicalRef("RedisSecret"))
	s.output("RedisClusterId", "Cache cluster that the metrics of Redis carry", p.redisCluster(id))
}

// redisCluster is the id under which CloudWatch knows the node: a group's
// first member has the group's id and a number.
func (p *platform) redisCluster(id string) any {
	if p.Cache.Encryption {
		return cfn.Join(cfn.LogicalRef(id), "-001")
	}
	return cfn.LogicalRef(id)
}

// secrets of the application. The first two have no value until a step writes
// one: with a random value they would look set, and a task that selects a JSON
// key from it would not start.
func (p *platform) secrets(s *stack) {
	s.add("LaravelKey", cfn.Resource{Type: "AWS::SecretsManager::Secret", Properties: props{
		"Name": p.laravelKeyName(), "Description": "Laravel APP_KEY (base64:...)",
	}})
	s.add("OAuthSecrets", cfn.Resource{Type: "AWS::SecretsManager::Secret", Properties: props{
		"Name": p.oauthName(), "Description": "OAuth client secrets (Google, Apple, TikTok), a JSON object of nine keys",
	}})
	s.add("AssetOpsSecret", cfn.Resource{Type: "AWS::SecretsManager::Secret", Properties: props{
		"Name":                 p.assetOpsName(),
		"Description":          "Shared secret for asset ops automation (e.g., GitHub Actions).",
		"GenerateSecretString": props{"PasswordLength": 32, "ExcludePunctuation": true},
	}})
	s.keep("LaravelKey", "OAuthSecrets", "AssetOpsSecret")
	s.output("LaravelKeyArn", "Secret of the Laravel APP_KEY", cfn.LogicalRef("LaravelKey"))
	s.output("OAuthSecretsArn", "Secret of the OAuth clients", cfn.LogicalRef("OAuthSecrets"))
	s.output("AssetOpsSecretArn", "Secret of asset ops", cfn.LogicalRef("AssetOpsSecret"))
}

// packerRole is what AMI builds and dev instances run as.
func (p *platform) packerRole(s *stack) {
	models := cfn.GetAtt("ModelsBucket", "Arn")
	r := role("ec2.amazonaws.com", "Packer build role for ComfyUI AMIs",
		allow(list{cfn.Join(models, "/assets/*"), cfn.Join(models, "/bundles/*/manifest.json")}, "s3:GetObject"),
		on(allow(models, "s3:ListBucket"), "StringLike", "s3:prefix", texts("assets/*", "bundles/*")),
		// The agent's policy below lets it read every parameter of the account. An
		// image and a dev instance serve no jobs.
		deny(p.parameterARN("/"+p.Name+"/fleets/*/fleet-secret"), "ssm:GetParameter*"),
	)
	r.Properties["ManagedPolicyArns"] = texts(p.managedPolicy("AmazonSSMManagedInstanceCore"))
	s.add("PackerRole", r)
	s.add("PackerProfile", cfn.Resource{Type: "AWS::IAM::InstanceProfile", Properties: props{
		"Roles": list{cfn.LogicalRef("PackerRole")},
	}})
}

// dataParameters tell people, workflows and workers where things are.
func (p *platform) dataParameters(s *stack) {
	parameter := func(id, name, description string, value any) {
		properties := props{"Name": "/" + p.Name + name, "Type": "String", "Value": value}
		if description != "" {
			properties["Description"] = description
		}
		s.add(id, cfn.Resource{Type: "AWS::SSM::Parameter", Properties: properties})
	}
	parameter("RedisEndpointParameter", "/redis/endpoint", "",
		s.Template.Outputs["RedisEndpoint"].Value)
	parameter("ModelsBucketParameter", "/models/bucket", "", cfn.LogicalRef("ModelsBucket"))
	parameter("PackerProfileParameter", "/packer/instance_profile",
		"EC2 instance profile name for Packer AMI builds", cfn.LogicalRef("PackerProfile"))
}
