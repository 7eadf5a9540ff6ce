package cloud

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"reconcile/pkg/apply"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a stack with events that unfold with virtual time.
type history struct {
	begin  time.Time
	status []at
	events []at // "TYPE LOGICAL STATUS REASON" with the token in front
}

type at struct {
	after time.Duration
	text  string
}

func (h *history) now() string {
	status := ""
	for _, s := range h.status {
		if time.Since(h.begin) >= s.after {
			status = s.text
		}
	}
	return status
}

func (h *history) describe(ask) answer {
	status, reason, _ := strings.Cut(h.now(), " ")
	switch status {
	case "GONE":
		return refuse("ValidationError", "Stack with id "+stackARN+" does not exist")
	case "OTHER":
		return refuse("ValidationError", "Something else is invalid")
	}
	return answer{body: describeStacks(status, reason)}
}

// page is three events a page, the newest first.
func (h *history) page(a ask) answer {
	var members []string
	for i, e := range h.events {
		if time.Since(h.begin) < e.after {
			break
		}
		f := strings.SplitN(e.text, " ", 5) // token id physical status reason
		typ := "AWS::EC2::VPC"
		if f[1] == "bp-network" {
			typ, f[2] = typeStack, stackARN
		} else if strings.HasPrefix(f[2], "arn:") {
			typ = typeStack
		}
		members = append([]string{fmt.Sprintf(`<member><EventId>%d</EventId><StackId>%s</StackId><StackName>bp-network</StackName><ClientRequestToken>%s</ClientRequestToken><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>%s</ResourceType><ResourceStatus>%s</ResourceStatus><ResourceStatusReason>%s</ResourceStatusReason><Timestamp>%s</Timestamp></member>`,
			i, stackARN, f[0], f[1], f[2], typ, f[3], strings.Join(f[4:], ""), h.begin.Add(e.after).UTC().Format(time.RFC3339))}, members...)
	}
	start := 0
	_, _ = fmt.Sscanf(a.str("NextToken"), "p%d", &start)
	next := ""
	end := min(start+3, len(members))
	if end < len(members) {
		next = fmt.Sprintf("<NextToken>p%d</NextToken>", end)
	}
	return answer{body: query("DescribeStackEvents", "<StackEvents>"+strings.Join(members[start:end], "")+"</StackEvents>"+next)}
}

// follow watches until the end and returns all responses.
func follow(t *testing.T, c *Cloud, token string) (progress []apply.Progress, final apply.Response) {
	t.Helper()
	p := c.Port(t.Context())
	defer p.Close()
	p.Submit(apply.Request{ID: 1, Step: "stack/bp-network", Op: apply.OpWatchStack, Stack: stackARN, Token: token})
	for {
		r, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Done {
			return progress, r
		}
		progress = append(progress, *r.Progress)
	}
}

func TestWatch(t *testing.T) {
	s := time.Second
	type end struct {
		Status string
		Token  string
		Causes []apply.Cause
		Err    string
	}
	vpc := apply.Cause{Stack: "bp-network", Resource: "Vpc", Type: "AWS::EC2::VPC"}
	cause := func(c apply.Cause, status, reason string) apply.Cause {
		c.Status, c.Reason = status, reason
		return c
	}
	tests := map[string]struct {
		h      history
		token  string
		want   end
		within time.Duration // of virtual time
	}{
		"a create that works": {
			h: history{status: []at{{0, "CREATE_IN_PROGRESS"}, {30 * s, "CREATE_COMPLETE"}}, events: []at{
				{0, "T bp-network - REVIEW_IN_PROGRESS"}, {0, "T bp-network - CREATE_IN_PROGRESS"}, {2 * s, "T Vpc vpc-1 CREATE_IN_PROGRESS"},
				{29 * s, "T Vpc vpc-1 CREATE_COMPLETE"}, {30 * s, "T bp-network - CREATE_COMPLETE"}}},
			token: "T", want: end{Status: "CREATE_COMPLETE", Token: "T"}, within: 36 * s,
		},
		"a status from before the operation is no end": {
			h: history{status: []at{{0, "UPDATE_COMPLETE"}, {9 * s, "UPDATE_IN_PROGRESS"}, {20 * s, "UPDATE_COMPLETE"}}, events: []at{
				{0, "OLD bp-network - UPDATE_IN_PROGRESS"}, {0, "OLD bp-network - UPDATE_COMPLETE"},
				{10 * s, "T bp-network - UPDATE_IN_PROGRESS"}, {19 * s, "T Vpc vpc-1 UPDATE_COMPLETE"}, {20 * s, "T bp-network - UPDATE_COMPLETE"}}},
			token: "T", want: end{Status: "UPDATE_COMPLETE", Token: "T"}, within: 26 * s,
		},
		"clean-up is not the end, and what it leaves is told (A15)": {
			h: history{status: []at{{0, "UPDATE_IN_PROGRESS"}, {10 * s, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}, {20 * s, "UPDATE_COMPLETE"}}, events: []at{
				{0, "T bp-network - UPDATE_IN_PROGRESS"}, {10 * s, "T bp-network - UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"},
				{12 * s, "T Old x DELETE_FAILED once more"}, {13 * s, "T Old x DELETE_COMPLETE"},
				{14 * s, "T Vpc vpc-0 DELETE_FAILED has dependencies"}, {20 * s, "T bp-network - UPDATE_COMPLETE"}}},
			token: "T", want: end{Status: "UPDATE_COMPLETE", Token: "T", Causes: []apply.Cause{cause(vpc, "DELETE_FAILED", "has dependencies")}}, within: 26 * s,
		},
		"a create that rolls back": {
			h: history{status: []at{{0, "CREATE_IN_PROGRESS"}, {5 * s, "ROLLBACK_IN_PROGRESS"}, {9 * s, "ROLLBACK_COMPLETE"}}, events: []at{
				{0, "T bp-network - CREATE_IN_PROGRESS"}, {1 * s, "T Vpc vpc-1 CREATE_IN_PROGRESS"}, {4 * s, "T Vpc vpc-1 CREATE_FAILED VPC limit"},
				{4 * s, "T Eip e CREATE_FAILED Resource creation cancelled"},
				{5 * s, "T bp-network - ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Vpc, Eip]."},
				{8 * s, "T Vpc vpc-1 DELETE_COMPLETE"}, {9 * s, "T bp-network - ROLLBACK_COMPLETE"}}},
			token: "T", want: end{Status: "ROLLBACK_COMPLETE", Token: "T", Causes: []apply.Cause{cause(vpc, "CREATE_FAILED", "VPC limit")}}, within: 15 * s,
		},
		"a delete whose export is in use (A9)": {
			h: history{status: []at{{0, "DELETE_IN_PROGRESS"}, {3 * s, "UPDATE_COMPLETE Export e cannot be deleted as it is in use by bp-data"}}, events: []at{
				{0, "OLD bp-network - UPDATE_COMPLETE"}, {0, "T bp-network - DELETE_IN_PROGRESS"}}},
			token: "T", want: end{Status: "UPDATE_COMPLETE", Token: "T", Causes: []apply.Cause{{Stack: "bp-network", Resource: "bp-network", Type: typeStack,
				Status: "UPDATE_COMPLETE", Reason: "Export e cannot be deleted as it is in use by bp-data"}}}, within: 22 * s,
		},
		"a delete that ends by id": {
			h: history{status: []at{{0, "DELETE_IN_PROGRESS"}, {8 * s, "DELETE_COMPLETE"}}, events: []at{
				{0, "T bp-network - DELETE_IN_PROGRESS"}, {8 * s, "T bp-network - DELETE_COMPLETE"}}},
			token: "T", want: end{Status: "DELETE_COMPLETE", Token: "T"}, within: 14 * s,
		},
		"another validation error is not the end of a delete (A17)": {
			h: history{status: []at{{0, "OTHER"}, {2 * s, "DELETE_IN_PROGRESS"}, {6 * s, "OTHER"}, {8 * s, "DELETE_COMPLETE"}}, events: []at{
				{0, "T bp-network - DELETE_IN_PROGRESS"}, {8 * s, "T bp-network - DELETE_COMPLETE"}}},
			token: "T", want: end{Status: "DELETE_COMPLETE", Token: "T"}, within: 14 * s,
		},
		"a stack that vanishes (A16)": {
			h:     history{status: []at{{0, "DELETE_IN_PROGRESS"}, {3 * s, "GONE"}}, events: []at{{0, "T bp-network - DELETE_IN_PROGRESS"}}},
			token: "T", want: end{Token: "T"}, within: 9 * s,
		},
		"a definite error that stays": {
			h: history{status: []at{{0, "OTHER"}}}, token: "T",
			want: end{Err: "ValidationError: describe stack " + stackARN + ": Something else is invalid"}, within: 30 * s,
		},
		"an operation that never shows": {
			h:     history{status: []at{{0, "CREATE_COMPLETE"}}, events: []at{{0, "OLD bp-network - CREATE_IN_PROGRESS"}, {0, "OLD bp-network - CREATE_COMPLETE"}}},
			token: "T", want: end{Status: "CREATE_COMPLETE", Err: "stack bp-network: the operation that was accepted never showed in its events; it is CREATE_COMPLETE"}, within: 70 * s,
		},
		"somebody else's operation without a token": {
			h: history{status: []at{{0, "UPDATE_IN_PROGRESS"}, {6 * s, "UPDATE_ROLLBACK_COMPLETE"}}, events: []at{
				{0, " bp-network - UPDATE_IN_PROGRESS User"}, {2 * s, " Vpc vpc-1 UPDATE_FAILED no"}, {6 * s, " bp-network - UPDATE_ROLLBACK_COMPLETE"}}},
			want: end{Status: "UPDATE_ROLLBACK_COMPLETE", Causes: []apply.Cause{cause(vpc, "UPDATE_FAILED", "no")}}, within: 12 * s,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.h.begin = time.Now()
				c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": tt.h.describe, "DescribeStackEvents": tt.h.page})
				_, r := follow(t, c, tt.token)
				got := end{Token: r.Token, Causes: r.Causes}
				if r.Stack != nil {
					got.Status = r.Stack.Status
				}
				if r.Err != nil {
					got.Err = r.Err.Error()
				}
				if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if d := time.Since(tt.h.begin); d > tt.within {
					t.Errorf("it took %v, more than %v", d, tt.within)
				}
			})
		})
	}
}

func TestWatchTellsWhatHappens(t *testing.T) {
	s := time.Second
	synctest.Test(t, func(t *testing.T) {
		h := history{begin: time.Now(), status: []at{{0, "CREATE_IN_PROGRESS"}, {60 * s, "ROLLBACK_COMPLETE"}}, events: []at{
			{0, "T bp-network - CREATE_IN_PROGRESS"}, {0, "T A a CREATE_IN_PROGRESS"},
			{20 * s, "T A a CREATE_COMPLETE"}, {20 * s, "T B b CREATE_IN_PROGRESS Resource creation Initiated"},
			{40 * s, "T B b CREATE_FAILED no room"}, {40 * s, "T C c CREATE_IN_PROGRESS"}, {60 * s, "T bp-network - ROLLBACK_COMPLETE"}}}
		c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": h.describe, "DescribeStackEvents": h.page})
		got, _ := follow(t, c, "T")
		p := func(status, id, state, reason string, done int) apply.Progress {
			return apply.Progress{Stack: "bp-network", Status: status, Resource: id, Type: "AWS::EC2::VPC", State: state, Reason: reason, Done: done}
		}
		want := []apply.Progress{
			p("CREATE_IN_PROGRESS", "A", "CREATE_IN_PROGRESS", "", 0),
			p("CREATE_IN_PROGRESS", "B", "CREATE_IN_PROGRESS", "Resource creation Initiated", 1),
			p("CREATE_IN_PROGRESS", "B", "CREATE_FAILED", "no room", 2),
			p("CREATE_IN_PROGRESS", "C", "CREATE_IN_PROGRESS", "", 2),
			{Stack: "bp-network", Status: "ROLLBACK_COMPLETE", Done: 2},
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(apply.Progress{}, "At")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// A19: the nested stack's own failure comes before its parent's summary.
func TestCausesOfANestedStack(t *testing.T) {
	nested := "arn:aws:cloudformation:us-east-1:123456789012:stack/bp-network-inner/2"
	s := time.Second
	synctest.Test(t, func(t *testing.T) {
		h := history{begin: time.Now(), status: []at{{0, "ROLLBACK_COMPLETE"}}, events: []at{
			{0, "T bp-network - CREATE_IN_PROGRESS"}, {s, "T Inner " + nested + " CREATE_FAILED Embedded stack was not successfully created"},
			{s, "T bp-network - ROLLBACK_COMPLETE"}}}
		inner := query("DescribeStackEvents", `<StackEvents>`+
			`<member><EventId>2</EventId><StackId>`+nested+`</StackId><StackName>bp-network-inner</StackName><LogicalResourceId>Queue</LogicalResourceId><PhysicalResourceId>q</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType><ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>bad name</ResourceStatusReason><Timestamp>2026-11-23T10:00:00Z</Timestamp></member>`+
			`<member><EventId>1</EventId><StackId>`+nested+`</StackId><StackName>bp-network-inner</StackName><LogicalResourceId>bp-network-inner</LogicalResourceId><PhysicalResourceId>`+nested+`</PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus><Timestamp>2026-11-23T10:00:00Z</Timestamp></member></StackEvents>`)
		c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": h.describe, "DescribeStackEvents": func(a ask) answer {
			if a.str("StackName") == nested {
				return answer{body: inner}
			}
			return h.page(a)
		}})
		_, r := follow(t, c, "T")
		want := []apply.Cause{
			{Stack: "bp-network-inner", Resource: "Queue", Type: "AWS::SQS::Queue", Status: "CREATE_FAILED", Reason: "bad name"},
			{Stack: "bp-network", Resource: "Inner", Type: typeStack, Status: "CREATE_FAILED", Reason: "Embedded stack was not successfully created"},
		}
		if diff := cmp.Diff(want, r.Causes); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// D2: a network that is down for minutes fails no watch.
func TestWatchOutlivesTrouble(t *testing.T) {
	s := time.Second
	synctest.Test(t, func(t *testing.T) {
		h := history{begin: time.Now(), status: []at{{0, "UPDATE_IN_PROGRESS"}, {500 * s, "UPDATE_COMPLETE"}}, events: []at{
			{0, "T bp-network - UPDATE_IN_PROGRESS"}, {500 * s, "T bp-network - UPDATE_COMPLETE"}}}
		trouble := func(next func(ask) answer) func(ask) answer {
			return func(a ask) answer {
				switch d := time.Since(h.begin); {
				case d > 20*s && d < 200*s:
					return answer{err: syscall.ECONNRESET}
				case d > 200*s && d < 400*s:
					return answer{status: 503, body: "<html/>"}
				case d > 400*s && d < 450*s:
					return refuse("Throttling", "Rate exceeded")
				}
				return next(a)
			}
		}
		c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": trouble(h.describe), "DescribeStackEvents": trouble(h.page)})
		_, r := follow(t, c, "T")
		if r.Err != nil || r.Stack == nil || r.Stack.Status != "UPDATE_COMPLETE" {
			t.Errorf("%+v", r)
		}
	})
}

// While an operation does not show yet, a long history is not read to its end
// with every poll.
func TestWatchDoesNotReadOldHistory(t *testing.T) {
	s := time.Second
	synctest.Test(t, func(t *testing.T) {
		h := history{begin: time.Now(), status: []at{{0, "UPDATE_COMPLETE"}, {10 * s, "UPDATE_IN_PROGRESS"}, {12 * s, "UPDATE_COMPLETE"}}}
		for i := range 60 {
			h.events = append(h.events, at{0, fmt.Sprintf("OLD%d bp-network - UPDATE_IN_PROGRESS", i)}, at{0, fmt.Sprintf("OLD%d bp-network - UPDATE_COMPLETE", i)})
		}
		h.events = append(h.events, at{10 * s, "T bp-network - UPDATE_IN_PROGRESS"}, at{12 * s, "T bp-network - UPDATE_COMPLETE"})
		c, w := open(t, map[string]func(ask) answer{"DescribeStacks": h.describe, "DescribeStackEvents": h.page})
		if _, r := follow(t, c, "T"); r.Err != nil || r.Token != "T" {
			t.Errorf("%+v", r)
		}
		polls, pages := w.count("DescribeStacks"), w.count("DescribeStackEvents")
		if pages > polls*4 {
			t.Errorf("%d polls read %d pages of events", polls, pages)
		}
	})
}

// An endpoint whose events carry no tokens (moto) is believed when its good
// status stands; a history that has tokens is never taken for such a one.
func TestWatchWithoutTokens(t *testing.T) {
	s := time.Second
	for name, tt := range map[string]struct {
		events []at
		status []at
		want   string
		after  time.Duration
	}{
		"no tokens at all": {
			[]at{{0, " bp-network - CREATE_IN_PROGRESS"}, {0, " bp-network - CREATE_COMPLETE"}},
			[]at{{0, "CREATE_COMPLETE"}}, "CREATE_COMPLETE", 3 * s},
		"a stale status first": {
			[]at{{0, " bp-network - CREATE_IN_PROGRESS"}, {0, " bp-network - CREATE_COMPLETE"}},
			[]at{{0, "CREATE_COMPLETE"}, {2 * s, "UPDATE_IN_PROGRESS"}, {30 * s, "UPDATE_COMPLETE"}}, "UPDATE_COMPLETE", 33 * s},
		"others without tokens, but created with one": {
			[]at{{0, "OLD bp-network - CREATE_IN_PROGRESS"}, {0, "OLD bp-network - CREATE_COMPLETE"}, {0, " bp-network - UPDATE_IN_PROGRESS"}, {0, " bp-network - UPDATE_COMPLETE"},
				{20 * s, "T bp-network - UPDATE_IN_PROGRESS"}, {30 * s, "T bp-network - UPDATE_COMPLETE"}},
			[]at{{0, "UPDATE_COMPLETE"}, {20 * s, "UPDATE_IN_PROGRESS"}, {30 * s, "UPDATE_COMPLETE"}}, "UPDATE_COMPLETE", 30 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := history{begin: time.Now(), status: tt.status, events: tt.events}
				c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": h.describe, "DescribeStackEvents": h.page})
				_, r := follow(t, c, "T")
				if r.Err != nil || r.Stack == nil || r.Stack.Status != tt.want || time.Since(h.begin) < tt.after {
					t.Errorf("after %v: %+v", time.Since(h.begin), r)
				}
			})
		})
	}
}
