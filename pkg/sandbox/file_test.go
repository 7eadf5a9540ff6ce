package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"reconcile/pkg/sandbox"
)

func TestStateSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "yet", "sandbox.json")
	s := open(t, sandbox.Options{Path: path, Account: "111122223333", Region: "eu-west-1"})
	if !s.Fresh() {
		t.Error("a new file is not fresh")
	}
	must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), put("/x", "v")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, sandbox.Options{Path: path, Account: "999999999999"})
	if again.Fresh() {
		t.Error("a used file is fresh")
	}
	id := must[*sts.GetCallerIdentityOutput](t)(stsClient(again).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if *id.Account != "111122223333" {
		t.Errorf("account %s: an account that exists keeps its id", *id.Account)
	}
	got := must[*ssm.GetParameterOutput](t)(ssmClient(again).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x")}))
	if *got.Parameter.Value != "v" {
		t.Errorf("value %q", *got.Parameter.Value)
	}
}

// Without Close: what a killed process leaves. The file may end in a torn line.
func TestKilledProcessLosesNothing(t *testing.T) {
	path := stateFile(t)
	s := open(t, sandbox.Options{Path: path})
	for i := range 3 {
		must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), put(fmt.Sprint("/x/", i), "v")))
	}
	whole := must[[]byte](t)(os.ReadFile(path))
	lines := bytes.SplitAfter(whole, []byte("\n"))
	last := len(whole) - len(lines[len(lines)-2])
	for cut := last; cut <= len(whole); cut++ {
		torn := filepath.Join(t.TempDir(), "torn.json")
		if err := os.WriteFile(torn, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, sandbox.Options{Path: torn})
		if got, want := s.Torn(), cut-last; got != want%(len(whole)-last) {
			t.Fatalf("cut at %d of %d: %d bytes said to be torn", cut, len(whole), got)
		}
		if s := open(t, sandbox.Options{Path: torn}); s.Torn() != 0 {
			t.Fatal("what was dropped is dropped again")
		}
		out := must[*ssm.GetParametersByPathOutput](t)(ssmClient(s).GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/x")}))
		want := 2
		if cut == len(whole) {
			want = 3
		}
		if len(out.Parameters) != want {
			t.Fatalf("cut at %d of %d: %d parameters, want %d", cut, len(whole), len(out.Parameters), want)
		}
		in := put("/x/2", "again")
		in.Overwrite = aws.Bool(true)
		must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), in))
		more := open(t, sandbox.Options{Path: torn})
		got := must[*ssm.GetParameterOutput](t)(ssmClient(more).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x/2")}))
		if *got.Parameter.Value != "again" {
			t.Fatalf("cut at %d: a write after a torn line was lost", cut)
		}
	}
}

func TestUnusableFilesSayWhatToDo(t *testing.T) {
	for name, body := range map[string]string{
		"older":          `{"reconcile-sandbox":1}` + "\n" + `{"account":"1"}` + "\n",
		"no checksum":    `{"reconcile-sandbox":2}` + "\n" + `{"account":"1"}` + "\n",
		"newer":          `{"reconcile-sandbox":99}` + "\n{}\n",
		"no snapshot":    `{"reconcile-sandbox":1}` + "\n",
		"torn snapshot":  `{"reconcile-sandbox":1}` + "\n" + `{"account":"1"`,
		"bad snapshot":   `{"reconcile-sandbox":1}` + "\n" + `{"account":1}` + "\n",
		"null region":    `{"reconcile-sandbox":1}` + "\n" + `{"account":"1","regions":{"a":null}}` + "\n",
		"broken journal": `{"reconcile-sandbox":1}` + "\n" + `{"account":"1"}` + "\n" + "{{\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := stateFile(t)
			if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := sandbox.Open(sandbox.Options{Path: path})
			var state *sandbox.ErrState
			if !errors.As(err, &state) || !strings.Contains(err.Error(), "reconcile sandbox reset") || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v", err)
			}
			if left := must[[]byte](t)(os.ReadFile(path)); string(left) != body {
				t.Error("the file was changed")
			}
			if err := sandbox.Renew(sandbox.Options{Path: path, Bare: true}); err != nil {
				t.Fatal(err)
			}
			if s := open(t, sandbox.Options{Path: path}); !s.Fresh() || !s.Bare() {
				t.Error("after a reset the sandbox is not fresh and bare")
			}
		})
	}
}

// A file of somebody else is neither read nor replaced, and nobody is told to
// reset it.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	for name, body := range map[string]string{"text": "# Readme\n", "JSON": `{"a":1}` + "\n", "no newline": "x", "similar": `{"reconcile-sandbox":"me"}` + "\n"} {
		path := stateFile(t)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		_, opened := sandbox.Open(sandbox.Options{Path: path})
		for _, err := range []error{opened, sandbox.Renew(sandbox.Options{Path: path, Bare: true})} {
			var state *sandbox.ErrState
			if !errors.As(err, &state) || strings.Contains(err.Error(), "sandbox reset") || !strings.Contains(err.Error(), path+":1: this is not a state file of the sandbox") {
				t.Errorf("%s: error %v", name, err)
			}
		}
		if left := must[[]byte](t)(os.ReadFile(path)); string(left) != body {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// Whatever byte of the file is changed, the account that was there is served,
// or nothing is: with the file, the line and the command that helps.
func TestDamageIsRefused(t *testing.T) {
	path := stateFile(t)
	if err := sandbox.Renew(sandbox.Options{Path: path, Bare: true}); err != nil {
		t.Fatal(err)
	}
	s := open(t, sandbox.Options{Path: path})
	for i := range 3 {
		must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), put(fmt.Sprint("/x/", i), "v")))
	}
	whole := must[[]byte](t)(os.ReadFile(path))
	damaged := filepath.Join(t.TempDir(), "it's damaged.json")
	refused := func(t *testing.T, body []byte, line int) {
		t.Helper()
		if err := os.WriteFile(damaged, body, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := sandbox.Open(sandbox.Options{Path: damaged})
		var state *sandbox.ErrState
		if !errors.As(err, &state) {
			t.Fatalf("line %d: error %v", line, err)
		}
		for _, want := range []string{fmt.Sprintf("%s:%d: ", damaged, line), `reconcile sandbox reset --sandbox='` + strings.ReplaceAll(damaged, "'", `'\''`) + "'"} {
			if line > 0 && !strings.Contains(err.Error(), want) {
				t.Fatalf("%v does not say %q", err, want)
			}
		}
	}
	for i := range len(whole) - 1 { // the last newline lost is a torn write
		line := 1 + bytes.Count(whole[:i], []byte("\n"))
		if line == 1 {
			line = 0 // not a state file, another version, or this line: the text differs
		}
		for _, b := range []byte{whole[i] ^ 1, ' ', '\n'} {
			if b != whole[i] {
				refused(t, append(append(bytes.Clone(whole[:i]), b), whole[i+1:]...), line)
			}
		}
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	join := func(n ...int) []byte {
		var out []byte
		for _, i := range n {
			out = append(out, lines[i]...)
		}
		return out
	}
	refused(t, join(0, 1, 3, 4), 3)       // one is missing
	refused(t, join(0, 1, 3, 2, 4), 3)    // two changed places
	refused(t, join(0, 1, 2, 2, 3, 4), 4) // one is there twice
}

// A process that runs while somebody damages the file stops, too.
func TestDamageUnderAnOpenSandbox(t *testing.T) {
	path := stateFile(t)
	one := open(t, sandbox.Options{Path: path})
	two := must[*sandbox.Sandbox](t)(sandbox.Open(sandbox.Options{Path: path}))
	before := must[[]byte](t)(os.ReadFile(path))
	must[*ssm.PutParameterOutput](t)(ssmClient(one).PutParameter(t.Context(), put("/x", "value")))
	after := must[[]byte](t)(os.ReadFile(path))
	after = append(before, bytes.Replace(after[len(before):], []byte("value"), []byte("valve"), 1)...)
	if err := os.WriteFile(path, after, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ssmClient(two).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x")})
	if err == nil || !strings.Contains(err.Error(), path+":3: ") {
		t.Fatalf("error %v", err)
	}
	if err := two.Close(); err == nil {
		t.Error("it closes as if nothing were wrong")
	}
}

// Two processes on one file see each other's writes and lose none.
func TestTwoOpenSandboxes(t *testing.T) {
	path := stateFile(t)
	boxes := []*sandbox.Sandbox{open(t, sandbox.Options{Path: path}), open(t, sandbox.Options{Path: path})}
	var wg sync.WaitGroup
	for n, s := range boxes {
		wg.Go(func() {
			c := ssmClient(s)
			for i := range 50 {
				in := &ssm.PutParameterInput{Name: aws.String("/shared"), Value: aws.String(fmt.Sprint(n, i)), Type: types.ParameterTypeString, Overwrite: aws.Bool(true)}
				if _, err := c.PutParameter(t.Context(), in); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range boxes {
		got := must[*ssm.GetParameterOutput](t)(ssmClient(s).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/shared")}))
		if got.Parameter.Version != 100 {
			t.Errorf("version %d, want 100", got.Parameter.Version)
		}
	}
	if err := sandbox.Renew(sandbox.Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	for _, s := range boxes {
		_, err := ssmClient(s).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/shared")})
		wantCode(t, err, "ParameterNotFound")
	}
}

// A long journal is folded into a snapshot while others have the file open.
func TestJournalIsFolded(t *testing.T) {
	path := stateFile(t)
	one, two := open(t, sandbox.Options{Path: path}), open(t, sandbox.Options{Path: path})
	value := strings.Repeat("v", 4000)
	for i := range 700 {
		s := one
		if i%7 == 0 {
			s = two
		}
		in := put(fmt.Sprint("/fold/", i%10), value)
		in.Overwrite = aws.Bool(true)
		must[*ssm.PutParameterOutput](t)(ssmClient(s).PutParameter(t.Context(), in))
	}
	info := must[os.FileInfo](t)(os.Stat(path))
	if info.Size() > 6<<20 {
		t.Errorf("the file has %d bytes", info.Size())
	}
	for _, s := range []*sandbox.Sandbox{one, two, open(t, sandbox.Options{Path: path})} {
		got := must[*ssm.GetParameterOutput](t)(ssmClient(s).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/fold/3")}))
		if got.Parameter.Version != 70 {
			t.Errorf("version %d, want 70", got.Parameter.Version)
		}
	}
	left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(left) != 1 {
		t.Errorf("files left behind: %v", left)
	}
}

// A process is killed at a random moment, again and again; every write that
// was answered is there afterwards.
func TestKillNine(t *testing.T) {
	if path := os.Getenv("SANDBOX_KILL_PATH"); path != "" {
		c := ssmClient(open(t, sandbox.Options{Path: path}))
		for {
			in := put("/k", strings.Repeat("x", 4000))
			in.Overwrite = aws.Bool(true)
			out, err := c.PutParameter(t.Context(), in)
			if err != nil {
				fmt.Println("error", err)
				os.Exit(1)
			}
			fmt.Println("version", out.Version)
		}
	}
	path := stateFile(t)
	answered := int64(0)
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillNine$")
		cmd.Env = append(os.Environ(), "SANDBOX_KILL_PATH="+path)
		file := filepath.Join(t.TempDir(), "out")
		stdout := must[*os.File](t)(os.Create(file))
		cmd.Stdout = stdout
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The first may die while it starts; the others die while they write,
		// however busy the machine is.
		for wait := 0; round > 0 && wait < 3000 && must[os.FileInfo](t)(os.Stat(file)).Size() == 0; wait++ {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(150+40*round) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if err := stdout.Close(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile(file)))) {
			if rest, ok := strings.CutPrefix(line, "version "); ok && strings.HasSuffix(rest, "\n") {
				if _, err := fmt.Sscan(rest, &answered); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := open(t, sandbox.Options{Path: path})
		if answered == 0 {
			continue
		}
		got := must[*ssm.GetParameterOutput](t)(ssmClient(s).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/k")}))
		if got.Parameter.Version < answered || got.Parameter.Version > answered+1 {
			t.Fatalf("round %d: version %d after %d were answered", round, got.Parameter.Version, answered)
		}
	}
	if answered < 100 {
		t.Errorf("only %d writes were answered in all rounds", answered)
	}
}
