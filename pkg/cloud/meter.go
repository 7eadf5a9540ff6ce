package cloud

import (
	"sync"
	"time"

	"reconcile/pkg/apply"
)

const (
	meterEvery  = time.Second      // between two reports
	meterWindow = 20 * time.Second // over which the rate is taken
)

// meter counts bytes on their way and tells how fast they go.
type meter struct {
	clock Clock
	tell  func(apply.Transfer)

	mu     sync.Mutex
	done   int64 // stored, or found stored
	total  int64
	sent   int64 // by this run
	told   time.Time
	recent []sample
}

type sample struct {
	at   time.Time
	sent int64
}

func newMeter(clock Clock, total int64, tell func(apply.Transfer)) *meter {
	now := clock.Now()
	return &meter{clock: clock, tell: tell, total: total, told: now, recent: []sample{{now, 0}}}
}

// sentBytes counts what was stored now, found what was there already.
func (m *meter) sentBytes(n int64)  { m.add(n, n) }
func (m *meter) foundBytes(n int64) { m.add(n, 0) }

func (m *meter) add(done, sent int64) {
	m.mu.Lock()
	m.done += done
	m.sent += sent
	now := m.clock.Now()
	if now.Sub(m.told) < meterEvery {
		m.mu.Unlock()
		return
	}
	m.told = now
	m.recent = append(m.recent, sample{now, m.sent})
	for len(m.recent) > 2 && now.Sub(m.recent[0].at) > meterWindow {
		m.recent = m.recent[1:]
	}
	t := apply.Transfer{Bytes: m.done, Total: m.total}
	first := m.recent[0]
	if passed := now.Sub(first.at).Seconds(); passed > 0 {
		t.PerSecond = int64(float64(m.sent-first.sent) / passed)
	}
	if t.PerSecond > 0 {
		t.SecondsLeft = max(0, m.total-m.done) / t.PerSecond
	}
	m.mu.Unlock()
	m.tell(t)
}
