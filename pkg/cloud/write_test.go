package cloud

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// carry sends one request through a port and returns its one response.
func carry(t *testing.T, c *Cloud, r apply.Request) apply.Response {
	t.Helper()
	p := c.Port(t.Context())
	defer p.Close()
	r.ID, r.Step = 7, "step"
	p.Submit(r)
	got, err := p.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != 7 || got.Step != "step" || got.Op != r.Op || !got.Done {
		t.Fatalf("%+v answers %+v", got, r)
	}
	return got
}

func TestPutParameter(t *testing.T) {
	var sent map[string]any
	store := func(body string) func(ask) answer {
		return func(a ask) answer { sent = a.json; return answer{body: body} }
	}
	tests := map[string]struct {
		body plan.ParameterBody
		put  func(ask) answer
		sent map[string]any
		want apply.Response
	}{
		"a new one is tagged and never overwrites": {
			plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v", Describe: "about x", Owner: "bp"}, store(`{"Version":1}`),
			map[string]any{"Name": "/bp/x", "Type": "String", "Value": "v", "Overwrite": false, "Description": "about x",
				"Tags": []any{map[string]any{"Key": "ManagedBy", "Value": "reconcile"}, map[string]any{"Key": "reconcile:owner", "Value": "bp"}}},
			apply.Response{Parameter: &plan.LiveParameter{Type: "String", DataType: "text", Value: "v", Version: 1}},
		},
		"an existing one": {
			plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v", Version: 4}, store(`{"Version":5}`),
			map[string]any{"Name": "/bp/x", "Type": "String", "Value": "v", "Overwrite": true},
			apply.Response{Parameter: &plan.LiveParameter{Type: "String", DataType: "text", Value: "v", Version: 5}},
		},
		"somebody wrote in between (E5)": {
			plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v", Version: 4}, store(`{"Version":6}`),
			map[string]any{"Name": "/bp/x", "Type": "String", "Value": "v", "Overwrite": true},
			apply.Response{Err: &apply.Failure{Kind: apply.FailureConflict,
				Message: "write parameter /bp/x: it became version 6, not 5: somebody else wrote it at the same time"}},
		},
		"it exists already (E1)": {
			plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v"},
			func(a ask) answer { sent = a.json; return refuseJSON("ParameterAlreadyExists", "it exists") },
			map[string]any{"Name": "/bp/x", "Type": "String", "Value": "v", "Overwrite": false,
				"Tags": []any{map[string]any{"Key": "ManagedBy", "Value": "reconcile"}}},
			apply.Response{Err: &apply.Failure{Kind: apply.FailureConflict, Code: "ParameterAlreadyExists", Message: "write parameter /bp/x: it exists"}},
		},
		"a value that is not known": {
			plan.ParameterBody{Name: "/bp/x", Type: "String", Value: map[string]any{"Reconcile::Ref": "parameter y"}}, nil, nil,
			apply.Response{Err: &apply.Failure{Message: "put-parameter /bp/x: parameter /bp/x: its value is not known yet"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sent = nil
			c, _ := open(t, map[string]func(ask) answer{"PutParameter": tt.put})
			got := carry(t, c, apply.Request{Op: apply.OpPutParameter, Parameter: &tt.body})
			tt.want.ID, tt.want.Step, tt.want.Op, tt.want.Done = 7, "step", apply.OpPutParameter, true
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.sent, sent); diff != "" {
				t.Errorf("sent (-want +got)\n%s", diff)
			}
		})
	}
}

// A generated value is long, new each time, in no answer and in no error.
func TestGeneratedParameterStaysSecret(t *testing.T) {
	var values []string
	c, _ := open(t, map[string]func(ask) answer{"PutParameter": func(a ask) answer {
		values = append(values, a.str("Value"))
		if a.n == 2 {
			return refuseJSON("ValidationException", "Value '"+a.str("Value")+"' is not to my liking")
		}
		return answer{body: `{"Version":1}`}
	}})
	body := plan.ParameterBody{Name: "/bp/fleets/staging/fleet-secret", Type: "SecureString", Generate: "hex48"}
	first := carry(t, c, apply.Request{Op: apply.OpPutParameter, Parameter: &body})
	second := carry(t, c, apply.Request{Op: apply.OpPutParameter, Parameter: &body})
	if b, err := hex.DecodeString(values[0]); err != nil || len(b) != 48 || values[0] == values[1] {
		t.Errorf("values have %d bytes, %v", len(b), err)
	}
	if diff := cmp.Diff(&plan.LiveParameter{Type: "SecureString", DataType: "text", Version: 1}, first.Parameter); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want := "write parameter /bp/fleets/staging/fleet-secret: Value '***' is not to my liking"; second.Err == nil || second.Err.Message != want {
		t.Errorf("got %v, want %s", second.Err, want)
	}
	if text := fmt.Sprintf("%+v %+v", first, second); strings.Contains(text, values[0]) || strings.Contains(text, values[1]) {
		t.Error("a response holds a generated value")
	}
}

// E10: AWS answers 200 for an image that does not exist and stores nothing.
func TestImageParameterIsLookedAt(t *testing.T) {
	body := plan.ParameterBody{Name: "/bp/ami", Type: "String", DataType: "aws:ec2:image", Value: "ami-1", Version: 2}
	for name, tt := range map[string]struct {
		from  int // the look at which the version is there
		after int // that version
		want  string
	}{
		"accepted late": {4, 3, ""},
		"somebody else": {2, 4, "write parameter /bp/ami: it is at version 4 and holds ami-2, not version 3 with ami-1: somebody else wrote it at the same time"},
		"never":         {1000, 3, "write parameter /bp/ami: AWS did not store version 3: ami-1 is not an image that this account can use"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := open(t, map[string]func(ask) answer{
					"PutParameter": always(`{"Version":3}`),
					"GetParameter": func(a ask) answer {
						version := 2
						if a.n >= tt.from {
							version = tt.after
						}
						return answer{body: fmt.Sprintf(`{"Parameter":{"Name":"/bp/ami","Type":"String","DataType":"aws:ec2:image","Value":"ami-%d","Version":%d}}`, version-2, version)}
					},
				})
				got := carry(t, c, apply.Request{Op: apply.OpPutParameter, Parameter: &body})
				message := ""
				if got.Err != nil {
					message = got.Err.Message
				}
				if message != tt.want || tt.want == "" && (got.Parameter == nil || got.Parameter.Version != 3) {
					t.Errorf("got %q and %+v", message, got.Parameter)
				}
			})
		})
	}
}

func TestOnlyWhatWeCreatedIsDeleted(t *testing.T) {
	ours := `{"TagList":[{"Key":"ManagedBy","Value":"reconcile"}]}`
	for name, tt := range map[string]struct {
		tags    answer
		deletes int
		kind    apply.FailureKind
	}{
		"ours":           {answer{body: ours}, 1, ""},
		"the backend's":  {answer{body: `{"TagList":[]}`}, 0, apply.FailureConflict},
		"gone":           {refuseJSON("InvalidResourceId", "no such parameter"), 0, ""},
		"not to be told": {refuseJSON("AccessDeniedException", "no"), 0, apply.FailureDenied},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{
				"ListTagsForResource": func(ask) answer { return tt.tags },
				"DeleteParameter":     always(`{}`),
			})
			got := carry(t, c, apply.Request{Op: apply.OpDeleteParameter, Name: "/bp/x"})
			if n := w.count("DeleteParameter"); n != tt.deletes {
				t.Errorf("%d deletes, want %d", n, tt.deletes)
			}
			if (got.Err == nil) != (tt.kind == "") || got.Err != nil && got.Err.Kind != tt.kind {
				t.Errorf("err %v", got.Err)
			}
		})
	}
}

func TestPutSecret(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:/bp/laravel/app-key-AbCdEf"
	absent := refuseJSON("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	empty := answer{body: `{"ARN":"` + arn + `"}`}
	set := answer{body: `{"ARN":"` + arn + `","VersionIdsToStages":{"v1":["AWSCURRENT"]}}`}
	deleting := answer{body: `{"ARN":"` + arn + `","DeletedDate":1700000000}`}
	laravel := regexp.MustCompile(`^base64:[A-Za-z0-9+/]{43}=$`)
	for name, tt := range map[string]struct {
		before answer
		put    answer
		writes int
		kind   apply.FailureKind
		err    bool
	}{
		"without a value":              {empty, answer{body: `{}`}, 1, "", false},
		"written by an earlier run":    {empty, refuseJSON("ResourceExistsException", "You can't use ClientRequestToken … because that value is already in use"), 1, "", false},
		"with a value, which is kept":  {set, answer{}, 0, apply.FailureConflict, true},
		"scheduled for deletion (C12)": {deleting, answer{}, 0, apply.FailureConflict, true},
		"absent":                       {absent, answer{}, 0, apply.FailureAbsent, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{
				"DescribeSecret": func(a ask) answer {
					if a.n > 1 {
						return set
					}
					return tt.before
				},
				"PutSecretValue": func(a ask) answer {
					if a.str("SecretId") != arn || !laravel.MatchString(a.str("SecretString")) || len(a.str("ClientRequestToken")) != 64 {
						t.Errorf("sent id %q, a value of %d characters, token %q", a.str("SecretId"), len(a.str("SecretString")), a.str("ClientRequestToken"))
					}
					return tt.put
				},
			})
			got := carry(t, c, apply.Request{Op: apply.OpPutSecret, Token: "tok", Secret: &plan.SecretBody{Name: "/bp/laravel/app-key", Generate: "laravel-key"}})
			if n := w.count("PutSecretValue"); n != tt.writes {
				t.Errorf("%d writes, want %d", n, tt.writes)
			}
			if (got.Err != nil) != tt.err || got.Err != nil && got.Err.Kind != tt.kind {
				t.Errorf("err %v", got.Err)
			}
			if !tt.err && (got.Secret == nil || !got.Secret.HasCurrent) {
				t.Errorf("secret %+v", got.Secret)
			}
		})
	}
}

func TestOAuthSecretHasTheNineKeys(t *testing.T) {
	text, err := generate("oauth-empty")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for k := range strings.FieldsSeq(`google_client_id google_client_secret tiktok_client_id tiktok_client_secret
		apple_client_id apple_client_secret apple_key_id apple_team_id apple_private_key_p8_b64`) {
		want[k] = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := generate("dice"); err == nil {
		t.Error("an unknown generator generates")
	}
}

func TestPutLogGroup(t *testing.T) {
	for name, tt := range map[string]struct {
		create answer
		days   int
		op     string
	}{
		"new":           {answer{body: `{}`}, 30, "PutRetentionPolicy"},
		"there already": {refuseJSON("ResourceAlreadyExistsException", "exists"), 7, "PutRetentionPolicy"},
		"never expires": {answer{body: `{}`}, 0, "DeleteRetentionPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{
				"CreateLogGroup": func(a ask) answer {
					if diff := cmp.Diff(map[string]any{"ManagedBy": "reconcile"}, a.json["tags"]); diff != "" {
						t.Errorf("tags (-want +got)\n%s", diff)
					}
					return tt.create
				},
				"PutRetentionPolicy": func(a ask) answer {
					if a.json["retentionInDays"] != float64(tt.days) {
						t.Errorf("retention %v", a.json["retentionInDays"])
					}
					return answer{body: `{}`}
				},
				"DeleteRetentionPolicy": always(`{}`),
			})
			got := carry(t, c, apply.Request{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: "/gpu-workers/x", RetentionDays: tt.days}})
			if got.Err != nil || w.count(tt.op) != 1 || got.LogGroup == nil || got.LogGroup.RetentionDays != tt.days {
				t.Errorf("%+v after %v", got, w.calls)
			}
		})
	}
}

func TestDeleteLogGroup(t *testing.T) {
	const arn = "arn:aws:logs:us-east-1:123456789012:log-group:/gpu-workers/x"
	for name, tt := range map[string]struct {
		list, tags string
		deletes    int
		err        bool
	}{
		"ours":     {`{"logGroups":[{"logGroupName":"/gpu-workers/x","arn":"` + arn + `:*"}]}`, `{"tags":{"ManagedBy":"reconcile"}}`, 1, false},
		"not ours": {`{"logGroups":[{"logGroupName":"/gpu-workers/x","arn":"` + arn + `:*"}]}`, `{"tags":{}}`, 0, true},
		"gone":     {`{"logGroups":[{"logGroupName":"/gpu-workers/x-longer","arn":"a"}]}`, `{}`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{
				"DescribeLogGroups": always(tt.list),
				"ListTagsForResource": func(a ask) answer {
					if a.str("resourceArn") != arn {
						t.Errorf("asked for %s", a.str("resourceArn"))
					}
					return answer{body: tt.tags}
				},
				"DeleteLogGroup": always(`{}`),
			})
			got := carry(t, c, apply.Request{Op: apply.OpDeleteLogGroup, Name: "/gpu-workers/x"})
			if n := w.count("DeleteLogGroup"); n != tt.deletes || (got.Err != nil) != tt.err {
				t.Errorf("%d deletes, err %v", n, got.Err)
			}
		})
	}
}

// Every operation of the port does something, and an unknown one is refused.
func TestStackOperations(t *testing.T) {
	var form map[string]string
	note := func(a ask) answer {
		form = map[string]string{}
		for k := range a.form {
			if k != "Action" && k != "Version" {
				form[k] = a.form.Get(k)
			}
		}
		return answer{body: query(a.op, "")}
	}
	for name, tt := range map[string]struct {
		request apply.Request
		op      string
		want    map[string]string
	}{
		"delete": {apply.Request{Op: apply.OpDeleteStack, Stack: stackARN, Token: "T", Retain: []string{"Vpc"}}, "DeleteStack",
			map[string]string{"StackName": stackARN, "ClientRequestToken": "T", "RetainResources.member.1": "Vpc"}},
		"continue": {apply.Request{Op: apply.OpContinueRollback, Stack: stackARN, Token: "T"}, "ContinueUpdateRollback",
			map[string]string{"StackName": stackARN, "ClientRequestToken": "T"}},
		"rollback": {apply.Request{Op: apply.OpRollbackStack, Stack: stackARN, Token: "T"}, "RollbackStack",
			map[string]string{"StackName": stackARN, "ClientRequestToken": "T", "RetainExceptOnCreate": "true"}},
		"protect": {apply.Request{Op: apply.OpSetProtection, Stack: stackARN, Protect: true}, "UpdateTerminationProtection",
			map[string]string{"StackName": stackARN, "EnableTerminationProtection": "true"}},
		"execute": {apply.Request{Op: apply.OpExecuteChangeSet, ChangeSet: setARN, Stack: stackARN, Token: "T"}, "ExecuteChangeSet",
			map[string]string{"ChangeSetName": setARN, "ClientRequestToken": "T"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := open(t, map[string]func(ask) answer{tt.op: note})
			if got := carry(t, c, tt.request); got.Err != nil {
				t.Fatal(got.Err)
			}
			if diff := cmp.Diff(tt.want, form); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	c, _ := open(t, nil)
	if got := carry(t, c, apply.Request{Op: "dance"}); got.Err == nil || got.Err.Message != "unknown operation dance" {
		t.Errorf("%+v", got.Err)
	}
}
