package cloud

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
)

const setARN = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/rc-1/aaaa"

func describeSet(status, reason, rest string) string {
	return query("DescribeChangeSet", fmt.Sprintf(
		`<ChangeSetName>rc-1</ChangeSetName><ChangeSetId>%s</ChangeSetId><StackId>%s</StackId><StackName>bp-network</StackName><Description>by reconcile</Description><Status>%s</Status><StatusReason>%s</StatusReason>%s`,
		setARN, stackARN, status, reason, rest))
}

func createdSet() string {
	return query("CreateChangeSet", "<Id>"+setARN+"</Id><StackId>"+stackARN+"</StackId>")
}

func change(id, replacement, details string) string {
	return fmt.Sprintf(`<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>%s</LogicalResourceId><ResourceType>AWS::EC2::VPC</ResourceType><Replacement>%s</Replacement><Details>%s</Details></ResourceChange></member>`,
		id, replacement, details)
}

func detail(evaluation, target string) string {
	return `<member><Evaluation>` + evaluation + `</Evaluation><Target>` + target + `</Target></member>`
}

func input() *apply.ChangeSetInput {
	return &apply.ChangeSetInput{Name: "rc-1", StackName: "bp-network", Description: "by reconcile",
		Template: cfn.Template{Resources: map[string]cfn.Resource{"Vpc": {Type: "AWS::EC2::VPC"}}},
		Tags:     map[string]string{"b": "2", "a": "1"}, Capabilities: []string{"CAPABILITY_IAM"}}
}

func TestChangeSetRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, map[string]func(ask) answer{
			"CreateChangeSet": func(a ask) answer {
				want := map[string]string{
					"ChangeSetName": "rc-1", "StackName": "bp-network", "ClientToken": "tok", "ChangeSetType": "CREATE",
					"Description": "by reconcile", "Tags.member.1.Key": "a", "Tags.member.2.Key": "b",
					"Capabilities.member.1": "CAPABILITY_IAM",
					"TemplateBody":          `{"Resources":{"Vpc":{"Type":"AWS::EC2::VPC"}}}`,
				}
				for k, v := range want {
					if got := a.str(k); got != v {
						t.Errorf("%s = %q, want %q", k, got, v)
					}
				}
				return answer{body: createdSet()}
			},
			"DescribeChangeSet": always(describeSet("CREATE_COMPLETE", "", "")),
		})
		in := input()
		in.New = true
		got, err := c.Port(t.Context()).createChangeSet(t.Context(), in, "tok")
		if diff := cmp.Diff(&apply.ChangeSet{ARN: setARN, StackID: stackARN, Changes: []apply.Announced{}}, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	})
}

func TestChangeSetSettles(t *testing.T) {
	none := "The submitted information didn't contain changes. Submit different information to create a change set."
	tests := map[string]struct {
		create   func(ask) answer
		describe func(ask) answer
		events   string
		want     apply.ChangeSet
	}{
		"nothing to change (B1)": {
			describe: always(describeSet("FAILED", none, "")),
			want:     apply.ChangeSet{ARN: setARN, StackID: stackARN, Empty: true},
		},
		"nothing to change, with a transform (B1)": {
			describe: always(describeSet("FAILED", "No updates are to be performed.", "")),
			want:     apply.ChangeSet{ARN: setARN, StackID: stackARN, Empty: true},
		},
		"another failure (B2)": {
			describe: always(describeSet("FAILED", "Parameters: [x] must have values", "")),
			want:     apply.ChangeSet{ARN: setARN, StackID: stackARN, Failed: "Parameters: [x] must have values"},
		},
		"early validation (B10)": {
			describe: always(describeSet("FAILED", "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation].", "")),
			events: `<OperationEvents><member><EventType>VALIDATION_ERROR</EventType><ValidationName>PROPERTY_VALIDATION</ValidationName><ValidationStatus>FAILED</ValidationStatus>` +
				`<ValidationStatusReason>#/CidrBlock: wrong</ValidationStatusReason><ValidationPath>/Resources/Vpc/Properties/CidrBlock</ValidationPath><ValidationFailureMode>FAIL</ValidationFailureMode></member>` +
				`<member><EventType>VALIDATION_ERROR</EventType><ValidationName>BUCKET_EMPTINESS_VALIDATION</ValidationName><ValidationStatus>FAILED</ValidationStatus>` +
				`<ValidationFailureMode>WARN</ValidationFailureMode><ValidationStatusReason>no reason of this failure</ValidationStatusReason></member></OperationEvents>`,
			want: apply.ChangeSet{ARN: setARN, StackID: stackARN, Failed: "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation].; " +
				"PROPERTY_VALIDATION at /Resources/Vpc/Properties/CidrBlock: #/CidrBlock: wrong"},
		},
		"a hook (B11)": {
			describe: always(describeSet("FAILED", "The following hook(s) failed: [My::Hook].", "")),
			events: `<OperationEvents><member><HookType>My::Hook</HookType><HookStatus>HOOK_COMPLETE_FAILED</HookStatus><HookFailureMode>FAIL</HookFailureMode>` +
				`<HookStatusReason>no public buckets</HookStatusReason><LogicalResourceId>Bucket</LogicalResourceId></member></OperationEvents>`,
			want: apply.ChangeSet{ARN: setARN, StackID: stackARN, Failed: "The following hook(s) failed: [My::Hook].; hook My::Hook (FAIL) on Bucket: no public buckets"},
		},
		"slowly, over two pages (B13)": {
			describe: func(a ask) answer {
				switch {
				case a.n < 4:
					return answer{body: describeSet("CREATE_IN_PROGRESS", "", "")}
				case a.str("NextToken") == "p2":
					return answer{body: describeSet("CREATE_COMPLETE", "", "<Changes>"+change("B", "Conditional", detail("Dynamic", "<Attribute>Properties</Attribute><Name>Y</Name>"))+"</Changes>")}
				}
				return answer{body: describeSet("CREATE_COMPLETE", "", "<NextToken>p2</NextToken><Changes>"+change("A", "False",
					detail("Static", "<Attribute>Properties</Attribute><Name>Tags</Name><Path>/Properties/Tags/0/Value</Path>")+
						detail("Dynamic", "<Attribute>Tags</Attribute>"))+"</Changes>")}
			},
			want: apply.ChangeSet{ARN: setARN, StackID: stackARN, Changes: []apply.Announced{
				{Resource: "A", Type: "AWS::EC2::VPC", Action: "Modify", Replacement: "False", Paths: []string{"Properties.Tags[0].Value", "Tags"}},
				{Resource: "B", Type: "AWS::EC2::VPC", Action: "Modify", Replacement: "Conditional", Paths: []string{"Properties.Y"}, Dynamic: true},
			}},
		},
		"incomplete with values (B12)": {
			describe: func(a ask) answer {
				warn := "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet creation failed for resource [B]"
				a1 := change("A", "False", detail("Static", "<Attribute>Properties</Attribute><Name>Tags</Name><Path>/Properties/Tags/0/Value</Path>"))
				if a.str("IncludePropertyValues") == "true" {
					return answer{body: describeSet("CREATE_COMPLETE", warn, "<Changes>"+a1+"</Changes>")}
				}
				return answer{body: describeSet("CREATE_COMPLETE", "", "<Changes>"+
					change("A", "False", detail("Static", "<Attribute>Properties</Attribute><Name>Tags</Name>"))+
					change("B", "True", detail("Static", "<Attribute>Properties</Attribute><Name>CidrBlock</Name>"))+"</Changes>")}
			},
			want: apply.ChangeSet{ARN: setARN, StackID: stackARN, Changes: []apply.Announced{
				{Resource: "A", Type: "AWS::EC2::VPC", Action: "Modify", Replacement: "False", Paths: []string{"Properties.Tags[0].Value"}},
				{Resource: "B", Type: "AWS::EC2::VPC", Action: "Modify", Replacement: "True", Paths: []string{"Properties.CidrBlock"}},
			}},
		},
		"ours from a lost answer (B7)": {
			create:   func(ask) answer { return refuse("AlreadyExistsException", "ChangeSet rc-1 already exists") },
			describe: always(describeSet("CREATE_COMPLETE", "", "")),
			want:     apply.ChangeSet{ARN: setARN, StackID: stackARN, Changes: []apply.Announced{}},
		},
		"the old one is being deleted (B6)": {
			create: func(a ask) answer {
				if a.n < 3 {
					return refuse("AlreadyExistsException", "ChangeSet rc-1 cannot be created due to a mismatch with existing attribute Template")
				}
				return answer{body: createdSet()}
			},
			describe: func(a ask) answer {
				if a.str("StackName") != "" {
					return answer{body: describeSet("DELETE_IN_PROGRESS", "", "")}
				}
				return answer{body: describeSet("CREATE_COMPLETE", "", "")}
			},
			want: apply.ChangeSet{ARN: setARN, StackID: stackARN, Changes: []apply.Announced{}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if tt.create == nil {
					tt.create = always(createdSet())
				}
				c, _ := open(t, map[string]func(ask) answer{
					"CreateChangeSet": tt.create, "DescribeChangeSet": tt.describe,
					"DescribeEvents": always(query("DescribeEvents", tt.events)),
				})
				got, err := c.Port(t.Context()).createChangeSet(t.Context(), input(), "tok")
				if diff := cmp.Diff(&tt.want, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
			})
		})
	}
}

func TestChangeSetRefused(t *testing.T) {
	taken := func(text string) func(ask) answer {
		return func(ask) answer { return refuse("AlreadyExistsException", text) }
	}
	tests := map[string]struct {
		create   func(ask) answer
		describe func(ask) answer
		kind     apply.FailureKind
	}{
		"the name has another template (B5)": {
			taken("ChangeSet rc-1 cannot be created due to a mismatch with existing attribute Template"),
			always(describeSet("CREATE_COMPLETE", "", "")), apply.FailureConflict},
		"the name is somebody else's": {
			taken("ChangeSet rc-1 already exists"),
			always(strings.ReplaceAll(describeSet("CREATE_COMPLETE", "", ""), "by reconcile", "by hand")), apply.FailureConflict},
		"the stack exists (C3)": {
			taken("Stack [bp-network] already exists"),
			func(ask) answer {
				return answer{status: 404, body: refuse("ChangeSetNotFound", "ChangeSet [rc-1] does not exist").body}
			}, apply.FailureConflict},
		"the stack is busy (A14)": {
			func(ask) answer {
				return refuse("ValidationError", "Stack:"+stackARN+" is in UPDATE_IN_PROGRESS state and can not be updated.")
			}, nil, apply.FailureBusy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := open(t, map[string]func(ask) answer{"CreateChangeSet": tt.create, "DescribeChangeSet": tt.describe})
				_, err := c.Port(t.Context()).createChangeSet(t.Context(), input(), "tok")
				if f := c.failure("x", err); f.Kind != tt.kind {
					t.Errorf("kind %q, want %q: %v", f.Kind, tt.kind, err)
				}
			})
		})
	}
}

func TestTemplateTooLargeIsNotSent(t *testing.T) {
	c, w := open(t, nil)
	in := input()
	in.Template.Description = strings.Repeat("x", 60_000)
	_, err := c.Port(t.Context()).createChangeSet(t.Context(), in, "tok")
	if err == nil || !strings.Contains(err.Error(), "bp-network has 60") || len(w.calls) != 0 {
		t.Errorf("err %v, calls %v", err, w.calls)
	}
}

// B8: the answer to execute is lost, the SDK asks again and is told that the
// change set cannot be executed now. The token in the events decides.
func TestExecuteAfterALostAnswer(t *testing.T) {
	for token, wantErr := range map[string]bool{"ours": false, "theirs": true} {
		t.Run(token, func(t *testing.T) {
			c, _ := open(t, map[string]func(ask) answer{
				"ExecuteChangeSet": func(ask) answer {
					return refuse("InvalidChangeSetStatus", "ChangeSet ["+setARN+"] cannot be executed in its current execution status of [EXECUTE_IN_PROGRESS]")
				},
				"DescribeStackEvents": always(query("DescribeStackEvents", "<StackEvents><member><StackId>"+stackARN+"</StackId><EventId>1</EventId><StackName>bp-network</StackName><Timestamp>2026-11-23T10:00:00Z</Timestamp><ClientRequestToken>"+token+"</ClientRequestToken></member></StackEvents>")),
			})
			err := c.executeChangeSet(t.Context(), setARN, stackARN, "ours")
			if (err != nil) != wantErr {
				t.Errorf("err %v", err)
			}
		})
	}
}

func TestDeleteOfAGoneChangeSet(t *testing.T) {
	c, _ := open(t, map[string]func(ask) answer{"DeleteChangeSet": func(ask) answer {
		return answer{status: 404, body: refuse("ChangeSetNotFound", "ChangeSet does not exist").body}
	}})
	if err := c.deleteChangeSet(t.Context(), setARN); err != nil {
		t.Error(err)
	}
}
