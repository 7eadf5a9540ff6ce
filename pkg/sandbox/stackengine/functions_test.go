package stackengine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Every intrinsic function, seen through an output.
func TestFunctions(t *testing.T) {
	const frame = `
Transform: AWS::LanguageExtensions
Parameters:
  Env: {Type: String, Default: prod}
  Zones: {Type: CommaDelimitedList, Default: "a, b,c"}
  Size: {Type: Number, Default: 3}
Mappings:
  Sizes: {prod: {Class: big, Zones: [x, y]}, test: {Class: small}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsBig: !And [!Condition IsProd, !Not [!Equals [!Ref Size, "1"]]]
  Never: !Or [!Equals [a, b], !Not [!Condition IsProd]]
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news, DisplayName: !If [Never, !Ref Gone, !Ref "AWS::NoValue"]}}
  Gone: {Type: AWS::SNS::Topic, Condition: Never}
Outputs:
  Out: {Value: %s}
`
	tests := map[string]string{
		`!Ref Env`:                 "prod",
		`!Ref AWS::AccountId`:      "123456789012",
		`!Ref AWS::StackName`:      "s",
		`!GetAtt Topic.TopicName`:  "news",
		`!GetAtt [Vpc, CidrBlock]`: "10.0.0.0/16",
		`!Ref Topic`:               "arn:aws:sns:us-east-1:123456789012:news",
		`!Sub "${Env}-${!Lit}-${Topic.TopicName}-${AWS::Region}"`:                         "prod-${Lit}-news-us-east-1",
		`!Sub ["${a}-${Size}", {a: !Select [1, !Ref Zones]}]`:                             "b-3",
		`!Join ["/", !Ref Zones]`:                                                         "a/b/c",
		`!Select [2, !Split [".", "x.y.z"]]`:                                              "z",
		`!FindInMap [Sizes, !Ref Env, Class]`:                                             "big",
		`!Select [0, !FindInMap [Sizes, prod, Zones]]`:                                    "x",
		`{"Fn::FindInMap": [Sizes, other, Class, {DefaultValue: d}]}`:                     "d",
		`!If [IsBig, "yes", "no"]`:                                                        "yes",
		`!If [Never, !Ref Gone, "none"]`:                                                  "none",
		`!Base64 hello`:                                                                   "aGVsbG8=",
		`!Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]`:                                "10.0.1.0/24",
		`!Select [0, !GetAZs ""]`:                                                         "us-east-1a",
		`!Join [",", !GetAZs eu-west-1]`:                                                  "eu-west-1a,eu-west-1b,eu-west-1c",
		`{"Fn::ToJsonString": {b: 1, a: [x]}}`:                                            `{"a":["x"],"b":1}`,
		`{"Fn::Length": !Ref Zones}`:                                                      "3",
		`{"Fn::Length": [a, !Ref Env]}`:                                                   "2",
		`!GetStackOutput {StackName: other, OutputName: Name}`:                            "near",
		`{"Fn::GetStackOutput": {StackName: other, OutputName: Name, Region: eu-west-1}}`: "far",
		`{"Fn::GetStackOutput": {StackName: other, OutputName: Name, Region: us-east-1}}`: "near",
		`!Join [" ", !Cidr ["2001:db8::/56", 2, 64]]`:                                     "2001:db8::/64 2001:db8:0:1::/64",
		`!Select [255, !Cidr ["10.0.0.0/16", 256]]`:                                       "10.0.255.0/24",
		`!Select [3, !Cidr ["10.0.0.77/24", 4, 5]]`:                                       "10.0.0.96/27",
		`1.10`:       "1.10",
		`true`:       "true",
		`2012-10-17`: "2012-10-17",
	}
	for value, want := range tests {
		w := newWorld(t)
		w.e.Output = func(region, stack, key string) (string, bool) {
			return "far", region == "eu-west-1" && stack == "other" && key == "Name"
		}
		w.create("other", "Resources: {T: {Type: AWS::SNS::Topic, Properties: {TopicName: other}}}\nOutputs: {Name: {Value: near}}")
		w.create("s", fmt.Sprintf(frame, value))
		if got := w.status("s"); got != "CREATE_COMPLETE" {
			t.Errorf("%s: %s", value, got)
			continue
		}
		if got := *w.stack("s").Outputs[0].OutputValue; got != want {
			t.Errorf("%s = %s, want %s", value, got, want)
		}
	}
}

func TestJSONTemplate(t *testing.T) {
	w := newWorld(t)
	w.create("s", `{"Resources":{"Topic":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::Sub":"${AWS::StackName}!"}}}},"Outputs":{"Name":{"Value":{"Fn::GetAtt":["Topic","DisplayName"]}}}}`)
	if got := *w.stack("s").Outputs[0].OutputValue; got != "s!" {
		t.Error(got)
	}
}

// Templates that CloudFormation refuses at once, with its texts.
func TestRefusedTemplates(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	topic := "{Type: AWS::SNS::Topic}"
	tests := map[string]string{
		"":                                 "1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length greater than or equal to 1",
		"{":                                "Template format error: JSON not well-formed. (line 1, column 2)",
		"hello":                            "Template format error: unsupported structure.",
		"Resources: {}":                    "Template format error: At least one Resources member must be defined.",
		"Description: x":                   "Template format error: At least one Resources member must be defined.",
		"Resources: {A: text}":             "Template format error: Any Resources member must be an object.",
		"Resources: {A: {Properties: {}}}": "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
		"Resources: {A: {Type: AWS::SNS::Topic, Invalid: x}}":                                             "Invalid template resource property 'Invalid'",
		"Resources: {A-B: " + topic + "}":                                                                 "Template format error: Resource name A-B is non alphanumeric.",
		"Resources: {A: {Type: AWS::No::Such}, B: {Type: AWS::SNS::Tropic}}":                              "Template format error: Unrecognized resource types: [AWS::No::Such, AWS::SNS::Tropic]",
		"Resources: {B: {Type: Custom::Thing}}":                                                           "Template format error: [/Resources/B] Custom resources are refused here: nothing runs what Custom::Thing would call.",
		"Extra: 1\nResources: {A: " + topic + "}":                                                         "Invalid template property or properties [Extra]",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: null}}":                                      "[/Outputs/O/Value] 'null' values are not allowed in templates",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Description: x}}":                                   "Template format error: Every Outputs member must contain a Value object",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Nope}}}":                   "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
		"Resources: {A: {Type: AWS::SNS::Topic, DependsOn: Nope}}":                                        "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: !Ref Nope}}":                                 "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !GetAtt Nope.Arn}}}":            "Template error: instance of Fn::GetAtt references undefined resource Nope",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: !GetAtt A.Colour}}":                          "Template error: resource A does not support attribute type Colour in Fn::GetAtt",
		"Resources: {A: {Type: AWS::SNS::Topic, Condition: Nope}}":                                        "Template format error: Unresolved condition dependency Nope in the Resources block of the template",
		"Resources: {A: {Type: AWS::SNS::Topic, DeletionPolicy: Keep}}":                                   "Template error: Unrecognized DeletionPolicy Keep for resource A",
		"Resources: {A: {Type: AWS::SNS::Topic, DependsOn: B}, B: {Type: AWS::SNS::Topic, DependsOn: A}}": "Circular dependency between resources: [A, B]",
		"Parameters: {P: {Type: String, Default: '5'}}\nRules: {V: {Assertions: [{Assert: {'Fn::Not': [{'Fn::Contains': [['4', '5'], !Ref P]}]}, AssertDescription: version 6 is needed}]}}\nResources: {A: " + topic + "}": "Template validation error: Rule V: version 6 is needed",
		"Conditions: {C: !Equals [!Condition C, x]}\nResources: {A: " + topic + "}":                                                                             "Circular dependency between conditions: [C]",
		"Mappings: {M: {a: {b: !FindInMap [M, a, b]}}}\nResources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Join ['', [!FindInMap [M, a, b]]]}}}": "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
		"AWSTemplateFormatVersion: 2010-09-10\nResources: {A: " + topic + "}":                                                                                   "Template format error: unsupported value for AWSTemplateFormatVersion.",
		"Parameters: {P: {Type: String, Default: x, Defawlt: y}}\nResources: {A: " + topic + "}":                                                                "Invalid template parameter property 'Defawlt'",
		"Resources: {A: {Type: AWS::SNS::Topic, DeletionPolicy: Snapshot}}":                                                                                     "Template error: resource type AWS::SNS::Topic does not support deletion policy Snapshot",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: [a, b]}}":                                                                                          "Template format error: The Value field of every Outputs member must evaluate to a String and not a List.",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: {a: b}}}":                                                                                          "Template format error: The Value field of every Outputs member must evaluate to a String and not a Map.",
		"Parameters: {P: {Type: CommaDelimitedList, Default: 'a,b'}}\nResources: {A: " + topic + "}\nOutputs: {O: {Value: !Ref P}}":                             "Template format error: The Value field of every Outputs member must evaluate to a String.",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: x, Export: {Name: n}}, P: {Value: y, Export: {Name: !Sub n}}}":                                     "Template format error: The Outputs section contains duplicate Export names: [n]. Specify a unique name for each export.",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: {'Fn::Concat': [a, b]}}}}":                                                            "Template validation error: Template Error: Encountered unsupported function: Fn::Concat Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr]",
		"Resources: {A: &x " + topic + ", B: *x}":                                                                                                               "Template error: YAML aliases are not allowed in CloudFormation templates",
		"Parameters: {P: {Type: String}}\nResources: {A: " + topic + "}":                                                                                        "Parameters: [P] must have values",
		"Parameters: {P: {Default: x}}\nResources: {A: " + topic + "}":                                                                                          "Template format error: Every Parameters object must contain a Type member.",
		"Parameters: {P: {Type: String, Default: x, AllowedValues: [a, b]}}\nResources: {A: " + topic + "}":                                                     "Parameter 'P' must be one of AllowedValues",
		"Parameters: {P: {Type: Number, Default: 9, MaxValue: 5}}\nResources: {A: " + topic + "}":                                                               "Parameter 'P' must be a number not greater than 5",
		"Parameters: {P: {Type: String, Default: X, AllowedPattern: '[a-z]+', ConstraintDescription: lower case}}\nResources: {A: " + topic + "}":               "Parameter P failed to satisfy constraint: lower case",
		"Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /none}}\nResources: {A: " + topic + "}":                                          "Unable to fetch parameters [/none] from parameter store for this account.",
		"Parameters:\n" + many(201, "  P%d: {Type: String, Default: x}\n") + "Resources: {A: " + topic + "}":                                                    "Template format error: Number of parameters, 201, is greater than maximum allowed, 200",
		"Outputs:\n" + many(201, "  O%d: {Value: x}\n") + "Resources: {A: " + topic + "}":                                                                       "Template format error: Number of outputs, 201, is greater than maximum allowed, 200",
		"Resources:\n" + many(501, "  R%d: {Type: AWS::SNS::Topic}\n"):                                                                                          "Template format error: Number of resources, 501, is greater than maximum allowed, 500",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: {'Fn::Transform': {Name: Shout, Parameters: {a: b}}}}}}":                              "No transform named Shout found.",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: {'Fn::ToJsonString': {a: b}}}}}":                                                      "Template error: Fn::ToJsonString needs the transform AWS::LanguageExtensions for what it says here.",
		"Resources: {'Fn::ForEach::Topics': [N, [a], {'T${N}': " + topic + "}]}":                                                                                "Template format error: Any Resources member must be an object.",
		"Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::Topics': [N, [a]]}":                                                                      "Transform AWS::LanguageExtensions failed with: Fn::ForEach layout is incorrect",
		"Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::Topics': [N, [a, b], {T: " + topic + "}]}":                                               "Transform AWS::LanguageExtensions failed with: duplicate key T",
		"Conditions: {C: !Equals [!GetStackOutput {StackName: a, OutputName: b}, x]}\nResources: {A: " + topic + "}":                                            "Template error: Cannot use Fn::GetStackOutput in Conditions",
		"Resources: {A: " + topic + "}\nOutputs: {O: {Value: x, Export: {Name: !Ref A}}}":                                                                       "Template format error: Output O is malformed. The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs.",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue {'Fn::GetAtt': [A, TopicName]}}}}":                                       "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Join ['', !Cidr [10.0.0.0/24, 9, 5]]}}}":                                             "Template error: Fn::Cidr cannot cut 9 blocks with 5 bits out of 10.0.0.0/24",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !GetStackOutput {StackName: none, OutputName: b}}}}":                                  "Unable to resolve Fn::GetStackOutput: output b of stack none does not exist",
		"Transform: AWS::Serverless-2016-10-31\nResources: {A: " + topic + "}":                                                                                  "No transform named AWS::Serverless-2016-10-31 found.",
		"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !FindInMap [M, a, b]}}}\nMappings: {M: {a: {c: x}}}":                                  "Template error: Unable to get mapping for M::a::b",
	}
	for body, want := range tests {
		w := newWorld(t)
		got := refuses[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("s"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body})
		if got != "ValidationError: "+want {
			t.Errorf("%.60q\n got %s\nwant %s", body, got, want)
		}
		if len(w.e.State.Stacks) != 0 {
			t.Errorf("%.60q leaves a stack", body)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	big := "Resources: {A: {Type: AWS::SNS::Topic}}\n#" + strings.Repeat("x", 51_200)
	role := "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}"
	named := "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r, AssumeRolePolicyDocument: {}}}}"
	topic := "Resources: {A: {Type: AWS::SNS::Topic}}"
	name := ptr("s")
	create := func(in *cfn.CreateStackInput) func(w *world) string {
		return func(w *world) string { return refuses[cfn.CreateStackOutput](w, in) }
	}
	tests := map[string]struct {
		send func(w *world) string
		want string
	}{
		"name":    {create(&cfn.CreateStackInput{StackName: ptr("a_b"), TemplateBody: &topic}), "ValidationError: 1 validation error detected: Value 'a_b' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"},
		"nothing": {create(&cfn.CreateStackInput{StackName: name}), "ValidationError: Either Template URL or Template Body must be specified."},
		"iam":     {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &role}), "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]"},
		"named":   {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &named, Capabilities: []types.Capability{types.CapabilityCapabilityIam}}), "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"},
		"tags":    {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, Tags: tags(51)}), "ValidationError: 1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"},
		"tag":     {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, Tags: []types.Tag{{Key: ptr(strings.Repeat("k", 129))}}}), "ValidationError: 1 validation error detected: Value '" + strings.Repeat("k", 129) + "' at 'tags.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"},
		"topics":  {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, NotificationARNs: make([]string, 6)}), "ValidationError: 1 validation error detected: Value at 'notificationARNs' failed to satisfy constraint: Member must have length less than or equal to 5"},
		"long":    {create(&cfn.CreateStackInput{StackName: name, TemplateBody: ptr("Parameters: {P: {Type: String}}\n" + topic), Parameters: []types.Parameter{{ParameterKey: ptr("P"), ParameterValue: ptr(strings.Repeat("v", 4097))}}}), "ValidationError: Parameter 'P' is 4097 bytes, more than the maximum of 4096"},
		"size":    {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &big}), "ValidationError: 1 validation error detected: Value '" + big + "' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200"},
		"huge": {func(w *world) string {
			w.e.Fetch = func(context.Context, string) (string, error) { return strings.Repeat("#", 1_000_001), nil }
			return refuses[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: name, TemplateURL: ptr("https://s3.amazonaws.com/b/k")})
		}, "ValidationError: Template may not exceed 1000000 bytes in size."},
		"unknown":    {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, Parameters: []types.Parameter{{ParameterKey: ptr("X")}}}), "ValidationError: Parameters: [X] do not exist in the template"},
		"types":      {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, ResourceTypes: []string{"AWS::EC2::*"}}), "ValidationError: Resource type AWS::SNS::Topic is not allowed by parameter ResourceTypes [AWS::EC2::*]"},
		"token":      {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, ClientRequestToken: ptr("a b")}), "ValidationError: 1 validation error detected: Value 'a b' at 'clientRequestToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"},
		"capability": {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, Capabilities: []types.Capability{"CAPABILITY_ALL"}}), "ValidationError: 1 validation error detected: Value '[CAPABILITY_ALL]' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: [CAPABILITY_AUTO_EXPAND, CAPABILITY_NAMED_IAM, CAPABILITY_IAM]"},
		"mapping":    {create(&cfn.CreateStackInput{StackName: name, TemplateBody: ptr("Mappings: {M: {a: {b: c}}}\nResources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !FindInMap [M, !Ref AWS::Region, b]}}}")}), "ValidationError: Template error: Unable to get mapping for M::us-east-1::b"},
		"no mapping": {create(&cfn.CreateStackInput{StackName: name, TemplateBody: ptr("Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !FindInMap [M, a, b]}}}")}), "ValidationError: Template error: Mapping named 'M' is not present in the 'Mappings' section of template."},
		"role": {func(w *world) string {
			w.e.Role = func(string) bool { return false }
			return refuses[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: name, TemplateBody: &topic, RoleARN: ptr("arn:aws:iam::123456789012:role/none")})
		}, "ValidationError: Role arn:aws:iam::123456789012:role/none is invalid or cannot be assumed"},
		"filter": {func(w *world) string {
			return refuses[cfn.ListStacksOutput](w, &cfn.ListStacksInput{StackStatusFilter: []types.StackStatus{"DONE"}})
		}, "ValidationError: 1 validation error detected: Value '[DONE]' at 'stackStatusFilter' failed to satisfy constraint: Member must satisfy enum value set: [" + statuses() + "]"},
		"policy": {create(&cfn.CreateStackInput{StackName: name, TemplateBody: &topic, StackPolicyBody: ptr("{")}), "ValidationError: Error validating stack policy: Invalid stack policy"},
		"url":    {create(&cfn.CreateStackInput{StackName: name, TemplateURL: ptr("ftp://x")}), "ValidationError: TemplateURL must be a supported URL."},
		"describe": {func(w *world) string {
			return refuses[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: name})
		}, "ValidationError: Stack with id s does not exist"},
		"events": {func(w *world) string {
			return refuses[cfn.DescribeStackEventsOutput](w, &cfn.DescribeStackEventsInput{StackName: name})
		}, "ValidationError: Stack [s] does not exist"},
		"sets": {func(w *world) string {
			return refuses[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{StackName: name, ChangeSetName: ptr("c")})
		}, "ValidationError: Stack [s] does not exist"},
		"set": {func(w *world) string {
			return refuses[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: ptr("c")})
		}, "ValidationError: StackName must be specified if ChangeSetName is not specified as an ARN."},
		"review": {func(w *world) string {
			w.change("s", "c", "CREATE", topic)
			return refuses[cfn.GetTemplateSummaryOutput](w, &cfn.GetTemplateSummaryInput{StackName: name})
		}, "ValidationError: GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."},
	}
	for what, test := range tests {
		if got := test.send(newWorld(t)); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", what, got, test.want)
		}
	}
	got := refuses[cfn.CreateStackOutput](newWorld(t), &cfn.CreateStackInput{StackName: name, TemplateBody: &big})
	if !strings.HasPrefix(got, "ValidationError: 1 validation error detected: Value ") || !strings.HasSuffix(got, "at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200") {
		t.Errorf("%.80s … %s", got, got[len(got)-120:])
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t)
	w.e.State.MaxStacks = 1
	w.create("one", "Resources: {A: {Type: AWS::SNS::Topic}}")
	got := refuses[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("two"), TemplateBody: ptr("Resources: {A: {Type: AWS::SNS::Topic}}")})
	if got != "LimitExceededException: Limit for stack has been exceeded" {
		t.Error(got)
	}
}

// No template makes the engine panic, hang or keep a stack that it refused.
func FuzzTemplate(f *testing.F) {
	f.Add(network)
	f.Add(`{"Resources":{"A":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::Sub":["${a}",{"a":{"Ref":"B"}}]}}},"B":{"Type":"AWS::SQS::Queue"}}}`)
	f.Add("Conditions: {C: !Not [!Equals [!Ref AWS::Region, x]]}\nResources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !If [C, !Join ['', [a, b]], !Select [0, !Split [',', 'a,b']]]}}}")
	f.Add("Mappings: {M: {a: {b: c}}}\nResources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !FindInMap [M, a, b]}}}\nOutputs: {O: {Value: !Cidr [10.0.0.0/16, 2, 8]}}")
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		out, err := try[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("s"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, Capabilities: allCapabilities})
		if err != nil {
			if len(w.e.State.Stacks) > 0 {
				t.Fatal("a refused template leaves a stack")
			}
			return
		}
		w.pass(10e9)
		set := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
		if set.Status == "CREATE_COMPLETE" {
			must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id})
			w.settle()
			checkMachine(t, w.e.State.Stacks[*out.StackId])
		}
	})
}

func statuses() string {
	var all []string
	for _, s := range types.StackStatus("").Values() {
		all = append(all, string(s))
	}
	return strings.Join(all, ", ")
}

func tags(n int) []types.Tag {
	var out []types.Tag
	for i := range n {
		out = append(out, types.Tag{Key: ptr(fmt.Sprint("k", i)), Value: ptr("v")})
	}
	return out
}
