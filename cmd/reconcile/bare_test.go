package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
)

// An empty account has no images: the plan says what is blocked and by what
// command it goes on, apply does the rest and says the same. When they are
// there the same command finishes the work.
func TestEmptyAccountIsFinishedByTheSameCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "sandbox reset --bare")
	wants := []string{
		"bp-backend:nginx-latest", "bp-backend:php-latest", "bp-frontend:latest", "docker push",
		"reconcile ami build staging/gpu-default",
		"reconcile ami build production/gpu-default",
		"4 steps blocked",
	}
	r.want(0, "plan", wants...)
	r.want(2, "plan --detailed-exitcode")
	r.want(4, "apply --yes", append(wants, "16 steps done", "once unblocked: reconcile apply --sandbox")...)
	again := r.want(4, "apply --yes", wants...)
	again.saysNot(t, "[   0s] done")

	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		pushImages(ctx, t, cfg, "bp")
	})
	r.want(4, "apply --yes", "2 steps done", "reconcile ami build staging/gpu-default").saysNot(t, "docker push")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		bakeAMIs(ctx, t, box, cfg, "/bp/ami/fleets/staging/gpu-default", "/bp/ami/fleets/production/gpu-default")
	})
	r.want(0, "apply --yes", "2 steps done")
	r.empty()
	r.want(0, "status").saysNot(t, "out-of-sync", "absent", "degraded")
}

// A parameter that names no AMI blocks its own fleet alone.
func TestFleetWithoutRealAMIIsBlockedAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "sandbox reset --bare")
	r.want(4, "apply --yes")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		pushImages(ctx, t, cfg, "bp")
		bakeAMIs(ctx, t, box, cfg, "/bp/ami/fleets/production/gpu-default")
		put(ctx, t, cfg, "/bp/ami/fleets/staging/gpu-default", "soon")
	})
	r.want(4, "apply --yes", "parameter /bp/ami/fleets/staging/gpu-default holds no AMI id", "reconcile ami build staging/gpu-default")
	got := steps(r.plan(""))
	if len(got) != 1 || got[0] != "create stack/bp-gpu-fleet-staging-gpu-default" {
		t.Errorf("left to do: %v", got)
	}
}

func pushImages(ctx context.Context, t testing.TB, cfg aws.Config, platform string) {
	t.Helper()
	registry := ecr.NewFromConfig(cfg)
	for service, tags := range map[string][]string{"-backend": {"nginx-latest", "php-latest"}, "-frontend": {"latest"}} {
		repository := platform + service
		for _, tag := range tags {
			_, err := registry.PutImage(ctx, &ecr.PutImageInput{RepositoryName: &repository, ImageTag: &tag,
				ImageManifest: aws.String(`{"schemaVersion":2,"tag":"` + tag + `"}`)})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bakeAMIs does what an AMI build does: an image, and the parameter that names it.
func bakeAMIs(ctx context.Context, t testing.TB, box *sandbox.Sandbox, cfg aws.Config, parameters ...string) {
	t.Helper()
	for _, name := range parameters {
		value := ec2Call(t, box, "RegisterImage", "Name=bp-comfyui"+strings.ReplaceAll(name, "/", "-"), "imageId")
		_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString,
			DataType: aws.String("aws:ec2:image"), Overwrite: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ec2Call asks EC2 over the wire, for an element of its answer: EC2's SDK
// client is not linked.
func ec2Call(t testing.TB, box *sandbox.Sandbox, action, form, element string) string {
	t.Helper()
	q := httptest.NewRequest(http.MethodPost, "http://sandbox/", strings.NewReader("Action="+action+"&Version=2016-11-15&"+form))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	res, err := box.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	_, rest, ok := strings.Cut(string(body), "<"+element+">")
	value, _, _ := strings.Cut(rest, "<")
	if err != nil || res.StatusCode != http.StatusOK || !ok {
		t.Fatalf("%s: %d %s %v", action, res.StatusCode, body, err)
	}
	return value
}

func put(ctx context.Context, t testing.TB, cfg aws.Config, name, value string) {
	t.Helper()
	_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
}
