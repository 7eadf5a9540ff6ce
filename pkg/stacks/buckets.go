package stacks

import (
	"reconcile/pkg/cfn"
)

// buckets: media and models of the application, its logs, and the access logs
// of buckets and load balancer. None is ever emptied by a program: the present
// system's auto-delete of the logs bucket is gone.
func (p *platform) buckets(s *stack) {
	abort := list{props{
		"Id": "abort-multipart", "Status": "Enabled", "AbortIncompleteMultipartUpload": props{"DaysAfterInitiation": 1},
	}}
	logs := list{props{
		"Id": "age", "Status": "Enabled", "ExpirationInDays": 90,
		"Transitions": list{props{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}},
	}}

	media := p.bucketProperties("media", abort)
	media["CorsConfiguration"] = p.cors()
	p.addBucket(s, "Media", media, on(by(allow(cfn.Join(cfn.GetAtt("MediaBucket", "Arn"), "/*"), "s3:GetObject"),
		"Service", "cloudfront.amazonaws.com"), "StringEquals", "AWS:SourceArn", p.distributionARN()))

	models := p.bucketProperties("models", abort)
	models["VersioningConfiguration"] = props{"Status": "Enabled"}
	models["CorsConfiguration"] = p.cors("ETag")
	if p.wants(s, RuleS3AccessLogs, "ModelsBucket.Properties.LoggingConfiguration", "AccessLogsBucketPolicy") {
		models["LoggingConfiguration"] = props{
			"DestinationBucketName": cfn.LogicalRef("AccessLogsBucket"), "LogFilePrefix": modelsLogPrefix,
		}
	}
	p.addBucket(s, "Models", models)
	if _, logged := models["LoggingConfiguration"]; logged {
		// S3 may try the target at once.
		r := s.Template.Resources["ModelsBucket"]
		r.DependsOn = cfn.StringList{"AccessLogsBucketPolicy"}
		s.Template.Resources["ModelsBucket"] = r
	}
	p.addBucket(s, "Logs", p.bucketProperties("logs", logs))
	p.addBucket(s, "AccessLogs", p.bucketProperties("access-logs", logs), p.logDelivery(s)...)
	s.cause("spec.domain", "MediaBucket.Properties.CorsConfiguration", "ModelsBucket.Properties.CorsConfiguration")

	s.output("MediaBucketName", "Bucket of uploads and results", cfn.LogicalRef("MediaBucket"))
	s.output("MediaBucketArn", "Bucket of uploads and results", cfn.GetAtt("MediaBucket", "Arn"))
	s.output("ModelsBucketName", "Bucket of assets and bundles", cfn.LogicalRef("ModelsBucket"))
	s.output("ModelsBucketArn", "Bucket of assets and bundles", cfn.GetAtt("ModelsBucket", "Arn"))
	s.output("LogsBucketName", "Bucket of the application's logs", cfn.LogicalRef("LogsBucket"))
	s.output("LogsBucketArn", "Bucket of the application's logs", cfn.GetAtt("LogsBucket", "Arn"))
	s.output("AccessLogsBucketName", "Bucket of access logs", cfn.LogicalRef("AccessLogsBucket"))
}

// Prefixes in the access-logs bucket.
const (
	modelsLogPrefix       = "s3-access-logs/models/"
	loadBalancerLogPrefix = "alb"
)

func (p *platform) bucketProperties(kind string, lifecycle list) props {
	return props{
		"BucketName": p.bucket(kind),
		"BucketEncryption": props{"ServerSideEncryptionConfiguration": list{
			props{"ServerSideEncryptionByDefault": props{"SSEAlgorithm": "AES256"}},
		}},
		"PublicAccessBlockConfiguration": props{
			"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
		},
		// Policies instead of ACLs, for log delivery too.
		"OwnershipControls":      props{"Rules": list{props{"ObjectOwnership": "BucketOwnerEnforced"}}},
		"LifecycleConfiguration": props{"Rules": lifecycle},
	}
}

// addBucket adds a bucket that outlives the stack, and its one policy, which
// does not: creating a policy fails where there is one, and the bucket comes back by import.
func (p *platform) addBucket(s *stack, id string, properties props, statements ...any) {
	bucket := id + "Bucket"
	s.add(bucket, cfn.Resource{Type: "AWS::S3::Bucket", Properties: properties})
	arn := cfn.GetAtt(bucket, "Arn")
	statements = append([]any{tlsOnly("s3:*", arn, cfn.Join(arn, "/*"))}, statements...)
	s.add(bucket+"Policy", cfn.Resource{Type: "AWS::S3::BucketPolicy", Properties: props{
		"Bucket": cfn.LogicalRef(bucket), "PolicyDocument": policy(statements...),
	}})
	s.keep(bucket)
}

// cors lets the frontend's pages upload. Its origin is the domain, or without
// one any load balancer of the region: the name of ours is known only after
// this stack.
func (p *platform) cors(expose ...string) props {
	origin := "http://*." + p.Region + ".elb." + p.urlSuffix()
	if p.Domain.Set() {
		origin = "https://" + p.Domain.Name
	}
	rule := props{
		"AllowedMethods": list{"PUT", "POST"},
		"AllowedOrigins": list{origin},
		"AllowedHeaders": list{"*"},
		"MaxAge":         3600,
	}
	if len(expose) > 0 {
		rule["ExposedHeaders"] = texts(expose...)
	}
	return props{"CorsRules": list{rule}}
}

// logDelivery lets S3 and the load balancer write access logs.
func (p *platform) logDelivery(s *stack) []any {
	arn := cfn.GetAtt("AccessLogsBucket", "Arn")
	fromHere := func(st props) props {
		return on(st, "StringEquals", "aws:SourceAccount", p.Account)
	}
	var statements []any
	if p.wants(s, RuleS3AccessLogs) {
		st := by(allow(cfn.Join(arn, "/s3-access-logs/*"), "s3:PutObject"), "Service", "logging.s3.amazonaws.com")
		statements = append(statements, on(fromHere(st), "ArnLike", "aws:SourceArn", p.bucketARN("models")))
	}
	if p.wants(s, RuleALBAccessLogs, "AccessLogsBucketPolicy") {
		objects := cfn.Join(arn, "/"+loadBalancerLogPrefix+"/AWSLogs/"+p.Account+"/*")
		statements = append(statements, by(allow(objects, "s3:PutObject"), "Service", "logdelivery.elasticloadbalancing.amazonaws.com"))
		if account := loadBalancerAccount(p.Region); account != "" {
			statements = append(statements, by(allow(objects, "s3:PutObject"), "AWS", "arn:"+p.partition()+":iam::"+account+":root"))
		}
	}
	return statements
}

// loadBalancerAccount is the account that load balancers write from in the
// regions that opened before August 2022; elsewhere they use the service
// principal alone. Source: Elastic Load Balancing user guide, access logs.
func loadBalancerAccount(region string) string {
	switch region {
	case "us-east-1":
		return "127311923021"
	case "us-east-2":
		return "033677994240"
	case "us-west-1":
		return "027434742980"
	case "us-west-2":
		return "797873946194"
	case "ca-central-1":
		return "985666609251"
	case "eu-central-1":
		return "054676820928"
	case "eu-west-1":
		return "156460612806"
	case "eu-west-2":
		return "652711504416"
	case "eu-west-3":
		return "009996457667"
	case "eu-north-1":
		return "897822967062"
	case "eu-south-1":
		return "635631232127"
	case "ap-east-1":
		return "754344448648"
	case "ap-south-1":
		return "718504428378"
	case "ap-northeast-1":
		return "582318560864"
	case "ap-northeast-2":
		return "600734575887"
	case "ap-northeast-3":
		return "383597477331"
	case "ap-southeast-1":
		return "114774131450"
	case "ap-southeast-2":
		return "783225319266"
	case "ap-southeast-3":
		return "589379963580"
	case "af-south-1":
		return "098369216593"
	case "me-south-1":
		return "076674570225"
	case "sa-east-1":
		return "507241528517"
	}
	return ""
}

// mediaDistribution serves the media bucket.
func (p *platform) mediaDistribution(s *stack) {
	s.add("MediaOriginAccess", cfn.Resource{Type: "AWS::CloudFront::OriginAccessControl", Properties: props{
		"OriginAccessControlConfig": props{
			// Unique in the account, in all regions.
			"Name":                          p.data() + "-media",
			"OriginAccessControlOriginType": "s3",
			"SigningBehavior":               "always",
			"SigningProtocol":               "sigv4",
		},
	}})
	s.add("MediaDistribution", cfn.Resource{Type: "AWS::CloudFront::Distribution", Properties: props{
		"DistributionConfig": props{
			"Enabled":     true,
			"Comment":     p.Name + " media",
			"HttpVersion": "http2and3",
			"IPV6Enabled": true,
			"PriceClass":  "PriceClass_100",
			"Origins": list{props{
				"Id":                    "media",
				"DomainName":            cfn.GetAtt("MediaBucket", "RegionalDomainName"),
				"OriginAccessControlId": cfn.GetAtt("MediaOriginAccess", "Id"),
				// Required beside an origin access control, and empty.
				"S3OriginConfig": props{"OriginAccessIdentity": ""},
			}},
			"DefaultCacheBehavior": props{
				"TargetOriginId":       "media",
				"AllowedMethods":       list{"GET", "HEAD"},
				"CachedMethods":        list{"GET", "HEAD"},
				"ViewerProtocolPolicy": "redirect-to-https",
				"Compress":             true,
				"CachePolicyId":        cachingOptimized,
			},
			"ViewerCertificate": props{"CloudFrontDefaultCertificate": true},
		},
	}})
	s.output("CloudFrontDomain", "Host name of the media distribution", cfn.GetAtt("MediaDistribution", "DomainName"))
}

// cachingOptimized is AWS's managed cache policy of that name.
const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"

func (p *platform) distributionARN() any {
	return cfn.Join("arn:"+p.partition()+":cloudfront::"+p.Account+":distribution/", cfn.LogicalRef("MediaDistribution"))
}
