package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func TestLogGroups(t *testing.T) {
	c := cloudwatchlogs.NewFromConfig(config(open(t, sandbox.Options{})))
	ctx, name := t.Context(), aws.String("/gpu-workers/gpu-default")
	create := func(name *string) error {
		_, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
		return err
	}
	if err := create(name); err != nil {
		t.Fatal(err)
	}
	wantCode(t, create(name), "ResourceAlreadyExistsException")
	wantCode(t, create(aws.String("a b")), "InvalidParameterException")
	_, err := c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(31)})
	wantCode(t, err, "InvalidParameterException")
	_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/nope"), RetentionInDays: aws.Int32(30)})
	wantCode(t, err, "ResourceNotFoundException")
	must[*cloudwatchlogs.PutRetentionPolicyOutput](t)(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(30)}))
	out := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: name}))
	g := out.LogGroups[0]
	if *g.RetentionInDays != 30 || *g.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:/gpu-workers/gpu-default:*" {
		t.Errorf("%+v", g)
	}
	must[*cloudwatchlogs.TagResourceOutput](t)(c.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: g.LogGroupArn, Tags: map[string]string{"a": "1", "b": "2"}}))
	must[*cloudwatchlogs.UntagResourceOutput](t)(c.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: g.LogGroupArn, TagKeys: []string{"b"}}))
	tags := must[*cloudwatchlogs.ListTagsForResourceOutput](t)(c.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: g.LogGroupArn}))
	if d := cmp.Diff(map[string]string{"a": "1"}, tags.Tags); d != "" {
		t.Error(d)
	}
	must[*cloudwatchlogs.DeleteRetentionPolicyOutput](t)(c.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: name}))
	out = must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{}))
	if out.LogGroups[0].RetentionInDays != nil {
		t.Error("retention stays after it was deleted")
	}
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name}))
	_, err = c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name})
	wantCode(t, err, "ResourceNotFoundException")
	for i := range 120 {
		if err := create(aws.String(fmt.Sprintf("/g/%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	n, in := 0, &cloudwatchlogs.DescribeLogGroupsInput{}
	for {
		out := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, in))
		n += len(out.LogGroups)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if n != 120 {
		t.Errorf("%d groups over all pages", n)
	}
}

func TestCertificates(t *testing.T) {
	arn := aws.String("arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555")
	stocked := acm.NewFromConfig(config(open(t, sandbox.Options{})))
	out := must[*acm.DescribeCertificateOutput](t)(stocked.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: arn}))
	if out.Certificate.Status != acmtypes.CertificateStatusIssued || out.Certificate.DomainName != nil {
		t.Errorf("%+v", out.Certificate)
	}
	_, err := stocked.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: aws.String("arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = stocked.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: aws.String("certificate")})
	wantCode(t, err, "ValidationException")
	bare := acm.NewFromConfig(config(open(t, sandbox.Options{Bare: true})))
	_, err = bare.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: arn})
	wantCode(t, err, "ResourceNotFoundException")

	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now, Bare: true})
	s := newStacks(t, box, clk)
	s.create("cert", tree{"Resources": map[string]any{"Cert": map[string]any{"Type": "AWS::CertificateManager::Certificate", "Properties": map[string]any{"DomainName": "app.example.com", "ValidationMethod": "DNS"}}}})
	list := must[*acm.ListCertificatesOutput](t)(acm.NewFromConfig(config(box)).ListCertificates(t.Context(), &acm.ListCertificatesInput{}))
	if len(list.CertificateSummaryList) != 1 {
		t.Fatalf("%+v", list)
	}
	made := must[*acm.DescribeCertificateOutput](t)(acm.NewFromConfig(config(box)).DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: list.CertificateSummaryList[0].CertificateArn}))
	if *made.Certificate.DomainName != "app.example.com" {
		t.Errorf("domain %s", *made.Certificate.DomainName)
	}
}
