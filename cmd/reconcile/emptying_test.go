package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

const ownBucketName = "bp-reconcile-123456789012"

// fill leaves in the platform's bucket what people find there: objects in
// several versions, one that was deleted, and an upload that nobody finished.
func (r *rig) fill() {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
		var err error
		try := func(e error) {
			if err == nil {
				err = e
			}
		}
		for _, body := range []string{"one", "two"} {
			_, e := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(ownBucketName), Key: aws.String("plans/x"), Body: strings.NewReader(body)})
			try(e)
		}
		_, e := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(ownBucketName), Key: aws.String("plans/x")})
		try(e)
		_, e = c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(ownBucketName), Key: aws.String("plans/y")})
		try(e)
		if err != nil {
			r.t.Fatal(err)
		}
	})
}

// exists tells whether the platform's bucket is there.
func (r *rig) exists() (there bool) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, b := range out.Buckets {
			there = there || aws.ToString(b.Name) == ownBucketName
		}
	})
	return there
}

// A bucket that a destroy names is emptied by a step of its own, with consent,
// before its stack is deleted; the program's own one, and the lock in it, last.
func TestDestroyEmptiesNamedBuckets(t *testing.T) {
	t.Parallel()
	const line = "destroy --yes --resource bp-reconcile/Bucket --approve destroy:bp-reconcile"
	r := newRig(t, "")
	r.want(0, "bootstrap --yes")
	r.fill()
	s := r.want(4, line, "objects "+ownBucketName+": delete", "every version, delete marker and unfinished upload, of history and, at last, of the lock", "destroy:bp-reconcile/Bucket")
	s.saysNot(t, "failed")
	if !r.exists() {
		t.Fatal("the bucket went without consent")
	}
	r.want(0, "history", "refused")
	// The deletion fails after the emptying: the same command goes on.
	r.breaks(stackengine.Fault{Stack: "bp-reconcile", Logical: "Bucket", Phase: stackengine.PhaseDelete, Times: 1, Message: "not now"})
	r.want(5, line+" --approve destroy:bp-reconcile/Bucket", "done objects "+ownBucketName, "not now", "DELETE_FAILED")
	r.fill()
	r.want(4, line+" --approve destroy:bp-reconcile/Bucket", "--approve recover:bp-reconcile")
	r.want(0, line+" --approve destroy:bp-reconcile/Bucket --approve recover:bp-reconcile", "done objects "+ownBucketName)
	if r.exists() {
		t.Error("the bucket is there")
	}
	r.want(0, line, "No changes.")
}

// Without a bucket there is no lock, and two destroys are told so. AWS itself
// lets one operation at a time onto a stack: each stack is deleted once.
func TestTwoDestroysWithoutALock(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, box *sandbox.Sandbox, _ aws.Config) {
		c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: box, StaticCredentials: true})
		if err != nil {
			t.Fatal(err)
		}
		p := c.Port(ctx)
		defer p.Close()
		p.Submit(apply.Request{ID: 1, Op: apply.OpEmptyBucket, Name: ownBucketName})
		if got, err := p.Next(ctx); err != nil || got.Err != nil {
			t.Fatal(got.Err, err)
		}
	})
	r.want(0, "sandbox mutate --delete bp-reconcile/Bucket")
	const line = "destroy --yes --allow-destroy --stack bp-monitoring --fleet */*"
	a, b := r.start(line), r.start(line)
	for _, s := range []*started{a, b} {
		if code := s.end(t); code != 0 && code != exitRefused {
			t.Errorf("exit code %d\n%s", code, s.all)
		}
		if !strings.Contains(flat(s.all.String()), "no lock: do not run two at once") {
			t.Errorf("%s", s.all)
		}
	}
	p := r.plan("")
	if s, ok := p.Step("stack/bp-monitoring"); !ok || s.Action != plan.ActionCreate {
		t.Errorf("bp-monitoring is not gone: %v", steps(p))
	}
	for _, s := range p.Steps {
		if s.Action == plan.ActionRecover {
			t.Errorf("%s was left stuck", s.Target)
		}
	}
}
