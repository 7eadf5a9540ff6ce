package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// git runs git in the rig's folder.
func (r *rig) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ana", "-c", "user.email=ana@example.com"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit puts the specs into the history, and gives the commit.
func (r *rig) commit(message string) string {
	r.t.Helper()
	r.git("init", "-q")
	r.git("add", "specs")
	r.git("commit", "-q", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// lastApplied is what SSM says was applied last, or "".
func (r *rig) lastApplied() (revision string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := ssm.NewFromConfig(cfg).GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"/bp/reconcile/revision"}})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, p := range out.Parameters {
			revision = aws.ToString(p.Value)
		}
	})
	return revision
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
}

// The very first apply keeps its revision once it has the lock, and not before
// there is a place for one.
func TestFirstApplyRecordsUnderTheLock(t *testing.T) {
	needGit(t)
	t.Parallel()
	r := newRig(t, "")
	commit := r.commit("first")
	r.breaks(stackengine.Fault{Stack: "bp-reconcile", Logical: "Bucket", Phase: stackengine.PhaseCreate, Times: 1, Message: "no"})
	r.want(5, "apply --yes")
	if got := r.lastApplied(); got != "" {
		t.Errorf("nothing was applied and there is no lock, and the revision %s is kept", got)
	}
	r.want(0, "apply --yes --approve recover:bp-reconcile")
	if got := r.lastApplied(); got != commit {
		t.Errorf("kept %q, want %s", got, commit)
	}
}

// Two who apply the very first time, each its own commit: whoever comes first,
// the newer one is what is there in the end.
func TestTwoFirstAppliersOfTwoCommits(t *testing.T) {
	needGit(t)
	t.Parallel()
	r := newRig(t, "")
	older := r.commit("first")
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	newer := r.commit("second")
	a, b := r.start("apply --yes --step-aside --rev "+older), r.start("apply --yes --step-aside --rev "+newer)
	if codes := []int{a.end(t), b.end(t)}; codes[0] != 0 || codes[1] != 0 {
		t.Errorf("exit codes %v\n%s\n%s", codes, a.all, b.all)
	}
	if got := r.lastApplied(); got != newer {
		t.Errorf("kept %q, want %s\n%s\n%s", got, newer, a.all, b.all)
	}
	r.empty()
	r.want(0, "unlock --yes", "not locked")
}

// A revision that cannot be kept stops no step: the run tells at the end, and
// the next one keeps it although it has nothing else to do.
func TestUnrecordedRevision(t *testing.T) {
	needGit(t)
	t.Parallel()
	r := deployedRig(t)
	older := r.commit("first")
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	newer := r.commit("second")
	r.rule(sandbox.FaultRule{Service: "ssm", Operation: "PutParameter", Fault: sandbox.Fault{Code: "AccessDeniedException", Message: "User is not authorized"}})
	r.want(1, "apply --yes", "the revision "+newer+" could not be recorded", "AccessDenied", "an older commit is not refused", "Apply complete", "next: reconcile apply")
	r.want(0, "history", "done")
	r.calm()
	r.want(0, "apply --yes", "No changes.")
	if got := r.lastApplied(); got != newer {
		t.Errorf("kept %q, want %s", got, newer)
	}
	r.want(4, "apply --yes --rev "+older, "is older than")
}

// served lets the commands that follow reach the rig's sandbox over HTTP, as
// they reach AWS, with somebody in between.
func (r *rig) served(between func(http.Handler) http.Handler) {
	r.t.Helper()
	box, err := sandbox.Open(sandbox.Options{Path: r.path(defaultSandbox)})
	if err != nil {
		r.t.Fatal(err)
	}
	server := httptest.NewServer(between(box))
	r.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := box.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.env = append(r.env, sandboxEnv+"=", "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=us-east-1")
}

// A journal that cannot be written stops no step either. What it should have
// kept is told: the run, and that an approval was used.
func TestUnwrittenJournal(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const stack = "bp-gpu-fleet-production-gpu-default"
	r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
	r.edit("  region: us-east-1\n", "  region: us-east-1\n  approvals:\n    - {kind: destroy, target: "+stack+", expires: 2126-01-31}\n", "specs/platform.yaml")
	r.served(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodPut && strings.Contains(q.URL.Path, "/journal/") {
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`))
				return
			}
			next.ServeHTTP(w, q)
		})
	})
	r.want(1, "apply --yes", "Apply complete", "the journal of this run is incomplete", "s3://bp-reconcile-123456789012/journal/", "AccessDenied",
		"the approval destroy:"+stack+" was used and counts again until 2126-01-31, unless the specs lose it", "beside them 1 thing failed")
	if lines := strings.Count(r.want(0, "history").out, "\n"); lines != 2 { // the one that made the platform
		t.Errorf("%d lines", lines)
	}
	r.empty()
}
