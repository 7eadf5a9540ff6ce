package stackengine_test

import (
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// What a loop replaces, and what it leaves, follows measurements on AWS.
func TestLanguageExtensions(t *testing.T) {
	body := `
Transform: [AWS::LanguageExtensions]
Parameters:
  Names: {Type: CommaDelimitedList, Default: "alpha,b-1"}
  Keep: {Type: String, Default: Retain}
Mappings: {Sizes: {small: {List: [x, y]}}}
Conditions:
  Fn::ForEach::Conditions: [N, [One, Two], {"Is${N}": !Equals [!Ref N, One]}]
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - "T&{Name}":
        Type: AWS::SNS::Topic
        DeletionPolicy: !Ref Keep
        Properties:
          TopicName: !Ref Name
          DisplayName: !Sub "${Name} of ${AWS::StackName}"
          Tags:
            - {Key: plain, Value: "${Name}"}
            - {Key: second, Value: !Sub "&{Name}"}
  Fn::ForEach::Outer:
    - A
    - !FindInMap [Sizes, small, List]
    - Fn::ForEach::Inner:
        - B
        - ["1", "2"]
        - "Q${A}${B}":
            Type: AWS::SQS::Queue
            Condition: IsOne
            Properties: {QueueName: !Sub "q-${A}-${B}"}
  Gone: {Type: AWS::SNS::Topic, Condition: IsTwo}
Outputs:
  Fn::ForEach::Arns:
    - Name
    - [alpha]
    - "Name&{Name}": {Value: !GetAtt [!Sub "T${Name}", TopicName]}
  Count: {Value: {"Fn::Length": !Ref Names}}
`
	w := newWorld(t)
	out, err := try[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body})
	if out != nil || err == nil || !strings.Contains(err.Error(), "CAPABILITY_AUTO_EXPAND") {
		t.Fatalf("without CAPABILITY_AUTO_EXPAND: %v", err)
	}
	must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body, Capabilities: []types.Capability{types.CapabilityCapabilityAutoExpand}})
	w.settle()
	want := `Qx1 CREATE_COMPLETE
Qx2 CREATE_COMPLETE
Qy1 CREATE_COMPLETE
Qy2 CREATE_COMPLETE
Talpha CREATE_COMPLETE
Tb1 CREATE_COMPLETE
`
	var names strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(w.resources("s")), "\n") {
		names.WriteString(strings.Join(strings.Fields(line)[:2], " ") + "\n")
	}
	if d := cmp.Diff(want, names.String()); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
	topic := string(w.e.State.Stacks[*w.stack("s").StackId].Resources["Tb1"].Properties)
	if want := `{"DisplayName":"b-1 of s","Tags":[{"Key":"plain","Value":"${Name}"},{"Key":"second","Value":"&{Name}"}],"TopicName":"b-1"}`; topic != want {
		t.Errorf("topic %s, want %s", topic, want)
	}
	outputs := map[string]string{}
	for _, o := range w.stack("s").Outputs {
		outputs[*o.OutputKey] = *o.OutputValue
	}
	if d := cmp.Diff(map[string]string{"Namealpha": "alpha", "Count": "2"}, outputs); d != "" {
		t.Error(d)
	}
	processed := must[cfn.GetTemplateOutput](w, &cfn.GetTemplateInput{StackName: ptr("s")})
	original := must[cfn.GetTemplateOutput](w, &cfn.GetTemplateInput{StackName: ptr("s"), TemplateStage: types.TemplateStageOriginal})
	if strings.Contains(*processed.TemplateBody, "ForEach") || !strings.Contains(*processed.TemplateBody, `"Talpha"`) || *original.TemplateBody != body {
		t.Errorf("the processed template is %s", *processed.TemplateBody)
	}
	sum := must[cfn.GetTemplateSummaryOutput](w, &cfn.GetTemplateSummaryInput{TemplateBody: &body})
	if d := cmp.Diff([]string{"AWS::SNS::Topic", "AWS::SQS::Queue"}, sum.ResourceTypes); d != "" {
		t.Error(d)
	}
	if cs := w.change("s", "c", "UPDATE", body); cs.Status != "FAILED" || *cs.StatusReason != "No updates are to be performed." {
		t.Errorf("an unchanged template with a transform: %s", cs.Status)
	}
	w.delete("s")
	if n := len(w.e.State.Items); n != 2 {
		t.Errorf("%d things are left; the policy of the two topics is a parameter that says Retain", n)
	}
}
