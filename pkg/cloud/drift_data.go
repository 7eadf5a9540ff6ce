package cloud

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/drift"
)

// driftDatabases reads the account's DB instances, a hundred per call.
func (r *driftReader) driftDatabases(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	err := r.askPages(ctx, databaseEndpoint(), "DescribeDBInstances", "Marker", "Marker", url.Values{"MaxRecords": {"100"}}, func(answer map[string]any) {
		for _, e := range list(answer, "DBInstances") {
			d := object(e)
			p := pick(d, append([]string{
				"EnableIAMDatabaseAuthentication=IAMDatabaseAuthenticationEnabled", "EnablePerformanceInsights=PerformanceInsightsEnabled",
				"EnableCloudwatchLogsExports=EnabledCloudwatchLogsExports",
			}, compared("AWS::RDS::DBInstance")...)...)
			delete(p, "VPCSecurityGroups")
			if groups := column(list(d, "VpcSecurityGroups"), "VpcSecurityGroupId"); len(groups) > 0 {
				p["VPCSecurityGroups"] = groups
			}
			if name := text(object(d["DBSubnetGroup"]), "DBSubnetGroupName"); name != "" {
				p["DBSubnetGroupName"] = name
			}
			if groups := column(list(d, "DBParameterGroups"), "DBParameterGroupName"); len(groups) == 1 {
				p["DBParameterGroupName"] = groups[0]
			}
			found[text(d, "DBInstanceIdentifier")] = drift.Found{Exists: true, Properties: p}
		}
	})
	if err != nil {
		return nil, err
	}
	return every(subjects, found), nil
}

// driftCaches reads the account's cache clusters and replication groups.
func (r *driftReader) driftCaches(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	kinds := map[string]bool{}
	for _, s := range subjects {
		kinds[s.Type] = true
	}
	if kinds["AWS::ElastiCache::CacheCluster"] {
		err := r.askPages(ctx, cacheEndpoint(), "DescribeCacheClusters", "Marker", "Marker", url.Values{"MaxRecords": {"100"}}, func(answer map[string]any) {
			for _, e := range list(answer, "CacheClusters") {
				d := object(e)
				p := pick(d, compared("AWS::ElastiCache::CacheCluster")...)
				if groups := column(list(d, "SecurityGroups"), "SecurityGroupId"); len(groups) > 0 {
					p["VpcSecurityGroupIds"] = groups
				}
				found[text(d, "CacheClusterId")] = drift.Found{Exists: true, Properties: p}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if kinds["AWS::ElastiCache::ReplicationGroup"] {
		err := r.askPages(ctx, cacheEndpoint(), "DescribeReplicationGroups", "Marker", "Marker", url.Values{"MaxRecords": {"100"}}, func(answer map[string]any) {
			for _, e := range list(answer, "ReplicationGroups") {
				d := object(e)
				p := pick(d, append([]string{"ReplicationGroupDescription=Description"}, compared("AWS::ElastiCache::ReplicationGroup")...)...)
				p["AutomaticFailoverEnabled"], p["MultiAZEnabled"] = text(d, "AutomaticFailover") == "enabled", text(d, "MultiAZ") == "enabled"
				found[text(d, "ReplicationGroupId")] = drift.Found{Exists: true, Properties: p}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

// driftBuckets reads the configuration of buckets: one call for each part.
func (r *driftReader) driftBuckets(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	var mu sync.Mutex
	found := map[string]drift.Found{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for _, name := range ids(subjects) {
		g.Go(func() error {
			f, err := r.driftBucket(ctx, name)
			if err != nil {
				return r.readError("read the configuration of bucket "+name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[name] = f
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return every(subjects, found), nil
}

// bucketPart reads one part of a bucket's configuration in the template's shape;
// nil when the bucket has none.
type bucketPart struct {
	property string
	read     func() (any, error)
}

func (r *driftReader) driftBucket(ctx context.Context, name string) (drift.Found, error) {
	p := map[string]any{"BucketName": name}
	for _, part := range append(r.bucketSettings(ctx, aws.String(name)), r.bucketRules(ctx, aws.String(name))...) {
		v, err := part.read()
		switch errorCode(err) {
		case "NoSuchBucket":
			return drift.Found{}, nil
		case "ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration", "OwnershipControlsNotFoundError",
			"NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration":
			continue
		}
		if err != nil {
			return drift.Found{}, err
		}
		if v != nil {
			p[part.property] = v
		}
	}
	return drift.Found{Exists: true, Properties: p}, nil
}

func (r *driftReader) bucketSettings(ctx context.Context, name *string) []bucketPart {
	return []bucketPart{
		{"VersioningConfiguration", func() (any, error) {
			out, err := r.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name})
			if err != nil || out.Status == "" {
				return nil, err
			}
			return map[string]any{"Status": string(out.Status)}, nil
		}},
		{"BucketEncryption", func() (any, error) {
			out, err := r.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
			if err != nil {
				return nil, err
			}
			var rules []any
			for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
				e := shaped(rule.ApplyServerSideEncryptionByDefault)
				rules = append(rules, map[string]any{"ServerSideEncryptionByDefault": e, "BucketKeyEnabled": aws.ToBool(rule.BucketKeyEnabled)})
			}
			return map[string]any{"ServerSideEncryptionConfiguration": rules}, nil
		}},
		{"PublicAccessBlockConfiguration", func() (any, error) {
			out, err := r.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
			if err != nil {
				return nil, err
			}
			return shaped(out.PublicAccessBlockConfiguration), nil
		}},
		{"OwnershipControls", func() (any, error) {
			out, err := r.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: name})
			if err != nil {
				return nil, err
			}
			return shaped(out.OwnershipControls), nil
		}},
		{"LoggingConfiguration", func() (any, error) {
			out, err := r.s3.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: name})
			if err != nil || out.LoggingEnabled == nil {
				return nil, err
			}
			return map[string]any{"DestinationBucketName": aws.ToString(out.LoggingEnabled.TargetBucket), "LogFilePrefix": aws.ToString(out.LoggingEnabled.TargetPrefix)}, nil
		}},
	}
}

func (r *driftReader) bucketRules(ctx context.Context, name *string) []bucketPart {
	return []bucketPart{
		{"CorsConfiguration", func() (any, error) {
			out, err := r.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: name})
			if err != nil {
				return nil, err
			}
			var rules []any
			for _, c := range out.CORSRules {
				rule := object(shaped(c))
				for to, from := range map[string]string{"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds", "Id": "ID"} {
					if v, ok := rule[from]; ok {
						rule[to] = v
						delete(rule, from)
					}
				}
				rules = append(rules, rule)
			}
			return map[string]any{"CorsRules": rules}, nil
		}},
		{"LifecycleConfiguration", func() (any, error) {
			out, err := r.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: name})
			if err != nil {
				return nil, err
			}
			var rules []any
			for _, rule := range out.Rules {
				rules = append(rules, lifecycleRule(rule))
			}
			return map[string]any{"Rules": rules}, nil
		}},
	}
}

// lifecycleRule is a rule as a template has it.
func lifecycleRule(rule types.LifecycleRule) map[string]any {
	out := map[string]any{"Id": aws.ToString(rule.ID), "Status": string(rule.Status)}
	if e := rule.Expiration; e != nil && e.Days != nil {
		out["ExpirationInDays"] = *e.Days
	}
	if e := rule.Expiration; e != nil && aws.ToBool(e.ExpiredObjectDeleteMarker) {
		out["ExpiredObjectDeleteMarker"] = true
	}
	var transitions []any
	for _, t := range rule.Transitions {
		one := map[string]any{"StorageClass": string(t.StorageClass)}
		if t.Days != nil {
			one["TransitionInDays"] = *t.Days
		}
		transitions = append(transitions, one)
	}
	if transitions != nil {
		out["Transitions"] = transitions
	}
	if a := rule.AbortIncompleteMultipartUpload; a != nil {
		out["AbortIncompleteMultipartUpload"] = map[string]any{"DaysAfterInitiation": aws.ToInt32(a.DaysAfterInitiation)}
	}
	if n := rule.NoncurrentVersionExpiration; n != nil {
		out["NoncurrentVersionExpiration"] = shaped(n)
	}
	if rule.Filter != nil && aws.ToString(rule.Filter.Prefix) != "" {
		out["Prefix"] = aws.ToString(rule.Filter.Prefix)
	}
	return out
}

// shaped is a value of the SDK as a tree without what is not set.
func shaped(v any) any {
	body, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return nil
	}
	return withoutNull(tree)
}

func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil || k == "ResultMetadata" {
				delete(v, k)
				continue
			}
			v[k] = withoutNull(e)
		}
	case []any:
		for i, e := range v {
			v[i] = withoutNull(e)
		}
	}
	return v
}
