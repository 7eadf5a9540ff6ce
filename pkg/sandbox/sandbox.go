// Package sandbox is an AWS in process. It stands at the wire: requests that
// the real SDK clients or the AWS CLI have signed and serialized come in as
// HTTP, are decoded into the SDK's own input types, served by a small typed
// backend per service, and answered in the service's own protocol. Stacks are
// the engine's in the directory stackengine; what resources do outside of
// CloudFormation is in the files provider_*.go.
//
// It must not import anything that renders, plans or compares: the sandbox
// shares no code with what it judges. It starts no goroutine and no timer; all
// that takes time happens when the next request looks (see clock.go).
//
// Start with Open and Do; then route.go (which service), operations.go (the
// table of each), state.go (what is remembered) and file.go (how it is kept).
package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options say how to open a sandbox. The zero value is a fresh, stocked
// account in memory.
type Options struct {
	// Path is the state file; "" keeps everything in memory.
	Path string
	// Account and Region are for a fresh account; 123456789012 and us-east-1
	// when empty. An account that exists keeps its own.
	Account, Region string
	// Bare makes a fresh account an empty one; see Stocked in stock.go.
	Bare bool
	// Seed makes generated ids and values of a fresh account repeatable.
	Seed string
	// Quotas of a fresh account; an account that exists keeps its own.
	Quotas Quotas
	// Pace is how the time of a fresh account passes; PaceFast when empty.
	Pace Pace
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Scale multiplies everything that takes time in AWS; 0 means the engine's default.
	Scale float64
	// Latency is added to every call.
	Latency time.Duration
	// Fault is asked before every call; n counts the calls of that operation
	// from 1. nil means no fault.
	Fault func(service, operation string, n int) *Fault
	// Observe is told of every call after it was answered; calls that run side by
	// side are told in any order. It must not block.
	Observe func(Exchange)
	// Rates limits calls per "service.Operation", or "service" for all of its
	// operations together; more are throttled with the service's own code.
	Rates map[string]Rate
}

// Sandbox is an open account. It is safe for concurrent use.
type Sandbox struct {
	options  Options
	services map[string]*service
	fields   *fieldIndex

	mu      sync.Mutex
	account *account
	store   *store // nil in memory
	fresh   bool
	torn    int
	s3      http.Handler
	stale   bool // memory may differ from the file: read it again
	clock   time.Time
	closed  bool
	asked   map[string]string // digests of answers to reads since the last write, in virtual time

	traffic traffic
	blobs   *blobs
}

// Open opens the state file, or makes a fresh account. An unusable file is an
// *ErrState.
func Open(o Options) (*Sandbox, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sandbox{options: o, services: services(), fields: &fieldIndex{}, blobs: &blobs{}, asked: map[string]string{}}
	s.traffic.init(o)
	if o.Path == "" {
		s.account = s.newAccount()
		s.fresh = true
		s.attach()
		return s, nil
	}
	s.blobs.folder = blobFolder(o.Path)
	st, err := openStore(o.Path)
	if err != nil {
		return nil, err
	}
	s.store = st
	s.stale = true
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	s.torn = st.torn
	if err := st.unlock(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return s, nil
}

// Reset replaces the state file at path, whatever its state, by a fresh account;
// another file is left alone. Its account id and region come from the options of the next Open.
func Reset(path string, bare bool) error { return Renew(Options{Path: path, Bare: bare}) }

// Renew is Reset with what else is a fresh account's own: its quotas, its seed and its pace.
func Renew(o Options) error {
	st, err := openStore(o.Path)
	if err != nil {
		return err
	}
	if err := st.lock(); err != nil && !errors.Is(err, errReplaced) {
		return errors.Join(err, st.close())
	}
	if err := st.foreign(); err != nil {
		return errors.Join(err, st.unlock(), st.close())
	}
	return errors.Join(st.compact(o.freshAccount()), os.RemoveAll(blobFolder(o.Path)), st.unlock(), st.close())
}

// newSeed is the one thing that is random; everything else derives from it.
func newSeed() string {
	b := make([]byte, 16)
	// crypto/rand never fails; it ends the program when the system has no randomness.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// freshAccount is one that nobody has used yet.
func (o Options) freshAccount() *account {
	seed := o.Seed
	if seed == "" {
		seed = newSeed()
	}
	a := newAccount("", "", seed, o.Bare, time.Time{})
	a.Quotas, a.Pace = o.Quotas, o.Pace
	return a
}

func (s *Sandbox) newAccount() *account {
	a := s.options.freshAccount()
	s.adopt(a)
	return a
}

// adopt gives an account that nobody has used yet its id, region and birthday.
func (s *Sandbox) adopt(a *account) {
	a.ID, a.Region = s.options.Account, s.options.Region
	if a.ID == "" {
		a.ID = "123456789012"
	}
	if a.Region == "" {
		a.Region = "us-east-1"
	}
	a.Created = s.options.Now().UTC().Truncate(time.Millisecond)
	if a.pace() == PaceVirtual {
		a.Created = virtualStart()
	}
	a.Last = a.Created
}

// Fresh tells that this Open made the account or was the first to use it.
func (s *Sandbox) Fresh() bool { return s.fresh }

// Torn is the number of bytes that this Open dropped from the end of the file:
// a write that was cut off, so that nobody was told of its success.
func (s *Sandbox) Torn() int { return s.torn }

// Account tells whose account this is, and the region of a call without one.
func (s *Sandbox) Account() (id, region string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.ID, s.account.Region
}

// Seed is what all generated ids and values derive from.
func (s *Sandbox) Seed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.Seed
}

// Bare tells that the account is an empty one, without images.
func (s *Sandbox) Bare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.Bare
}

// Close folds a long journal into a snapshot and gives the file back. What
// was answered is on disk already.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.store == nil {
		s.closed = true
		return s.blobs.close()
	}
	s.closed = true
	if err := s.begin(); err != nil {
		return errors.Join(err, s.store.close())
	}
	var err error
	if s.store.wantsFolding() {
		err = errors.Join(s.store.compact(s.account), s.blobs.collect(s.account, time.Now()))
	}
	return errors.Join(err, s.store.unlock(), s.store.close())
}

// begin locks the file and brings memory up to it. On error nothing is locked.
func (s *Sandbox) begin() error {
	if s.store == nil {
		return nil
	}
	err := s.store.lock()
	if errors.Is(err, errReplaced) {
		s.stale = true
	} else if err != nil {
		return err
	}
	if err := s.catchUp(); err != nil {
		s.stale = true
		return errors.Join(err, s.store.unlock())
	}
	return nil
}

// catchUp reads what is in the file and not yet in memory.
func (s *Sandbox) catchUp() error {
	if !s.stale {
		journal, err := s.store.tail()
		if err != nil {
			return err
		}
		return s.replay(journal)
	}
	a, journal, ok, err := s.store.read()
	if err != nil {
		return err
	}
	if !ok || a.ID == "" {
		if !ok {
			a = s.newAccount()
		} else {
			s.adopt(a)
		}
		s.fresh = true
		if err := s.store.compact(a); err != nil {
			return err
		}
	}
	s.account = a
	s.stale = false
	s.attach()
	if err := s.replay(journal); err != nil {
		return err
	}
	return s.claim()
}

// replay serves the journal's requests again, each at its own time.
func (s *Sandbox) replay(journal []entry) error {
	if len(journal) > 0 {
		clear(s.asked)
	}
	for i, e := range journal {
		if err := s.advance(context.Background(), e.At); err != nil {
			return fmt.Errorf("journal line %d: %w", i+1, err)
		}
		s.account.Last = e.At
		// A refusal was the answer then, too, and the answer is not needed now.
		_ = s.serve(context.Background(), e.request)
	}
	return nil
}
