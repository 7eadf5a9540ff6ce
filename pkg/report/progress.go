package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// ProgressOptions of NewProgress.
type ProgressOptions struct {
	Options
	Terminal bool             // redraw in place; otherwise one line for each change of state
	JSON     bool             // one JSON object a line for each event
	Told     bool             // the result goes to the same terminal: failures need not stay
	Columns  func() int       // of the terminal now; nil means 80
	Rows     func() int       // of the terminal now; nil means 24
	Now      func() time.Time // nil means no elapsed time
	Plan     plan.Plan        // what runs
	// Every is how often a terminal is redrawn while nothing happens; 0 means
	// 200 ms, negative never.
	Every time.Duration
}

// Progress tells what a run does while it runs. Its Observe is an observer for
// apply.Run: it never blocks the run for longer than a write, and a writer that
// fails is only left alone.
type Progress struct {
	mu     sync.Mutex
	w      io.Writer
	o      ProgressOptions
	ink    ink
	start  time.Time
	steps  map[plan.StepID]plan.Step
	active []*activity
	failed []string // lines that stay on top of a terminal
	done   int
	ended  int            // steps that ended, done or not
	small  map[string]int // quick steps in the plan, by kind
	folded map[string]int // of them, how many are done
	region region
	stop   chan struct{}
	ticker sync.WaitGroup
}

// activity is a step that runs.
type activity struct {
	step    plan.Step
	began   time.Time
	told    time.Time // when a line last told of its transfer
	last    apply.Progress
	settled int
}

// NewProgress starts to follow a run. Close ends it.
func NewProgress(w io.Writer, o ProgressOptions) *Progress {
	if o.Columns == nil {
		o.Columns = func() int { return 80 }
	}
	if o.Rows == nil {
		o.Rows = func() int { return 24 }
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	p := &Progress{w: w, o: o, ink: ink{o.Color}, start: o.Now(), steps: make(map[plan.StepID]plan.Step, len(o.Plan.Steps)), stop: make(chan struct{}),
		small: map[string]int{}, folded: map[string]int{}}
	for _, s := range o.Plan.Steps {
		p.steps[s.ID] = s
		if quick(s) {
			p.small[kindName(s)]++
		}
	}
	if o.Terminal && !o.JSON && o.Every >= 0 {
		every := o.Every
		if every == 0 {
			every = 200 * time.Millisecond
		}
		p.ticker.Go(func() { p.tick(every) })
	}
	return p
}

func (p *Progress) tick(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			p.draw(nil)
			p.mu.Unlock()
		}
	}
}

// Close ends the report: the part that was redrawn is gone. Failures stay,
// unless the result tells of them in the same place.
func (p *Progress) Close() {
	close(p.stop)
	p.ticker.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o.Terminal && !p.o.JSON {
		p.active = nil
		if p.o.Told {
			p.failed = nil
		}
		p.write(p.region.erase(p.columns()) + lines(p.failed))
	}
}

// Observe takes an event.
func (p *Progress) Observe(e apply.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.o.JSON:
		p.writeEvent(e)
	case p.o.Terminal:
		p.draw(p.follow(e))
	default:
		p.write(lines(p.stamped(p.follow(e))))
	}
}

func (p *Progress) writeEvent(e apply.Event) {
	var b strings.Builder
	if writeJSON(&b, struct {
		Time time.Time `json:"time,omitzero"`
		apply.Event
	}{p.o.Now().UTC(), e}, "") == nil {
		p.write(b.String())
	}
}

// write has nowhere to report an error to; what cannot be told is not worth
// stopping a deployment for.
func (p *Progress) write(s string) {
	if s != "" {
		_, _ = io.WriteString(p.w, s)
	}
}

func lines(l []string) string {
	if len(l) == 0 {
		return ""
	}
	return strings.Join(l, "\n") + "\n"
}

// stamped puts the time since the start before each line.
func (p *Progress) stamped(l []string) []string {
	prefix := fmt.Sprintf("[%5s] ", elapsed(p.o.Now().Sub(p.start)))
	for i := range l {
		if !strings.HasPrefix(l[i], " ") {
			l[i] = prefix + l[i]
		} else {
			l[i] = strings.Repeat(" ", len(prefix)) + l[i]
		}
	}
	return l
}

// elapsed is a duration in the two units that matter: 4s, 1m02s, 2h05m.
func elapsed(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// took is " in 4s"; what was there at once needs no word.
func took(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return " in " + elapsed(d)
}
