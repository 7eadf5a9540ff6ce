package sandbox

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"reconcile/pkg/sandbox/stackengine"
)

func logGroupHandlers() handlers {
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			p, name := props(r.Properties), nameOr(r, "LogGroupName")
			if _, ok := p["RetentionInDays"]; ok {
				days, _ := p.number("RetentionInDays")
				if err := checkRetention(days); err != nil {
					return stackengine.Physical{}, err
				}
			}
			in := &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name, KmsKeyId: text(p.text("KmsKeyId")), LogGroupClass: types.LogGroupClass(p.text("LogGroupClass"))}
			if _, err := createLogGroup(c, in); err != nil {
				return stackengine.Physical{}, err
			}
			return c.declareLogGroup(name, r)
		},
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			if _, err := c.logGroup(r.PhysicalID); err != nil {
				return stackengine.Physical{}, err
			}
			return c.declareLogGroup(r.PhysicalID, r)
		},
		remove: func(c *call, r stackengine.Resource) error {
			delete(c.region.LogGroups, r.PhysicalID)
			return nil
		},
		adopt: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			g, err := c.logGroup(r.PhysicalID)
			if err != nil {
				return stackengine.Physical{}, err
			}
			g.Tags, g.Stack = ownTags(g.Tags, r), r.StackID
			return stackengine.Physical{ID: g.Name, Attributes: map[string]string{"Arn": c.logGroupARN(g.Name) + ":*"}}, nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			g, err := c.logGroup(r.PhysicalID)
			if err != nil {
				return nil, err
			}
			live := map[string]any{"LogGroupName": g.Name, "RetentionInDays": nil}
			if g.Retention != 0 {
				live["RetentionInDays"] = float64(g.Retention)
			}
			return shownProperties(r, live), nil
		},
	}
}

// declareLogGroup sets what a template says about a group that exists.
func (c *call) declareLogGroup(name string, r stackengine.Resource) (stackengine.Physical, error) {
	p := props(r.Properties)
	g := c.region.LogGroups[name]
	g.Retention = 0
	if _, ok := p["RetentionInDays"]; ok {
		days, _ := p.number("RetentionInDays")
		if err := checkRetention(days); err != nil {
			return stackengine.Physical{}, err
		}
		g.Retention = days
	}
	g.Tags, g.Stack, g.KeyID = allTags(r), r.StackID, p.text("KmsKeyId")
	return stackengine.Physical{ID: name, Attributes: map[string]string{"Arn": c.logGroupARN(name) + ":*"}}, nil
}

func repositoryHandlers() handlers {
	physical := func(c *call, r *repository) stackengine.Physical {
		out := r.out(c)
		return stackengine.Physical{ID: r.Name, Attributes: map[string]string{"Arn": aws.ToString(out.RepositoryArn), "RepositoryUri": aws.ToString(out.RepositoryUri)}}
	}
	declare := func(repo *repository, r stackengine.Resource) {
		p := props(r.Properties)
		repo.Immutable = p.text("ImageTagMutability") == "IMMUTABLE"
		repo.Scan = p.sub("ImageScanningConfiguration").flag("ScanOnPush")
		repo.Tags, repo.Stack = allTags(r), r.StackID
	}
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			repo, err := c.makeRepository(nameOr(r, "RepositoryName"))
			if err != nil {
				return stackengine.Physical{}, err
			}
			declare(repo, r)
			return physical(c, repo), nil
		},
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			repo, err := c.repository(&r.PhysicalID)
			if err != nil {
				return stackengine.Physical{}, err
			}
			declare(repo, r)
			return physical(c, repo), nil
		},
		remove: func(c *call, r stackengine.Resource) error {
			repo, err := c.repository(&r.PhysicalID)
			if err != nil {
				return nil // what is gone already is deleted
			}
			return c.dropRepository(repo, props(r.Properties).flag("EmptyOnDelete"))
		},
		adopt: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			repo, err := c.repository(&r.PhysicalID)
			if err != nil {
				return stackengine.Physical{}, err
			}
			repo.Tags, repo.Stack = ownTags(repo.Tags, r), r.StackID
			return physical(c, repo), nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			repo, err := c.repository(&r.PhysicalID)
			if err != nil {
				return nil, err
			}
			return shownProperties(r, map[string]any{"RepositoryName": repo.Name, "ImageTagMutability": map[bool]string{true: "IMMUTABLE", false: "MUTABLE"}[repo.Immutable]}), nil
		},
	}
}

func bucketHandlers() handlers {
	physical := func(b *bucket) stackengine.Physical {
		return stackengine.Physical{ID: b.Name, Attributes: map[string]string{
			"Arn": "arn:aws:s3:::" + b.Name, "DomainName": b.Name + ".s3.amazonaws.com", "RegionalDomainName": b.Name + ".s3." + b.Region + ".amazonaws.com",
			"DualStackDomainName": b.Name + ".s3.dualstack." + b.Region + ".amazonaws.com", "WebsiteURL": "http://" + b.Name + ".s3-website-" + b.Region + ".amazonaws.com",
		}}
	}
	declare := func(b *bucket, r stackengine.Resource) {
		if v := props(r.Properties).sub("VersioningConfiguration").text("Status"); v != "" {
			b.Versioning = v
		} else if b.Versioning != "" {
			b.Versioning = "Suspended"
		}
		b.Tags, b.Stack = allTags(r), r.StackID
	}
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			name := nameOr(r, "BucketName")
			if old := c.account.Buckets[name]; old != nil {
				return stackengine.Physical{}, s3Fail("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.")
			}
			b := &bucket{Name: name, Region: c.region.Name, Created: c.now}
			c.account.Buckets[name] = b
			declare(b, r)
			return physical(b), nil
		},
		update: func(c *call, old, r stackengine.Resource) (stackengine.Physical, error) {
			b := c.account.Buckets[r.PhysicalID]
			if b == nil {
				return stackengine.Physical{}, s3Fail("NoSuchBucket", 404, "The specified bucket does not exist")
			}
			b.forget(old, r)
			declare(b, r)
			return physical(b), nil
		},
		remove: func(c *call, r stackengine.Resource) error {
			b := c.account.Buckets[r.PhysicalID]
			switch {
			case b == nil:
				return nil
			case len(b.Objects) > 0 && b.Versioning != "":
				return s3Fail("BucketNotEmpty", 409, "The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
			case len(b.Objects) > 0:
				return s3Fail("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")
			}
			delete(c.account.Buckets, b.Name)
			return nil
		},
		adopt: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			b := c.account.Buckets[r.PhysicalID]
			if b == nil {
				return stackengine.Physical{}, s3Fail("NoSuchBucket", 404, "The specified bucket does not exist")
			}
			b.Tags, b.Stack = ownTags(b.Tags, r), r.StackID
			return physical(b), nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			b := c.account.Buckets[r.PhysicalID]
			if b == nil {
				return nil, s3Fail("NoSuchBucket", 404, "The specified bucket does not exist")
			}
			live := map[string]any{"BucketName": b.Name, "VersioningConfiguration": nil}
			if b.Versioning != "" {
				live["VersioningConfiguration"] = map[string]any{"Status": b.Versioning}
			}
			b.byHand(r, live)
			return shownProperties(r, live), nil
		},
	}
}
