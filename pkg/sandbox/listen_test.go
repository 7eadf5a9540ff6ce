package sandbox_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// serveOn puts a sandbox on a port; end stops it and gives ServeOn's error.
func serveOn(t *testing.T, s *sandbox.Sandbox) (endpoint string, end func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeOn(ctx, l) }()
	return "http://" + l.Addr().String(), func() error {
		cancel()
		return <-done
	}
}

func onPort(t *testing.T, endpoint string) (aws.Config, *http.Transport) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	c := config(&http.Client{Transport: transport})
	c.BaseEndpoint = &endpoint
	return c, transport
}

// A served sandbox answers many at once, ends when it is told to, and leaves
// nothing behind: TestMain looks for goroutines.
func TestServeOn(t *testing.T) {
	s := open(t, sandbox.Options{})
	endpoint, end := serveOn(t, s)
	cfg, transport := onPort(t, endpoint)
	c := ssm.NewFromConfig(cfg)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := c.PutParameter(t.Context(), put(fmt.Sprint("/p/", i), "v")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", endpoint[len("http://"):], time.Second); err == nil {
		t.Error("the port is still open")
	}
	if n := s.Stats()[0].Calls; n != 200 {
		t.Errorf("%d calls counted", n)
	}
}

// The end does not cut off a call that runs.
func TestServeOnFinishesCalls(t *testing.T) {
	began := make(chan struct{})
	s := open(t, sandbox.Options{Fault: func(_, _ string, n int) *sandbox.Fault {
		if n == 1 {
			close(began)
		}
		return &sandbox.Fault{Delay: 200 * time.Millisecond}
	}})
	endpoint, end := serveOn(t, s)
	cfg, transport := onPort(t, endpoint)
	answered := make(chan error, 1)
	go func() {
		_, err := ssm.NewFromConfig(cfg).PutParameter(context.Background(), put("/slow", "v"))
		answered <- err
	}()
	<-began
	if err := end(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	transport.CloseIdleConnections()
}

// What is no AWS request is refused and not served.
func TestServeOnRefusesTheUnsigned(t *testing.T) {
	endpoint, end := serveOn(t, open(t, sandbox.Options{}))
	transport := &http.Transport{}
	r, err := (&http.Client{Transport: transport}).Get(endpoint + "/bucket")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		t.Error(err)
	}
	if r.StatusCode != http.StatusForbidden {
		t.Error(r.Status)
	}
	transport.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
}
