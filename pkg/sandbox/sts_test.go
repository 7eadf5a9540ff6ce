package sandbox_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func TestCallerIdentity(t *testing.T) {
	s := open(t, sandbox.Options{Account: "111122223333"})
	out := must[*sts.GetCallerIdentityOutput](t)(stsClient(s).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if *out.Account != "111122223333" || *out.Arn != "arn:aws:iam::111122223333:user/sandbox" {
		t.Errorf("%+v", out)
	}
}

func TestUnsignedRequestsAreRefused(t *testing.T) {
	s := open(t, sandbox.Options{})
	for name, tc := range map[string]struct {
		header map[string]string
		want   string
	}{
		"query": {map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "<Code>MissingAuthenticationToken</Code>"},
		"json":  {map[string]string{"X-Amz-Target": "AmazonSSM.GetParameter"}, `"__type":"MissingAuthenticationToken"`},
		"other": {nil, "<Error><Code>MissingAuthenticationToken</Code>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "http://sandbox/", strings.NewReader("Action=GetCallerIdentity"))
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), tc.want) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestUnknownServiceAndOperation(t *testing.T) {
	s := open(t, sandbox.Options{})
	_, err := ssmClient(s).ListDocuments(t.Context(), &ssm.ListDocumentsInput{})
	wantCode(t, err, "UnknownOperationException")
	_, err = stsClient(s).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	wantCode(t, err, "InvalidAction")
	r := httptest.NewRequest(http.MethodPost, "http://sandbox/", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/braket/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusNotImplemented || !strings.Contains(w.Body.String(), "braket") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestFaultsHitTheNamedCall(t *testing.T) {
	var trace []string
	s := open(t, sandbox.Options{Fault: func(service, op string, n int) *sandbox.Fault {
		switch {
		case op == "PutParameter" && n == 1:
			return &sandbox.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}
		case op == "PutParameter" && n == 2:
			return &sandbox.Fault{Lost: sandbox.LostBefore}
		case op == "PutParameter" && n == 3:
			return &sandbox.Fault{Lost: sandbox.LostAfter}
		case op == "PutParameter" && n == 4:
			return &sandbox.Fault{Code: "InternalServerError", Status: 500}
		}
		trace = append(trace, service+"."+op)
		return nil
	}})
	c := ssmClient(s)
	in := put("/f", "v")
	_, err := c.PutParameter(t.Context(), in)
	wantCode(t, err, "ThrottlingException")
	for want := range 2 {
		if _, err := c.PutParameter(t.Context(), in); err == nil || !strings.Contains(err.Error(), "connection reset") {
			t.Fatalf("error %v", err)
		}
		out := must[*ssm.GetParametersOutput](t)(c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/f"}}))
		if len(out.Parameters) != want {
			t.Errorf("after a lost answer: %d parameters, want %d", len(out.Parameters), want)
		}
	}
	_, err = c.PutParameter(t.Context(), in)
	wantCode(t, err, "InternalServerError")
	if d := cmp.Diff([]sandbox.Count{{Service: "ssm", Operation: "GetParameters", Calls: 2}, {Service: "ssm", Operation: "PutParameter", Calls: 4}}, s.Stats()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"ssm.GetParameters", "ssm.GetParameters"}, trace); d != "" {
		t.Error(d)
	}
}

// The SDK's own retries get through throttling.
func TestRetriesGetThrough(t *testing.T) {
	s := open(t, sandbox.Options{Fault: func(_, _ string, n int) *sandbox.Fault {
		if n < 3 {
			return &sandbox.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}
		}
		return nil
	}})
	c := ssm.NewFromConfig(withRetries(config(s)))
	must[*ssm.PutParameterOutput](t)(c.PutParameter(t.Context(), put("/r", "v")))
}

func TestRates(t *testing.T) {
	clk := newClock()
	s := open(t, sandbox.Options{Now: clk.now, Rates: map[string]sandbox.Rate{"ssm.GetParameters": {PerSecond: 2, Burst: 3}, "cloudformation": {PerSecond: 1, Burst: 1}}})
	get := func() error {
		_, err := ssmClient(s).GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/x"}})
		return err
	}
	for i := range 3 {
		if err := get(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	wantCode(t, get(), "ThrottlingException")
	clk.pass(500 * time.Millisecond)
	if err := get(); err != nil {
		t.Error(err)
	}
	cfn := cloudformation.NewFromConfig(config(s))
	_, _ = cfn.ListStacks(t.Context(), &cloudformation.ListStacksInput{}) // takes the one token
	_, err := cfn.ListStacks(t.Context(), &cloudformation.ListStacksInput{})
	wantCode(t, err, "Throttling")
}

func TestLatencyEndsWithTheContext(t *testing.T) {
	s := open(t, sandbox.Options{Latency: time.Hour})
	done := make(chan error, 1)
	r := httptest.NewRequest(http.MethodPost, "http://sandbox/", strings.NewReader("Action=GetCallerIdentity"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0")
	ctx, cancel := contextWithCancel(t)
	go func() {
		_, err := s.Do(r.WithContext(ctx)) //nolint:bodyclose // there is no answer
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, ctx.Err()) {
		t.Errorf("error %v", err)
	}
}

var _ aws.HTTPClient = (*sandbox.Sandbox)(nil)
