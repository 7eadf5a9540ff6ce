package cloud

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reconcile/pkg/apply"
)

// When the run ends, everything open is answered at once and nothing leaks.
func TestPortEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := history{begin: time.Now(), status: []at{{0, "UPDATE_IN_PROGRESS"}}, events: []at{{0, "T bp-network - UPDATE_IN_PROGRESS"}}}
		c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": h.describe, "DescribeStackEvents": h.page,
			"DeleteStack": func(ask) answer { return refuse("Throttling", "Rate exceeded") }})
		ctx, cancel := context.WithCancel(t.Context())
		p := c.Port(ctx)
		defer p.Close()
		p.Submit(apply.Request{ID: 1, Op: apply.OpWatchStack, Stack: stackARN, Token: "T"})
		for i := range 40 { // more than there are workers
			p.Submit(apply.Request{ID: apply.RequestID(i + 2), Op: apply.OpDeleteStack, Stack: stackARN})
		}
		time.Sleep(20 * time.Second)
		ended := time.Now()
		cancel()
		open := 41
		for open > 0 {
			r, err := p.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Done {
				open--
				if r.Err == nil || r.Err.Kind != apply.FailureCanceled {
					t.Fatalf("%+v", r)
				}
			}
		}
		if d := time.Since(ended); d > 0 {
			t.Errorf("it took %v", d)
		}
		if _, err := p.Next(ctx); err == nil {
			t.Error("Next answers after its context ended")
		}
	})
}

// Many watched stacks share the pages of one listing: 40 stacks that take ten
// minutes are not described 40 times a poll.
func TestManyWatchesShareAListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		begin := time.Now()
		arn := func(i int) string {
			return fmt.Sprintf("arn:aws:cloudformation:us-east-1:123456789012:stack/s%02d/id", i)
		}
		status := func() string {
			if time.Since(begin) < 10*time.Minute {
				return "UPDATE_IN_PROGRESS"
			}
			return "UPDATE_COMPLETE"
		}
		event := func(id, status, arn string) string {
			return `<member><EventId>` + id + `</EventId><StackId>` + arn + `</StackId><StackName>s</StackName><ClientRequestToken>T</ClientRequestToken><LogicalResourceId>s</LogicalResourceId><PhysicalResourceId>` + arn + `</PhysicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>` + status + `</ResourceStatus><Timestamp>2026-11-23T10:00:00Z</Timestamp></member>`
		}
		c, w := open(t, map[string]func(ask) answer{
			"ListStacks": func(ask) answer {
				var b strings.Builder
				for i := range n {
					b.WriteString(stackXML(fmt.Sprintf("s%02d", i), arn(i), status(), ""))
				}
				return answer{body: query("ListStacks", "<StackSummaries>"+b.String()+"</StackSummaries>")}
			},
			"DescribeStacks": func(a ask) answer {
				return answer{body: query("DescribeStacks", "<Stacks>"+stackXML("s", a.str("StackName"), status(), "")+"</Stacks>")}
			},
			"DescribeStackEvents": func(a ask) answer {
				events := event("1", "UPDATE_IN_PROGRESS", a.str("StackName"))
				if status() == "UPDATE_COMPLETE" {
					events = event("2", "UPDATE_COMPLETE", a.str("StackName")) + events
				}
				return answer{body: query("DescribeStackEvents", "<StackEvents>"+events+"</StackEvents>")}
			},
		})
		p := c.Port(t.Context())
		defer p.Close()
		for i := range n {
			p.Submit(apply.Request{ID: apply.RequestID(i + 1), Op: apply.OpWatchStack, Stack: arn(i), Token: "T"})
		}
		for done := 0; done < n; {
			r, err := p.Next(t.Context())
			if err != nil || r.Err != nil {
				t.Fatal(err, r.Err)
			}
			if r.Done {
				done++
			}
		}
		if got := w.count("DescribeStacks"); got != n {
			t.Errorf("DescribeStacks was called %d times, want once for each of %d stacks", got, n)
		}
		if got := w.count("DescribeStackEvents"); got > n*30 {
			t.Errorf("events were read %d times, more than every 20 s for each of %d stacks", got, n)
		}
		if d := time.Since(begin) - 10*time.Minute; d > 30*time.Second {
			t.Errorf("the end was seen %v late", d)
		}
	})
}
