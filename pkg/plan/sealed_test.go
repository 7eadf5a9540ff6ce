package plan_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func sealed(t rapid.TB, p plan.Plan) []byte {
	t.Helper()
	b, err := plan.Seal(p, []spec.Approval{{Kind: "destroy", Target: "s0", Expires: "2026-12-01", Reason: "moved"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every plan comes out of its file as it went in.
func TestSealedPlanReadsBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := deployed(t, someDesired(rt))
		if rapid.Bool().Draw(rt, "trouble") {
			trouble(rt, l)
		}
		p := compute(rt, someDesired(rt), l)
		s, err := plan.OpenSealed(sealed(rt, p))
		if err != nil {
			rt.Fatal(err)
		}
		if encode(rt, s.Plan) != encode(rt, p) {
			rt.Fatalf("it came back another:\n%s", cmp.Diff(p, s.Plan))
		}
	})
}

// Whatever byte of the file is changed, it is refused, or says the same.
func TestAlteredPlanIsRefused(t *testing.T) {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1", Specs: "s"},
		Parameters: []plan.Parameter{{Name: "/own/0", Type: "String", Policy: plan.PolicyOwn, Value: "x"}}}
	file := sealed(t, compute(t, d, empty(d)))
	want, err := plan.OpenSealed(file)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := bytes.Clone(file)
		at := rapid.IntRange(0, len(b)-1).Draw(rt, "at")
		b[at] = rapid.Byte().Draw(rt, "byte")
		got, err := plan.OpenSealed(b)
		var refused *plan.SealedError
		if err != nil && !errors.As(err, &refused) || err == nil && !cmp.Equal(got, want) {
			rt.Fatalf("byte %d: %v\n%s", at, err, b)
		}
	})
}

func TestWhatIsNoSealedPlan(t *testing.T) {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1", Specs: "s"}}
	p := compute(t, d, empty(d))
	file := string(sealed(t, p))
	plain, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	resealed := func(change func(*plan.Sealed)) string {
		// A forger can seal what he likes; formats are refused all the same.
		s, err := plan.OpenSealed([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		return forge(t, s)
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":       {"", "this is no plan"},
		"text":        {"hello", "this is no plan"},
		"other JSON":  {`{"reconcile-sandbox":{"format":5}}`, "this is no plan"},
		"printed":     {string(plain), "plan -o json prints"},
		"cut off":     {file[:len(file)/2], "altered .* no whole JSON"},
		"two of them": {file + file, "no whole JSON|something follows"},
		"newer":       {strings.Replace(file, `"formatVersion":1,`, `"formatVersion":2,`, 1), `has format "2", and this program reads 1: a newer program wrote it`},
		"no number":   {strings.Replace(file, `"formatVersion":1,`, `"formatVersion":"x",`, 1), "has format"},
		"new field":   {strings.Replace(file, `"plan":{`, `"plan":{"also":1,`, 1), `altered .*unknown field "also"`},
		"other seal":  {regexp.MustCompile(`"seal":"[0-9a-f]{64}"`).ReplaceAllString(file, `"seal":"00"`), "does not match its seal"},
		"newer plan":  {resealed(func(s *plan.Sealed) { s.Plan.FormatVersion = "9.0" }), `the plan has format "9.0"`},
		"digest":      {resealed(func(s *plan.Sealed) { s.Plan.Target.Account = "2" }), "does not match its digest"},
	} {
		_, err := plan.OpenSealed([]byte(c.file))
		var refused *plan.SealedError
		if !errors.As(err, &refused) || !regexp.MustCompile(c.want).MatchString(err.Error()) || refused.Hint() == "" {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// forge seals an edited plan as Seal does.
func forge(t *testing.T, s plan.Sealed) string {
	t.Helper()
	s.Seal = ""
	b, err := cfn.Canonical(s)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	s.Seal = hex.EncodeToString(sum[:])
	return encode(t, s)
}

func TestConsentsOfAFileExpire(t *testing.T) {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"}}
	s, err := plan.OpenSealed(sealed(t, compute(t, d, empty(d))))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
	if diff := cmp.Diff([]spec.Approval{{Kind: "destroy", Target: "s0", Expires: "2026-12-01", Reason: "moved"}}, s.Given(day)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Given(day.Add(2 * time.Hour)); got != nil {
		t.Errorf("expired, and counts: %v", got)
	}
}

func FuzzOpenSealed(f *testing.F) {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"},
		LogGroups: []plan.LogGroup{{Name: "/g", RetentionDays: 7}}}
	p, err := plan.Compute(d, empty(d), plan.Options{Tool: "test"})
	if err != nil {
		f.Fatal(err)
	}
	file, err := plan.Seal(p, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"kind":"reconcile/sealed-plan","formatVersion":1,"plan":{}}`))
	f.Add([]byte(`{"kind":"reconcile/sealed-plan`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := plan.OpenSealed(data)
		var refused *plan.SealedError
		if err != nil {
			if !errors.As(err, &refused) || refused.Reason == "" {
				t.Fatalf("got %v", err)
			}
			return
		}
		if again, err := plan.OpenSealed([]byte(encode(t, s))); err != nil || !cmp.Equal(s, again) {
			t.Fatalf("taken, and does not read back: %v", err)
		}
	})
}

// The revision that is applied is written by a plan of its own.
func TestRecord(t *testing.T) {
	name := "/bp/reconcile/revision"
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1", Revision: "abc"}}
	reads, err := plan.Reads(d, plan.Selection{})
	if err != nil || !cmp.Equal(reads.Parameters, []string{name}) {
		t.Fatalf("reads %v, %v", reads.Parameters, err)
	}
	l := empty(d)
	first, ok, err := compute(t, d, l).Record()
	if err != nil || !ok || len(first.Steps) != 1 || first.Steps[0].Action != plan.ActionCreate || !first.DigestMatches() {
		t.Fatalf("got %+v, %v, %v", first, ok, err)
	}
	l.Parameters[name] = plan.LiveParameter{Type: "String", DataType: "text", Value: "old", Version: 4}
	p := compute(t, d, l)
	if !p.Empty() {
		t.Errorf("it is a step of the plan:\n%s", show(p))
	}
	second, ok, err := p.Record()
	if err != nil || !ok || second.Steps[0].Action != plan.ActionUpdate || second.Steps[0].Body.Parameter.Version != 4 {
		t.Fatalf("got %+v, %v, %v", second, ok, err)
	}
	live := l.Parameters[name]
	if second.Steps[0].Moved(plan.FingerprintParameter(&live)) {
		t.Error("the step says that the parameter moved, and it did not")
	}
	for _, same := range []string{"old", ""} {
		d.Target.Revision = same
		if _, ok, err := compute(t, d, l).Record(); ok || err != nil {
			t.Errorf("revision %q is written: %v", same, err)
		}
	}
}
