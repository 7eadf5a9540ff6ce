package lock

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// FormatVersion of the object of a lock.
const FormatVersion = 1

// Record is who holds a lock. Every text in it comes from another machine:
// print it as text only.
type Record struct {
	ID       string        // 128 random bits in hex, new for each taking
	Who      string        // user@host
	Command  string        // "reconcile apply"
	Revision string        // git revision of the specs, or empty
	URL      string        // of the CI run, or empty
	Since    time.Time     // by the holder's wall clock; for people, never compared
	Lease    time.Duration // for how long it is the holder's without a renewal
	Beat     int           // renewals so far
	Former   string        // from whom it was taken over, or empty
}

// String is one line for people.
func (r Record) String() string {
	var b strings.Builder
	b.WriteString(orUnknown(r.Who))
	if r.Command != "" {
		b.WriteString(", " + r.Command)
	}
	if r.Revision != "" {
		b.WriteString(", revision " + r.Revision[:min(len(r.Revision), 12)])
	}
	if !r.Since.IsZero() {
		b.WriteString(", since " + r.Since.UTC().Format("2006-01-02 15:04:05Z"))
	}
	fmt.Fprintf(&b, ", lease %s", r.Lease)
	if r.URL != "" {
		b.WriteString(", " + r.URL)
	}
	return b.String()
}

func orUnknown(s string) string {
	if s == "" {
		return "somebody unknown"
	}
	return s
}

// Leases that are believed: one that another program wrote must neither be
// over at once nor hold for ever.
const (
	minLease     = 100 * time.Millisecond
	maxLease     = 15 * time.Minute
	defaultLease = time.Minute
)

// wire is the JSON form.
type wire struct {
	FormatVersion int       `json:"formatVersion"`
	ID            string    `json:"id"`
	Who           string    `json:"who"`
	Command       string    `json:"command,omitempty"`
	Revision      string    `json:"revision,omitempty"`
	URL           string    `json:"url,omitempty"`
	Since         time.Time `json:"since"`
	LeaseSeconds  float64   `json:"leaseSeconds"`
	Beat          int       `json:"beat"`
	Former        string    `json:"former,omitempty"`
}

func (r Record) encode() []byte {
	b, err := json.Marshal(wire{
		FormatVersion: FormatVersion, ID: r.ID, Who: r.Who, Command: r.Command, Revision: r.Revision, URL: r.URL,
		Since: r.Since.UTC(), LeaseSeconds: r.Lease.Seconds(), Beat: r.Beat, Former: r.Former,
	})
	if err != nil {
		return nil // a year above 9999: the empty object is nobody's
	}
	return append(b, '\n')
}

// parse reads what anybody may have written. What cannot be read is a holder
// without a name and with the usual lease, so that it can be waited out.
func parse(body []byte) Record {
	var w wire
	if json.Unmarshal(body, &w) != nil {
		w = wire{}
	}
	lease := time.Duration(min(w.LeaseSeconds, maxLease.Seconds()) * float64(time.Second))
	if lease <= 0 {
		lease = defaultLease
	}
	return Record{
		ID: w.ID, Who: w.Who, Command: w.Command, Revision: w.Revision, URL: w.URL, Since: w.Since,
		Lease: max(lease, minLease), Beat: w.Beat, Former: w.Former,
	}
}
