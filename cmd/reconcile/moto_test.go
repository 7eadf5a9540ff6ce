package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The product against moto, an AWS that nobody here wrote: what moto does well
// (facts: moto) from the command line to the wire and back.
func TestMoto(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join("testdata", "moto", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			params := scriptParams(t)
			params.Files = []string{script}
			endpoint, setup := startMoto(t), params.Setup
			params.Setup = func(env *testscript.Env) error {
				env.Setenv("AWS_ENDPOINT_URL", endpoint)
				env.Setenv("AWS_ACCESS_KEY_ID", "testing")
				env.Setenv("AWS_SECRET_ACCESS_KEY", "testing")
				env.Setenv("AWS_DEFAULT_REGION", "us-east-1")
				env.Setenv("AWS_PAGER", "")
				env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+os.Getenv("PATH"))
				env.Setenv("HOME", os.Getenv("HOME"))
				return setup(env)
			}
			testscript.Run(t, params)
		})
	}
}

// startMoto runs moto_server on a free loopback port until the test ends.
func startMoto(t *testing.T) string {
	t.Helper()
	moto, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("moto_server is missing")
		}
		t.Skip("moto_server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, moto, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	endpoint := fmt.Sprintf("http://127.0.0.1:%d", port)
	for range 300 {
		if r, err := http.Get(endpoint + "/moto-api/"); err == nil {
			_ = r.Body.Close()
			return endpoint
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("moto_server does not answer")
	return ""
}
