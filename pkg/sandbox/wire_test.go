package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// raw sends a request as a client of the service would, signed for it.
func raw(t testing.TB, s *sandbox.Sandbox, service, op, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://sandbox/", strings.NewReader(body))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	switch {
	case sandbox.SpeaksForms(service):
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader("Action=" + op + "&" + body))
	default:
		r.Header.Set("X-Amz-Target", "Any."+op)
	}
	res, err := s.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, string(must[[]byte](t)(io.ReadAll(res.Body)))
}

// Every operation answers a request without any member in its own protocol,
// in a fresh account and in one that has something of everything.
func TestEmptyRequests(t *testing.T) {
	clk := newClock()
	full := open(t, sandbox.Options{Now: clk.now})
	st := newStacks(t, full, clk)
	st.want(st.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	operations := sandbox.Operations()
	if len(operations) < 90 {
		t.Errorf("only %d operations", len(operations))
	}
	for _, name := range operations {
		service, op, _ := strings.Cut(name, ".")
		for _, s := range []*sandbox.Sandbox{open(t, sandbox.Options{}), full} {
			status, body := raw(t, s, service, op, "")
			if status != http.StatusOK && status != http.StatusBadRequest && status != http.StatusNotFound {
				t.Errorf("%s: %d %s", name, status, body)
			}
			if strings.HasPrefix(body, "<") {
				if err := wellFormed(body); err != nil {
					t.Errorf("%s: %v in %s", name, err, body)
				}
			} else if !json.Valid([]byte(body)) {
				t.Errorf("%s: %s", name, body)
			}
		}
	}
}

func wellFormed(body string) error {
	d := xml.NewDecoder(strings.NewReader(body))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestMalformedRequests(t *testing.T) {
	s := open(t, sandbox.Options{})
	for name, tc := range map[string]struct{ service, op, body, code string }{
		"no JSON":            {"ssm", "GetParameter", "{", "SerializationException"},
		"list for object":    {"ssm", "GetParameter", "[]", "SerializationException"},
		"number for string":  {"ssm", "GetParameter", `{"Name":1}`, "SerializationException"},
		"string for number":  {"ssm", "DescribeParameters", `{"MaxResults":"x"}`, "SerializationException"},
		"number too big":     {"ssm", "DescribeParameters", `{"MaxResults":99999999999}`, "MalformedInput"},
		"bad base64":         {"secretsmanager", "CreateSecret", `{"SecretBinary":"!"}`, "SerializationException"},
		"bad list index":     {"autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroupNames.member.x=1", "MalformedInput"},
		"bad number":         {"autoscaling", "DescribeAutoScalingGroups", "MaxRecords=ten", "MalformedInput"},
		"bad bool":           {"autoscaling", "SetDesiredCapacity", "HonorCooldown=maybe", "MalformedInput"},
		"bad form":           {"cloudformation", "ListStacks", "%zz", "MalformedInput"},
		"nested too deeply":  {"cloudformation", "ListStacks", strings.Repeat("a.", 40) + "b=1", "MalformedInput"},
		"bad filter of EC2":  {"ec2", "DescribeVpcs", "Filter.a.Name=x", "MalformedInput"},
		"unknown operation":  {"ssm", "Nothing", "{}", "UnknownOperationException"},
		"unknown in a query": {"ec2", "Nothing", "", "InvalidAction"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := raw(t, s, tc.service, tc.op, tc.body); status != http.StatusBadRequest || !strings.Contains(body, tc.code) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

// A caller that gave up before the request began changes nothing; one that
// gives up later does not undo it.
func TestCanceledCaller(t *testing.T) {
	s := open(t, sandbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ssmClient(s).PutParameter(ctx, put("/x", "v")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	out := must[*ssm.GetParametersOutput](t)(ssmClient(s).GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/x"}}))
	if len(out.Parameters) != 0 {
		t.Error("a canceled call wrote")
	}
}

// In a synctest bubble hours of virtual time take no time, with many callers.
func TestManyCallersInVirtualTime(t *testing.T) {
	body := fleetTemplate(t).only("Vpc", "Subnet").body(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.Open(sandbox.Options{Scale: 1, Latency: 40 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		c := cloudformation.NewFromConfig(config(s))
		start := time.Now()
		done := make(chan error, 50)
		for i := range 50 {
			go func() {
				name := aws.String(fmt.Sprint("s", i))
				if _, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: body}); err != nil {
					done <- err
					return
				}
				for {
					out, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
					if err != nil || out.Stacks[0].StackStatus == cfntypes.StackStatusCreateComplete {
						done <- err
						return
					}
					time.Sleep(5 * time.Second)
				}
			}()
		}
		for range 50 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if d := time.Since(start); d < 5*time.Second || d > 5*time.Minute {
			t.Errorf("50 stacks at AWS's pace took %s of virtual time", d)
		}
	})
}

// Any region has a state of its own; buckets are the account's.
func TestRegionsAreApart(t *testing.T) {
	s := open(t, sandbox.Options{Region: "us-east-1"})
	other := config(s)
	other.Region = "eu-west-1"
	must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), put("/x", "v")))
	_, err := ssm.NewFromConfig(other).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x")})
	wantCode(t, err, "ParameterNotFound")
	_, err = cloudformation.NewFromConfig(other).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("nope")})
	wantCode(t, err, "ValidationError")
}

// Requests of any shape get an answer, never a panic.
func FuzzRequests(f *testing.F) {
	f.Add("ssm", "AmazonSSM.PutParameter", "application/x-amz-json-1.1", []byte(`{"Name":"/x","Value":"v","Type":"String","Tags":[{"Key":"k"}]}`))
	f.Add("ssm", "AmazonSSM.GetParameters", "", []byte(`{"Names":[1]}`))
	f.Add("secretsmanager", "secretsmanager.PutSecretValue", "", []byte(`{"SecretId":"arn:","SecretString":"x"}`))
	f.Add("ecr", "X.DescribeImages", "", []byte(`{"repositoryName":"r","imageIds":[{"imageDigest":"sha256:0"}]}`))
	f.Add("ecs", "X.DescribeServices", "", []byte(`{"cluster":"/","services":["/"]}`))
	f.Add("cloudformation", "", "application/x-www-form-urlencoded", []byte("Action=CreateStack&StackName=s&Tags.member.1.Key=a&Tags.member.x=1&TemplateBody=%7B%7D"))
	f.Add("sts", "", "application/x-www-form-urlencoded", []byte("Action=GetCallerIdentity&%"))
	f.Add("ec2", "", "application/x-www-form-urlencoded", []byte("Action=DescribeImages&ImageId.1=ami-1&Filter.1.Name=x&Filter.1.Value.1=y"))
	f.Add("ec2", "", "application/x-www-form-urlencoded", []byte("Action=DescribeLaunchTemplateVersions&LaunchTemplateVersion.1=%24Latest"))
	f.Add("s3", "", "", []byte("body"))
	f.Fuzz(func(t *testing.T, service, target, contentType string, body []byte) {
		s, err := sandbox.Open(sandbox.Options{Seed: "fuzz"})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "http://sandbox/", bytes.NewReader(body))
		r.Header = http.Header{
			"Authorization": {"AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=0"},
			"X-Amz-Target":  {target}, "Content-Type": {contentType},
		}
		res, err := s.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
	})
}
