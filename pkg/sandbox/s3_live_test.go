package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// What somebody sets on a bucket through S3, CloudFormation's drift detection
// finds, a drift-aware change set brings back, and a setting that says what the
// template says is none.
func TestBucketSettingsByHandAreDrift(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	ctx, s := t.Context(), newStacks(t, box, clk)
	list := func(v ...any) []any { return v }
	m := template(map[string]any{
		"Data": resource("AWS::S3::Bucket", map[string]any{
			"BucketName": "data", "Tags": list(map[string]any{"Key": "team", "Value": "a"}),
			"BucketEncryption":               map[string]any{"ServerSideEncryptionConfiguration": list(map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}})},
			"PublicAccessBlockConfiguration": map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true},
			"OwnershipControls":              map[string]any{"Rules": list(map[string]any{"ObjectOwnership": "BucketOwnerEnforced"})},
			"CorsConfiguration":              map[string]any{"CorsRules": list(map[string]any{"AllowedMethods": list("GET"), "AllowedOrigins": list("*"), "MaxAge": 10})},
			"LifecycleConfiguration":         map[string]any{"Rules": list(map[string]any{"Id": "old", "Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 30})},
			"LoggingConfiguration":           map[string]any{"DestinationBucketName": "logs", "LogFilePrefix": "data/"},
		}),
		"Logs":   resource("AWS::S3::Bucket", map[string]any{"BucketName": "logs"}),
		"Policy": resource("AWS::S3::BucketPolicy", map[string]any{"Bucket": map[string]any{"Ref": "Data"}, "PolicyDocument": map[string]any{"Statement": list(map[string]any{"Sid": "one"})}}),
	})
	s.want(s.create("s", m), cfntypes.StackStatusCreateComplete)
	drifted := func() map[string]string {
		must[*cloudformation.DetectStackDriftOutput](t)(s.c.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: aws.String("s")}))
		clk.pass(10 * time.Minute)
		out := map[string]string{}
		for _, d := range must[*cloudformation.DescribeStackResourceDriftsOutput](t)(s.c.DescribeStackResourceDrifts(ctx, &cloudformation.DescribeStackResourceDriftsInput{StackName: aws.String("s")})).StackResourceDrifts {
			for _, p := range d.PropertyDifferences {
				out[*d.LogicalResourceId+*p.PropertyPath] = *p.ExpectedValue + "→" + *p.ActualValue
			}
			if d.StackResourceDriftStatus == cfntypes.StackResourceDriftStatusDeleted {
				out[*d.LogicalResourceId] = "gone"
			}
		}
		return out
	}
	send := func(call, body string) {
		t.Helper()
		step := scenarioStep{Call: call, Body: body}
		if got := step.sendBy(t, "http://sandbox", box); got.status >= 300 {
			t.Fatalf("%s: %d %s", call, got.status, got.body)
		}
	}
	// The same in S3's words, as its console writes it.
	send("PUT /data?lifecycle", `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>old</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>`)
	send("PUT /data?encryption", `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
	send("DELETE /data?publicAccessBlock", "")
	if d := cmp.Diff(map[string]string{}, drifted()); d != "" {
		t.Errorf("what the template says is drift: %s", d)
	}
	send("PUT /data?lifecycle", `<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>`)
	send("PUT /data?encryption", `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
	send("PUT /data?publicAccessBlock", `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`)
	send("PUT /data?ownershipControls", `<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`)
	send("PUT /data?cors", `<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin><MaxAgeSeconds>10</MaxAgeSeconds></CORSRule></CORSConfiguration>`)
	send("PUT /data?logging", `<BucketLoggingStatus/>`)
	send("PUT /data?tagging", `<Tagging><TagSet><Tag><Key>team</Key><Value>b</Value></Tag></TagSet></Tagging>`)
	send("PUT /data?policy", `{"Statement":[{"Sid":"two"}]}`)
	want := map[string]string{
		"Data/LifecycleConfiguration/Rules/0/ExpirationInDays":                                                 "30→7",
		"Data/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm": "AES256→aws:kms",
		"Data/PublicAccessBlockConfiguration/BlockPublicPolicy":                                                "true→false",
		"Data/OwnershipControls/Rules/0/ObjectOwnership":                                                       "BucketOwnerEnforced→ObjectWriter",
		"Data/CorsConfiguration/CorsRules/0/AllowedMethods/0":                                                  "GET→PUT",
		"Data/LoggingConfiguration/DestinationBucketName":                                                      "logs→null", "Data/LoggingConfiguration/LogFilePrefix": "data/→null",
		"Data/Tags/0/Value": "a→b", "Policy/PolicyDocument/Statement/0/Sid": "one→two",
	}
	if d := cmp.Diff(want, drifted()); d != "" {
		t.Errorf("(-want +got) %s", d)
	}
	set := must[*cloudformation.CreateChangeSetOutput](t)(s.c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: aws.String("s"), ChangeSetName: aws.String("back"), UsePreviousTemplate: aws.Bool(true), DeploymentMode: cfntypes.DeploymentModeRevertDrift,
		Tags: []cfntypes.Tag{{Key: aws.String("owner"), Value: aws.String("platform")}},
	}))
	clk.pass(time.Minute)
	must[*cloudformation.ExecuteChangeSetOutput](t)(s.c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: set.Id}))
	s.want(s.settle("s"), cfntypes.StackStatusUpdateComplete)
	if d := cmp.Diff(map[string]string{}, drifted()); d != "" {
		t.Errorf("after the revert: %s", d)
	}
	step := scenarioStep{Call: "GET /data?cors"}
	if got := string(step.sendBy(t, "http://sandbox", box).body); !strings.Contains(got, "<AllowedMethod>GET</AllowedMethod>") {
		t.Error(got)
	}
	send("DELETE /data?policy", "")
	if got := drifted(); got["Policy"] != "gone" {
		t.Errorf("after the deletion of the policy: %v", got)
	}
}
