package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// Exchange is a call and how it was answered: never what it said.
type Exchange struct {
	ID        string // of the request, as the answer says it
	Service   string // "" when the request could not be routed
	Operation string
	Region    string
	Status    int           // 0 when the answer was lost
	Code      string        // of a refusal
	Fault     bool          // a fault was injected
	Took      time.Duration // injected delays included
	Answer    []byte        // to be hashed, not kept and not shown
}

func (s *Sandbox) observe(e Exchange, a *answer, err error, took time.Duration) {
	e.Took = took
	if err == nil && a != nil {
		e.Status, e.Answer = a.status, a.body
		if a.status >= http.StatusBadRequest {
			e.Code = refusalCode(a)
		}
	}
	s.options.Observe(e)
}

// refusalCode reads the code out of a refusal: the header of the JSON
// protocols, or the XML's first Code.
func refusalCode(a *answer) string {
	if code := a.header.Get("X-Amzn-Errortype"); code != "" {
		return code
	}
	_, rest, _ := strings.Cut(string(a.body), "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}
