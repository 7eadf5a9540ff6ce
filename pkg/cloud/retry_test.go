package cloud

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func TestThrottlingNeverFailsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := open(t, map[string]func(ask) answer{"DescribeStacks": func(a ask) answer {
			if a.n <= 60 {
				return refuse("Throttling", "Rate exceeded")
			}
			return answer{body: describeStacks("CREATE_COMPLETE", "")}
		}})
		s, err := c.describeStack(t.Context(), "bp-network")
		if err != nil || s == nil || s.Status != "CREATE_COMPLETE" {
			t.Fatalf("stack %+v, err %v", s, err)
		}
		for i := 1; i < len(w.times); i++ {
			if d := w.times[i].Sub(w.times[i-1]); d >= 15*time.Second {
				t.Errorf("delay %d is %v", i, d)
			}
		}
		want := CallCount{Service: "CloudFormation", Operation: "DescribeStacks", Calls: 61, Throttled: 60}
		if got := c.Stats(); len(got) != 1 || got[0] != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

func TestConcurrentRequestsBackOffTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// An account that allows three calls a second, whatever the client believes.
		var second time.Time
		var used int
		c, w := open(t, nil)
		w.handlers = map[string]func(ask) answer{"DescribeStacks": func(ask) answer {
			w.mu.Lock()
			defer w.mu.Unlock()
			if now := time.Now().Truncate(time.Second); now != second {
				second, used = now, 0
			}
			if used++; used > 3 {
				return refuse("Throttling", "Rate exceeded")
			}
			return answer{body: describeStacks("CREATE_COMPLETE", "")}
		}}
		errs := make(chan error, 200)
		for range cap(errs) {
			go func() {
				_, err := c.describeStack(context.Background(), "bp-network")
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		n := c.Stats()[0]
		t.Logf("%d of %d calls were throttled", n.Throttled, n.Calls)
		if n.Throttled*3 > n.Calls {
			t.Errorf("%d of %d calls were throttled: the budget does not slow down", n.Throttled, n.Calls)
		}
	})
}

// A failure that may pass is asked again a bounded number of times, and
// AWS_NEW_RETRIES_2026 and AWS_MAX_ATTEMPTS change nothing about it (D4, D5).
func TestTransientFailuresAreBounded(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"plain":       {},
		"new retries": {"AWS_NEW_RETRIES_2026": "true", "AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "adaptive"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			t.Setenv("AWS_CA_BUNDLE", "") // it needs a client of its own
			t.Setenv("AWS_ACCESS_KEY_ID", "x")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
			synctest.Test(t, func(t *testing.T) {
				c, w := open(t, map[string]func(ask) answer{
					"DescribeStacks": func(ask) answer { return answer{status: 503, body: "<html>busy</html>"} },
				}, func(o *Options) { o.StaticCredentials = false })
				begin := time.Now()
				_, err := c.describeStack(t.Context(), "bp-network")
				if err == nil {
					t.Fatal("no error")
				}
				if n := w.count("DescribeStacks"); n != maxTransient {
					t.Errorf("%d requests, want %d", n, maxTransient)
				}
				if d := time.Since(begin); d < 5*time.Second || d > 90*time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

func TestWhatIsNotAskedAgain(t *testing.T) {
	in := &apply.ChangeSetInput{Name: "rc-1", StackName: "bp-network", Template: cfn.Template{}}
	body := &plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v", Version: 3}
	tests := map[string]struct {
		op     string
		answer answer
		call   func(context.Context, *Cloud) error
	}{
		"a quota is no throttle (C4)": {"CreateChangeSet", refuse("LimitExceededException", "quota"),
			func(ctx context.Context, c *Cloud) error {
				_, err := c.Port(ctx).createChangeSet(ctx, in, "t")
				return err
			}},
		"an unknown code (D22)": {"DescribeStacks", refuse("Wobble", "what"),
			func(ctx context.Context, c *Cloud) error { _, err := c.describeStack(ctx, "s"); return err }},
		"access denied (D15)": {"DescribeStacks", refuse("AccessDenied", "no"),
			func(ctx context.Context, c *Cloud) error { _, err := c.describeStack(ctx, "s"); return err }},
		"a parameter after a lost answer (E4)": {"PutParameter", answer{err: syscall.ECONNRESET},
			func(ctx context.Context, c *Cloud) error { _, err := c.putParameter(ctx, body); return err }},
		"a parameter after a server error (E4)": {"PutParameter", answer{status: 500, body: `{}`},
			func(ctx context.Context, c *Cloud) error { _, err := c.putParameter(ctx, body); return err }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, w := open(t, map[string]func(ask) answer{tt.op: func(ask) answer { return tt.answer }})
				if err := tt.call(t.Context(), c); err == nil {
					t.Fatal("no error")
				}
				if n := w.count(tt.op); n != 1 {
					t.Errorf("%d requests, want 1", n)
				}
			})
		})
	}
}

func TestWhatIsAskedAgain(t *testing.T) {
	body := &plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "v", Version: 3}
	put := func(ctx context.Context, c *Cloud) error { _, err := c.putParameter(ctx, body); return err }
	tests := map[string]struct {
		op    string
		first answer
		then  string
		call  func(context.Context, *Cloud) error
	}{
		"parallel writes of a parameter (E3)": {"PutParameter", refuseJSON("TooManyUpdates", "later"), `{"Version":4}`, put},
		"a throttled write was not made":      {"PutParameter", refuseJSON("ThrottlingException", "Rate exceeded"), `{"Version":4}`, put},
		"a connection that broke": {"DescribeStacks", answer{err: syscall.ECONNRESET}, describeStacks("CREATE_COMPLETE", ""),
			func(ctx context.Context, c *Cloud) error { _, err := c.describeStack(ctx, "s"); return err }},
		"a delete has a token": {"DeleteStack", answer{err: syscall.ECONNRESET}, query("DeleteStack", ""),
			func(ctx context.Context, c *Cloud) error { return c.deleteStack(ctx, stackARN, "t", nil, nil) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, w := open(t, map[string]func(ask) answer{tt.op: func(a ask) answer {
					if a.n == 1 {
						return tt.first
					}
					return answer{body: tt.then}
				}})
				if err := tt.call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if n := w.count(tt.op); n != 2 {
					t.Errorf("%d requests, want 2", n)
				}
			})
		})
	}
}

func TestConditionalConflictIsNoThrottle(t *testing.T) {
	// D7: S3 asks to try again, but with the tag of what is there by then.
	if isThrottle(&smithy.GenericAPIError{Code: "ConditionalRequestConflict"}) {
		t.Error("the same condition is sent again")
	}
	if isThrottle(&smithy.GenericAPIError{Code: "LimitExceededException"}) {
		t.Error("a quota is retried")
	}
}

func TestCancelEndsARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, map[string]func(ask) answer{"DescribeStacks": func(ask) answer { return refuse("Throttling", "Rate exceeded") }})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.describeStack(ctx, "s")
		if err == nil || time.Since(begin) > 3*time.Second {
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = c.describeStack(ctx, "s"); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
}
