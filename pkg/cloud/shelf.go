package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/ami"
	"reconcile/pkg/bundle"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
)

// recentPointers are the last values of a fleet's active_bundle that a rollback
// may go back to.
const recentPointers = 10

// Shelf reads all that the models bucket of a platform holds, and the bundles
// that fleets name now. A bucket that is not there holds nothing.
func (c *Cloud) Shelf(ctx context.Context, t plan.Target, bucket string) (bundle.Stored, error) {
	var s bundle.Stored
	manifests, err := c.objects(ctx, t.Account, bucket, bundle.BundlePrefix)
	if err != nil {
		return s, err
	}
	if s.Assets, err = c.objects(ctx, t.Account, bucket, bundle.AssetPrefix); err != nil {
		return s, err
	}
	for _, o := range manifests {
		if id, ok := bundle.IDOfKey(o.Key); ok {
			s.Manifests = append(s.Manifests, bundle.StoredManifest{Object: o, ID: id})
		}
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i := range s.Manifests {
		g.Go(func() error {
			m := &s.Manifests[i]
			live, err := c.manifest(inner, t.Account, plan.Object{Bucket: bucket, Key: m.Key})
			if err != nil {
				return err
			}
			if m.Manifest, m.Problem = live.Manifest, live.Problem; !live.Exists {
				m.Problem = "it was deleted at this moment"
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return s, err
	}
	s.Uses, err = c.active(ctx, t)
	return s, err
}

// objects lists what is under a prefix.
func (c *Cloud) objects(ctx context.Context, account, bucket, prefix string) ([]bundle.Object, error) {
	var out []bundle.Object
	err := pages(func(token *string) (*string, error) {
		page, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: aws.String(bucket), Prefix: aws.String(prefix), ContinuationToken: token, ExpectedBucketOwner: optional(account)})
		if errorCode(err) == "NoSuchBucket" {
			return nil, nil
		}
		if err != nil {
			return nil, c.readError("list s3://"+bucket+"/"+prefix, err)
		}
		for _, o := range page.Contents {
			out = append(out, bundle.Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified).UTC()})
		}
		return page.NextContinuationToken, nil
	})
	return out, err
}

// pointers are the names of the platform's active_bundle parameters.
func (c *Cloud) pointers(ctx context.Context, t plan.Target) ([]string, error) {
	all, err := c.parametersBelow(ctx, "/"+t.Platform+"/fleets/")
	var names []string
	for _, name := range sortedKeys(all) {
		if strings.HasSuffix(name, "/active_bundle") {
			names = append(names, name)
		}
	}
	return names, err
}

// fleetOf is "stage/slug" in the name of a fleet's parameter.
func fleetOf(name string) string {
	parts := strings.Split(strings.Trim(name, "/"), "/")
	if len(parts) < 3 {
		return name
	}
	return strings.Join(parts[len(parts)-3:len(parts)-1], "/")
}

// active are the bundles that fleets name now.
func (c *Cloud) active(ctx context.Context, t plan.Target) ([]bundle.Use, error) {
	names, err := c.pointers(ctx, t)
	if err != nil {
		return nil, err
	}
	var out []bundle.Use
	for _, chunk := range chunks(names, parametersPerCall) {
		found, err := c.parametersChunk(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, name := range sortedKeys(found) {
			if id, ok := bundle.IDOfPointer(found[name].Value); ok {
				out = append(out, bundle.Use{ID: id, By: "active in " + fleetOf(name)})
			}
		}
	}
	return out, nil
}

// RollbackUses are the bundles that a rollback may need: the last values of the
// fleets' pointers, older ones since a moment, and what images were baked with.
func (c *Cloud) RollbackUses(ctx context.Context, t plan.Target, since time.Time) ([]bundle.Use, error) {
	names, err := c.pointers(ctx, t)
	if err != nil {
		return nil, err
	}
	uses := make([][]bundle.Use, len(names)+1)
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	g.Go(func() (err error) {
		uses[len(names)], err = c.bakedBundles(inner)
		return err
	})
	for i, name := range names {
		g.Go(func() (err error) {
			uses[i], err = c.recentBundles(inner, name, since)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(uses...), nil
}

func (c *Cloud) recentBundles(ctx context.Context, name string, since time.Time) ([]bundle.Use, error) {
	type version struct {
		number int64
		id     string
		at     time.Time
	}
	var all []version
	err := pages(func(page *string) (*string, error) {
		out, err := c.ssm.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: aws.String(name), NextToken: page, WithDecryption: aws.Bool(false)})
		if err != nil {
			return nil, c.readError("read the history of parameter "+name, err)
		}
		for _, v := range out.Parameters {
			id, _ := bundle.IDOfPointer(aws.ToString(v.Value))
			all = append(all, version{v.Version, id, aws.ToTime(v.LastModifiedDate)})
		}
		return out.NextToken, nil
	})
	slices.SortFunc(all, func(a, b version) int { return int(b.number - a.number) })
	var out []bundle.Use
	for i, v := range all {
		// A version was in force until the next one was written.
		recent := i < recentPointers || i > 0 && all[i-1].at.After(since)
		if recent && v.id != "" {
			out = append(out, bundle.Use{ID: v.id, By: fmt.Sprintf("version %d of %s", v.number, name)})
		}
	}
	return out, err
}

// bakedBundles are those in the account's own images, whether or not a fleet
// starts from one: as long as there is an image, a fleet can go back to it.
func (c *Cloud) bakedBundles(ctx context.Context) ([]bundle.Use, error) {
	images, err := c.ownImages(ctx, "tag-key", []string{ami.TagBundle})
	if err != nil {
		return nil, err
	}
	var out []bundle.Use
	for _, id := range sortedKeys(images) {
		if baked := images[id].Lineage.Bundle; baked != "" {
			out = append(out, bundle.Use{ID: baked, By: "baked into " + id})
		}
	}
	return out, nil
}

// Manifest reads a manifest as it is, for a check of every byte; nil where
// there is none.
func (c *Cloud) Manifest(ctx context.Context, account, bucket, id string) ([]byte, error) {
	body, err := c.Bucket(account, bucket).Get(ctx, bundle.ManifestKey(id))
	if absent(err) {
		return nil, nil
	}
	return body, err
}

// AssetState looks at one asset: its size, and its SHA-256 where S3 has that of
// all of it; deep reads it for the sum.
func (c *Cloud) AssetState(ctx context.Context, account, bucket, key string, deep bool) (plan.LiveAsset, error) {
	at := plan.Object{Bucket: bucket, Key: key}
	live, err := c.asset(ctx, account, at)
	if err != nil || !live.Exists || !deep {
		return live, err
	}
	live.SHA256, err = c.objectSum(ctx, account, at, nil)
	return live, err
}

func absent(err error) bool { return errors.Is(err, lock.ErrAbsent) || errors.Is(err, lock.ErrNoPlace) }
