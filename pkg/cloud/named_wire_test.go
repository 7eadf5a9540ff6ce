package cloud

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
)

// A bucket's name may be taken where nothing of it can be seen: that is an
// answer and no failure. Anything else that is refused is one.
func TestBucketOfSomebodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		want   plan.LiveNamed
		fails  bool
	}{
		"none":            {404, plan.LiveNamed{}, false},
		"another account": {403, plan.LiveNamed{Exists: true, ID: "media", Elsewhere: "another account, or access to it is denied"}, false},
		"another region":  {301, plan.LiveNamed{Exists: true, ID: "media", Elsewhere: "another region"}, false},
		"a bad request":   {400, plan.LiveNamed{}, true}, // an expired token, a throttle: nothing about the bucket
		"not found out":   {405, plan.LiveNamed{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, w := open(t, map[string]func(ask) answer{"HEAD /media": func(a ask) answer {
					if got := a.header.Get("X-Amz-Expected-Bucket-Owner"); got != account {
						t.Errorf("expected owner %q", got)
					}
					return answer{status: c.status}
				}})
				got, err := newReader(cloud, account, plan.Desired{}).bucketNamed(t.Context(), "media")
				if (err != nil) != c.fails {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); err == nil && diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if n := w.count("GET /media"); n != 0 {
					t.Errorf("%d more requests", n)
				}
			})
		})
	}
}

// Whose a resource is: AWS says so in an error, or lists the stack, also one
// that was deleted and kept it.
func TestHolder(t *testing.T) {
	listed := func(id, status string) answer {
		return answer{body: query("DescribeStackResources", fmt.Sprintf(`<StackResources><member><StackName>bp-data</StackName><StackId>arn:1</StackId><LogicalResourceId>A</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType><ResourceStatus>%s</ResourceStatus></member></StackResources>`, id, status))}
	}
	for name, c := range map[string]struct {
		answer answer
		want   string
		fails  bool
	}{
		"none":                     {refuse("ValidationError", "Stack for media does not exist"), "", false},
		"a stack":                  {listed("media", "UPDATE_COMPLETE"), "bp-data", false},
		"kept by a stack":          {listed("media", "DELETE_SKIPPED"), "", false},
		"still being deleted":      {listed("media", "DELETE_IN_PROGRESS"), "bp-data", false},
		"could not be deleted":     {listed("media", "DELETE_FAILED"), "bp-data", false},
		"beyond the first hundred": {listed("other", "CREATE_COMPLETE"), "bp-data", false},
		"another validation error": {refuse("ValidationError", "1 validation error detected"), "", true},
		"not allowed to ask":       {refuse("AccessDenied", "no"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, _ := open(t, map[string]func(ask) answer{"DescribeStackResources": func(ask) answer { return c.answer }})
				got, err := cloud.holder(t.Context(), "media")
				if (err != nil) != c.fails || got != c.want {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}
