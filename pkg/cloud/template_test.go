package cloud

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
)

func TestParseTemplate(t *testing.T) {
	want := cfn.Template{
		AWSTemplateFormatVersion: "2010-09-09",
		Resources: map[string]cfn.Resource{"Queue": {Type: "AWS::SQS::Queue", DependsOn: cfn.StringList{"Topic"}, Properties: map[string]any{
			"DelaySeconds": float64(5), "FifoQueue": true,
			"QueueName":     map[string]any{"Fn::Sub": "${AWS::StackName}-q"},
			"KmsMasterKey":  map[string]any{"Fn::GetAtt": []any{"Key", "Arn"}},
			"Tags":          []any{map[string]any{"Key": "a", "Value": map[string]any{"Ref": "Topic"}}},
			"RedrivePolicy": map[string]any{"Fn::If": []any{"Prod", "x", map[string]any{"Ref": "AWS::NoValue"}}},
		}}},
		Outputs: map[string]cfn.Output{"Date": {Value: "2010-09-09"}},
	}
	for name, body := range map[string]string{
		"JSON": `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Queue":{"Type":"AWS::SQS::Queue","DependsOn":"Topic","Properties":{
			"DelaySeconds":5,"FifoQueue":true,"QueueName":{"Fn::Sub":"${AWS::StackName}-q"},"KmsMasterKey":{"Fn::GetAtt":["Key","Arn"]},
			"Tags":[{"Key":"a","Value":{"Ref":"Topic"}}],"RedrivePolicy":{"Fn::If":["Prod","x",{"Ref":"AWS::NoValue"}]}}}},"Outputs":{"Date":{"Value":"2010-09-09"}}}`,
		"YAML": `
AWSTemplateFormatVersion: 2010-09-09
Resources:
  Queue:
    Type: AWS::SQS::Queue
    DependsOn: Topic
    Properties:
      DelaySeconds: 5
      FifoQueue: true
      QueueName: !Sub "${AWS::StackName}-q"
      KmsMasterKey: !GetAtt Key.Arn
      Tags:
        - {Key: a, Value: !Ref Topic}
      RedrivePolicy: !If [Prod, x, !Ref "AWS::NoValue"]
Outputs:
  Date: {Value: 2010-09-09}
`,
	} {
		got, err := parseTemplate(body)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	for name, body := range map[string]string{"empty": "", "a list": "- a", "an alias": "Resources: &a {}\nOutputs: *a", "broken": "Resources: ["} {
		if got, err := parseTemplate(body); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzParseTemplate(f *testing.F) {
	f.Add("Resources: {A: {Type: !Ref x}}")
	f.Add(`{"Resources":{}}`)
	f.Add("a: &x [*x]")
	f.Fuzz(func(_ *testing.T, body string) {
		_, _ = parseTemplate(body) // it must return
	})
}
