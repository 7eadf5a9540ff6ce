package stackengine_test

import (
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// A monitoring period keeps an update open, old resources and all, and can be cancelled.
func TestMonitoringTime(t *testing.T) {
	const body = "Resources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: a}}}"
	w := newWorld(t)
	w.create("s", body)
	update := func(text string) {
		must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(strings.Replace(body, "DisplayName: a", "DisplayName: "+text, 1)), RollbackConfiguration: &types.RollbackConfiguration{
			MonitoringTimeInMinutes: ptr(int32(10)), RollbackTriggers: []types.RollbackTrigger{{Arn: ptr("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"), Type: ptr("AWS::CloudWatch::Alarm")}},
		}})
	}
	update("b")
	w.pass(5 * time.Minute)
	if got := w.status("s"); !strings.HasPrefix(got, "UPDATE_IN_PROGRESS") {
		t.Errorf("in the monitoring period: %s", got)
	}
	w.settle()
	if got := w.stack("s"); got.StackStatus != "UPDATE_COMPLETE" || *got.RollbackConfiguration.MonitoringTimeInMinutes != 10 || len(got.RollbackConfiguration.RollbackTriggers) != 1 {
		t.Errorf("%s, %+v", got.StackStatus, got.RollbackConfiguration)
	}
	update("c")
	w.pass(5 * time.Minute)
	must[cfn.CancelUpdateStackOutput](w, &cfn.CancelUpdateStackInput{StackName: ptr("s")})
	w.settle()
	if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("cancelled: %s", got)
	}
	six := make([]types.RollbackTrigger, 6)
	if got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(body), RollbackConfiguration: &types.RollbackConfiguration{RollbackTriggers: six}}); !strings.Contains(got, "rollbackTriggers") {
		t.Error(got)
	}
	if got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(body), RollbackConfiguration: &types.RollbackConfiguration{MonitoringTimeInMinutes: ptr(int32(181))}}); !strings.Contains(got, "between 0 and 180") {
		t.Error(got)
	}
}

// Parameters of types that AWS looks up.
func TestParametersThatMustExist(t *testing.T) {
	template := func(kind, value string) string {
		return "Parameters: {P: {Type: '" + kind + "', Default: '" + value + "'}}\nResources: {T: {Type: AWS::SNS::Topic}}"
	}
	for body, want := range map[string]string{
		template("AWS::EC2::VPC::Id", "vpc-0eeeeeeeeeeeeeee1"):                                         "Parameter validation failed: parameter value vpc-0eeeeeeeeeeeeeee1 for parameter name P does not exist",
		template("List<AWS::EC2::Subnet::Id>", "subnet-0ccccccccccccccc2,subnet-0eeeeeeeeeeeeeee2"):    "Parameter validation failed: parameter value subnet-0eeeeeeeeeeeeeee2 for parameter name P does not exist",
		template("AWS::SSM::Parameter::Name", "/none"):                                                 "Unable to fetch parameters [/none] from parameter store for this account.",
		template("AWS::SSM::Parameter::Value<SecureString>", "/aws/service/ami-amazon-linux-latest/x"): "Template format error: Unrecognized parameter type: SecureString",
		template("AWS::SSM::Parameter::Value<Number>", "/aws/service/ami-amazon-linux-latest/x"):       "Template format error: Unrecognized parameter type: Number",
		template("Strange", "x"): "Template format error: Unrecognized parameter type: Strange",
		template("AWS::SSM::Parameter::Name", "/aws/service/ami-amazon-linux-latest/x"):                       "",
		template("AWS::EC2::VPC::Id", "vpc-0ccccccccccccccc1"):                                                "",
		template("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "/aws/service/ami-amazon-linux-latest/x"): "",
		template("AWS::SSM::Parameter::Value<List<String>>", "/aws/service/ami-amazon-linux-latest/x"):        "",
		template("AWS::SSM::Parameter::Value<CommaDelimitedList>", "/aws/service/ami-amazon-linux-latest/x"):  "",
	} {
		w := newSampleWorld(t)
		_, err := try[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body})
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%s\n got %s\nwant %s", body, got, want)
			}
		} else if want != "" {
			t.Errorf("%s is accepted", body)
		}
	}
}
