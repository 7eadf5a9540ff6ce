package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// clock moves a second each time it is asked.
func clock() func() time.Time {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Second); return now }
}

func running(target, resource, typ, state string, done int) apply.Event {
	return apply.Event{Type: apply.EventStepProgress, Step: plan.StepID("stack/" + target), Target: target,
		Progress: &apply.Progress{Stack: target, Status: "CREATE_IN_PROGRESS", Resource: resource, Type: typ, State: state, Done: done}}
}

func event(t apply.EventType, target, message string) apply.Event {
	return apply.Event{Type: t, Step: plan.StepID("stack/" + target), Target: target, Message: message}
}

// story is a run in which everything happens once.
func story() []apply.Event {
	failed := event(apply.EventStepFailed, "bp-data", "CREATE_FAILED, rolled back")
	failed.Causes = []apply.Cause{{Resource: "Database", Type: "AWS::RDS::DBInstance", Status: "CREATE_FAILED", Reason: "no capacity\x1b[2J"}}
	rollback := running("bp-data", "Database", "AWS::RDS::DBInstance", "CREATE_FAILED", 3)
	rollback.Progress.Reason = "no capacity"
	cancelled := running("bp-data", "Cache", "AWS::ElastiCache::CacheCluster", "CREATE_FAILED", 3)
	cancelled.Progress.Reason = "Resource creation cancelled"
	cancelled.Progress.Status = "ROLLBACK_IN_PROGRESS"
	skipped := event(apply.EventStepSkipped, "bp-compute", "")
	skipped.Cause = "stack/bp-data"
	return []apply.Event{
		event(apply.EventStepBlocked, "bp-monitoring", "needs bp-compute, which is blocked"),
		event(apply.EventStepStarted, "bp-network", ""),
		event(apply.EventStepStarted, "bp-data", ""),
		running("bp-network", "Vpc", "AWS::EC2::VPC", "CREATE_IN_PROGRESS", 0),
		running("bp-network", "Vpc", "AWS::EC2::VPC", "CREATE_COMPLETE", 1),
		running("bp-network", "PublicSubnet1", "AWS::EC2::Subnet", "CREATE_IN_PROGRESS", 1),
		running("bp-data", "Database", "AWS::RDS::DBInstance", "CREATE_IN_PROGRESS", 2),
		rollback, cancelled,
		event(apply.EventStepDone, "bp-network", "is CREATE_COMPLETE"),
		failed, skipped,
		event(apply.EventNote, "bp-data", "the next run deletes what is left"),
	}
}

func TestPlainProgressIsOneLineAChange(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, ProgressOptions{Now: clock(), Plan: first()})
	for _, e := range story() {
		p.Observe(e)
	}
	p.Close()
	golden(t, "progress.txt", b.String())
}

func TestProgressAsJSONLines(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, ProgressOptions{JSON: true, Now: clock()})
	for _, e := range story() {
		p.Observe(e)
	}
	p.Close()
	got := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(got) != len(story()) {
		t.Errorf("%d lines for %d events", len(got), len(story()))
	}
	for i, l := range got {
		var back struct {
			Time time.Time
			apply.Event
		}
		if err := json.Unmarshal([]byte(l), &back); err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		if diff := cmp.Diff(story()[i], back.Event); diff != "" || back.Time.IsZero() {
			t.Errorf("line %d, time %s (-want +got):\n%s", i, back.Time, diff)
		}
	}
}

// screen is a terminal of our own: it understands what Progress uses of ANSI
// and wraps lines that are too long.
type screen struct {
	columns int
	rows    []string
	row     int
}

func (s *screen) Write(b []byte) (int, error) {
	text := string(b)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexFunc(text[2:], unicode.IsLetter) + 2
			n := 1
			_, _ = fmt.Sscanf(text[2:end], "%d", &n)
			switch text[end] {
			case 'A':
				s.row -= n
				if s.row < 0 {
					return 0, errors.New("moved above the screen")
				}
			case 'J':
				s.rows = s.rows[:s.row]
			}
			text = text[end+1:]
		case text[0] == '\r':
			text = text[1:]
		default:
			line, rest, _ := strings.Cut(text, "\n")
			for len([]rune(line)) > s.columns {
				s.put(string([]rune(line)[:s.columns]))
				line = string([]rune(line)[s.columns:])
			}
			s.put(line)
			text = rest
		}
	}
	return len(b), nil
}

func (s *screen) put(line string) {
	s.rows = append(s.rows[:s.row], line)
	s.row++
}

func (s *screen) resize(columns int) {
	var rows []string
	for _, r := range s.rows {
		for len([]rune(r)) > columns {
			rows = append(rows, string([]rune(r)[:columns]))
			r = string([]rune(r)[columns:])
		}
		rows = append(rows, r)
	}
	s.columns, s.rows, s.row = columns, rows, len(rows)
}

func TestTerminalProgress(t *testing.T) {
	s := &screen{columns: 100}
	p := NewProgress(s, ProgressOptions{Terminal: true, Every: -1, Now: clock(), Plan: first(), Columns: func() int { return s.columns }})
	events := story()
	var shots []string
	shot := func(title string) {
		shots = append(shots, "-- "+title+"\n"+strings.Join(s.rows, "\n")+"\n")
	}
	for _, e := range events[:7] {
		p.Observe(e)
	}
	shot("two stacks run")
	s.resize(44)
	p.Observe(events[7])
	shot("narrower, and something fails")
	s.resize(100)
	for _, e := range events[8:11] {
		p.Observe(e)
	}
	shot("wide again, one done, one failed")
	for _, e := range events[11:] {
		p.Observe(e)
	}
	p.Close()
	shot("the end")
	golden(t, "terminal.txt", strings.Join(shots, "\n"))
}

// A terminal of a container or of CI often has no size.
func TestTerminalProgressWithoutASize(t *testing.T) {
	show := func(columns int) string {
		var b bytes.Buffer
		p := NewProgress(&b, ProgressOptions{Terminal: true, Every: -1, Now: clock(), Plan: first(), Columns: func() int { return columns }})
		for _, e := range story() {
			p.Observe(e)
		}
		p.Close()
		return b.String()
	}
	if diff := cmp.Diff(show(80), show(0)); diff != "" {
		t.Errorf("without a size it is not as with 80 columns (-80 +none):\n%s", diff)
	}
}

func TestTerminalProgressFitsAnyWidth(t *testing.T) {
	for _, columns := range []int{1, 8, 20, 60, 300} {
		var b bytes.Buffer
		p := NewProgress(&b, ProgressOptions{Terminal: true, Every: -1, Now: clock(), Plan: updates(), Columns: func() int { return columns }})
		for _, e := range story()[1:7] {
			p.Observe(e)
		}
		b.Reset()
		p.draw(nil)
		for _, l := range strings.Split(b.String(), "\n")[1:] {
			if w := lipgloss.Width(l); w >= max(8, columns) {
				t.Errorf("%d columns: line of %d: %q", columns, w, l)
			}
		}
		p.Close()
	}
}

func TestManyStepsStayWithinTheRegion(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, ProgressOptions{Terminal: true, Every: -1, Now: clock()})
	for i := range 40 {
		p.Observe(event(apply.EventStepStarted, fmt.Sprintf("fleet-%d", i), ""))
		if i%2 == 0 {
			p.Observe(event(apply.EventStepFailed, fmt.Sprintf("fleet-%d", i), "x"))
		}
		if n := len(p.live(80)); n > tallest {
			t.Fatalf("%d lines", n)
		}
	}
	p.Close()
	if n := strings.Count(b.String()[strings.LastIndex(b.String(), "\x1b[J"):], "failed "); n != 20 {
		t.Errorf("%d failures stay, want 20", n)
	}
}

func TestProgressRedrawsAndStops(t *testing.T) {
	defer goleak.VerifyNone(t)
	var w slow
	p := NewProgress(&w, ProgressOptions{Terminal: true, Every: time.Millisecond})
	p.Observe(event(apply.EventStepStarted, "bp-network", ""))
	for range 1000 {
		if w.count() > 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p.Close()
	if w.count() <= 3 {
		t.Error("nothing was redrawn")
	}
}

type slow struct {
	mu sync.Mutex
	n  int
}

func (s *slow) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return len(b), nil
}

func (s *slow) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 62 * time.Second: "1m02s", 2*time.Hour + 5*time.Minute: "2h05m",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("elapsed(%s) = %s, want %s", d, got, want)
		}
	}
}

func TestTheRegionFitsALowTerminal(t *testing.T) {
	p := plan.Plan{}
	for i := range 1000 {
		name := fmt.Sprint("fleet-", i)
		p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionCreate})
	}
	for rows, most := range map[int]int{3: 2, 10: 8, 24: tallest, 200: tallest, 0: tallest} {
		var b bytes.Buffer
		pr := NewProgress(&b, ProgressOptions{Terminal: true, Every: -1, Now: clock(), Plan: p, Rows: func() int { return rows }})
		for _, s := range p.Steps[:300] {
			pr.Observe(event(apply.EventStepStarted, s.Target, ""))
		}
		pr.Observe(event(apply.EventStepDone, "fleet-0", ""))
		pr.Observe(event(apply.EventStepFailed, "fleet-1", "x"))
		pr.Observe(event(apply.EventStepSkipped, "fleet-999", ""))
		live := pr.live(80)
		if len(live) != most {
			t.Errorf("%d rows: %d lines:\n%s", rows, len(live), strings.Join(live, "\n"))
		}
		if last := live[len(live)-1]; !strings.Contains(last, "1 of 1000 steps done, 298 running, 699 waiting, ") {
			t.Errorf("%d rows: the counts are %q", rows, last)
		}
		if !strings.Contains(live[0], "failed fleet-1") {
			t.Errorf("%d rows: the failure is not first: %q", rows, live[0])
		}
		pr.Close()
	}
}

func TestWhatIsToldElsewhereDoesNotStay(t *testing.T) {
	for _, told := range []bool{true, false} {
		s := &screen{columns: 80}
		p := NewProgress(s, ProgressOptions{Terminal: true, Every: -1, Now: clock(), Told: told})
		p.Observe(event(apply.EventStepStarted, "a", ""))
		p.Observe(event(apply.EventStepFailed, "a", "broke"))
		p.Observe(apply.Event{Type: apply.EventNote, Step: "stack/b", Target: "b", Message: "goes on without us; to resume: reconcile apply"})
		p.Observe(event(apply.EventStepSkipped, "c", "because"))
		p.Observe(event(apply.EventStepBlocked, "d", "because"))
		p.Observe(event(apply.EventStepRefused, "e", "not approved: destroy:e"))
		p.Close()
		want := []string{"b: goes on without us", "failed a: broke"}
		if told {
			want = nil
		}
		if diff := cmp.Diff(want, s.rows, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("told is %t (-want +got):\n%s", told, diff)
		}
	}
}

func TestOneLineForEachStepThatEnds(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	steps := []plan.Step{
		{ID: "parameter/p", Kind: plan.KindParameter, Target: "/p", Action: plan.ActionCreate},
		{ID: "protect/s", Kind: plan.KindStack, Target: "s", Action: plan.ActionProtect},
		{ID: "unprotect/s", Kind: plan.KindStack, Target: "s", Action: plan.ActionUnprotect},
		{ID: "stack/s", Kind: plan.KindStack, Target: "s", Action: plan.ActionDelete, Changes: []plan.Change{
			{Resource: "A", Action: plan.ActionDelete, Retained: true}, {Resource: "B", Action: plan.ActionDelete}, {Resource: "C", Action: plan.ActionDelete}}},
		{ID: "recover/s", Kind: plan.KindStack, Target: "s", Action: plan.ActionRecover},
	}
	var b bytes.Buffer
	p := NewProgress(&b, ProgressOptions{Now: func() time.Time { return now }, Plan: plan.Plan{Steps: steps}})
	for i, message := range []string{"", "is already so", "", "is deleted", "is UPDATE_ROLLBACK_COMPLETE"} {
		e := apply.Event{Type: apply.EventStepStarted, Step: steps[i].ID, Target: steps[i].Target}
		p.Observe(e)
		if i == 3 {
			p.Observe(apply.Event{Type: apply.EventStepProgress, Step: e.Step, Progress: &apply.Progress{Done: 3}})
		}
		now = now.Add(time.Duration(i) * 700 * time.Millisecond)
		e.Type, e.Message = apply.EventStepDone, message
		p.Observe(e)
	}
	p.Close()
	want := `[   0s] done parameter /p: created
[   1s] done s: protected from termination (is already so)
[   2s] done s: protection lifted in 1s
[   2s] s: delete
[   4s] done s: deleted 2 resources, kept 1 in 2s
[   4s] s: recover
[   7s] done s: recovered in 3s (is UPDATE_ROLLBACK_COMPLETE)
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Hundreds of parameters are one line for each hundred; what is news stays.
func TestManyQuickStepsAreFolded(t *testing.T) {
	var b strings.Builder
	o := ProgressOptions{Now: clock()}
	for i := range 250 {
		id := plan.StepID(fmt.Sprintf("parameter//x/%d", i))
		o.Plan.Steps = append(o.Plan.Steps, plan.Step{ID: id, Kind: plan.KindParameter, Target: fmt.Sprintf("/x/%d", i), Action: plan.ActionCreate})
	}
	p := NewProgress(&b, o)
	for i, s := range o.Plan.Steps {
		p.Observe(apply.Event{Type: apply.EventStepStarted, Step: s.ID})
		done := apply.Event{Type: apply.EventStepDone, Step: s.ID}
		if i == 7 {
			done.Message = "somebody else wrote the same value"
		}
		if i == 9 {
			done = apply.Event{Type: apply.EventStepFailed, Step: s.ID, Message: "refused"}
		}
		p.Observe(done)
	}
	p.Close()
	var got []string
	for line := range strings.Lines(b.String()) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), "] ")
		got = append(got, text)
	}
	want := []string{
		"done parameter /x/7: created in 2s (somebody else wrote the same value)",
		"failed parameter /x/9: refused",
		"done 100 of 250 parameters", "done 200 of 250 parameters",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
