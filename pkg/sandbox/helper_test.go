package sandbox_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"reconcile/pkg/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that stands still unless a test moves it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// open opens a sandbox for a test at AWS's own pace and closes it at the end.
func open(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Seed == "" {
		o.Seed = "test"
	}
	s, err := sandbox.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// config is what a program that uses the SDK sets: the sandbox is the HTTP
// client, everything else is as for AWS. Nothing is retried, so that a test
// sees every answer.
func config(client aws.HTTPClient) aws.Config {
	return aws.Config{
		Region: "us-east-1", HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func withRetries(c aws.Config) aws.Config {
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	}
	return c
}

func ssmClient(c aws.HTTPClient) *ssm.Client { return ssm.NewFromConfig(config(c)) }
func stsClient(c aws.HTTPClient) *sts.Client { return sts.NewFromConfig(config(c)) }

// wantCode fails unless err is AWS's error of that code.
func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got error %v, want %s", err, code)
	}
	if api.ErrorCode() != code {
		t.Fatalf("got %s (%s), want %s", api.ErrorCode(), api.ErrorMessage(), code)
	}
}

func stateFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "sandbox.json")
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func contextWithCancel(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func containsText(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

// stockedAMI is the AMI that a fleet's parameter names.
func stockedAMI(t testing.TB, box *sandbox.Sandbox, name string) string {
	t.Helper()
	out, err := ssmClient(box).GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Parameter.Value
}
