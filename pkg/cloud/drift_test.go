package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/drift"
)

// answers plays services: by the Action of a form or the target of a JSON call.
type answers map[string]string

func (a answers) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, action, _ = strings.Cut(target, ".")
	}
	status, text := http.StatusOK, a[action]
	if rest, denied := strings.CutPrefix(text, "403 "); denied {
		status, text = http.StatusForbidden, rest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func driftCloud(t *testing.T, a answers) *Cloud {
	t.Helper()
	c, err := Open(context.Background(), Options{Region: "us-east-1", HTTPClient: a, StaticCredentials: true, PollScale: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What may not be read is said, and does not hide what may.
func TestDriftDenied(t *testing.T) {
	t.Parallel()
	c := driftCloud(t, answers{
		"DescribeDBInstances":     "403 <ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
		"DescribeScalableTargets": `403 {"__type":"com.amazon#AccessDeniedException","message":"no"}`,
		"DescribeAlarms":          "<DescribeAlarmsResponse><DescribeAlarmsResult><MetricAlarms><member><AlarmName>a</AlarmName><Threshold>5.0</Threshold></member></MetricAlarms></DescribeAlarmsResult></DescribeAlarmsResponse>",
	})
	subject := func(id, kind string) drift.Subject {
		return drift.Subject{Key: drift.Key{Stack: "s", Resource: id}, Type: kind, ID: id}
	}
	live, err := c.Drift(t.Context(), []drift.Subject{
		subject("a", "AWS::CloudWatch::Alarm"), subject("gone", "AWS::CloudWatch::Alarm"), subject("db", "AWS::RDS::DBInstance"),
		subject("service/c/s|ecs:service:DesiredCount|ecs", "AWS::ApplicationAutoScaling::ScalableTarget"), subject("role", "AWS::IAM::Role"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if live.Unread["AWS::RDS::DBInstance"] == "" || live.Unread["AWS::ApplicationAutoScaling::ScalableTarget"] == "" || len(live.Unread) != 2 {
		t.Errorf("unread: %v", live.Unread)
	}
	a, gone := live.Found[drift.Key{Stack: "s", Resource: "a"}], live.Found[drift.Key{Stack: "s", Resource: "gone"}]
	if !a.Exists || a.Properties["Threshold"] != "5.0" || gone.Exists || len(live.Found) != 2 {
		t.Errorf("found: %+v", live.Found)
	}
}

// Another error of a service ends the read; half an answer is none.
func TestDriftFails(t *testing.T) {
	t.Parallel()
	c := driftCloud(t, answers{"DescribeAlarms": "403 <ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>who</Message></Error></ErrorResponse>"})
	_, err := c.Drift(t.Context(), []drift.Subject{{Type: "AWS::CloudWatch::Alarm", ID: "a"}})
	var f *apply.Failure
	if !errors.As(err, &f) || f.Code != "InvalidClientTokenId" || !strings.Contains(err.Error(), "DescribeAlarms") {
		t.Errorf("%v", err)
	}
	c = driftCloud(t, answers{"DescribeAlarms": "<html>"})
	if _, err := c.Drift(t.Context(), []drift.Subject{{Type: "AWS::CloudWatch::Alarm", ID: "a"}}); err == nil {
		t.Error("an answer that is no XML was taken")
	}
}

// A rule that a resource of its own declares is no rule of the group's own.
func TestDriftRules(t *testing.T) {
	t.Parallel()
	const permission = "<item><ipProtocol>tcp</ipProtocol><fromPort>%</fromPort><toPort>%</toPort><groups><item><groupId>sg-2</groupId><description>From ALB</description></item></groups><ipRanges/></item>"
	c := driftCloud(t, answers{"DescribeSecurityGroups": "<R><securityGroupInfo><item><groupId>sg-1</groupId><groupDescription>d</groupDescription><ipPermissions>" +
		strings.ReplaceAll(permission, "%", "80") + strings.ReplaceAll(permission, "%", "22") + "</ipPermissions><ipPermissionsEgress/></item></securityGroupInfo></R>"})
	own := drift.Subject{Key: drift.Key{Resource: "Rule"}, Type: "AWS::EC2::SecurityGroupIngress", ID: "rule",
		Properties: map[string]any{"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "SourceSecurityGroupId": "sg-2"}}
	lost := own
	lost.Key.Resource, lost.Properties = "Lost", map[string]any{"GroupId": "sg-1", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
	group := drift.Subject{Key: drift.Key{Resource: "Group"}, Type: "AWS::EC2::SecurityGroup", ID: "sg-1"}
	live, err := c.Drift(t.Context(), []drift.Subject{group, own, lost})
	if err != nil {
		t.Fatal(err)
	}
	if f := live.Found[own.Key]; !f.Exists || f.Properties["Description"] != "From ALB" {
		t.Errorf("%+v", f)
	}
	if live.Found[lost.Key].Exists {
		t.Error("a rule that is gone was found")
	}
	if rules, _ := live.Found[group.Key].Properties["SecurityGroupIngress"].([]any); len(rules) != 1 || rules[0].(map[string]any)["FromPort"] != "22" {
		t.Errorf("%v", rules)
	}
}

// A change set that reverts deploys the deployed template with the values that it has.
func TestRevertRequest(t *testing.T) {
	t.Parallel()
	in := &apply.ChangeSetInput{Name: "n", StackName: "s", Revert: true, Tags: map[string]string{"a": "b"},
		Template: cfn.Template{Parameters: map[string]any{"P": map[string]any{"Type": "String"}}}}
	r := changeSetRequest(in, "token")
	if r.DeploymentMode != types.DeploymentModeRevertDrift || r.TemplateBody != nil || !*r.UsePreviousTemplate || len(r.Parameters) != 1 || !*r.Parameters[0].UsePreviousValue || len(r.Tags) != 1 {
		t.Errorf("%+v", r)
	}
	in.Revert = false
	if r := changeSetRequest(in, "token"); r.DeploymentMode != "" || r.UsePreviousTemplate != nil {
		t.Errorf("%+v", r)
	}
}
