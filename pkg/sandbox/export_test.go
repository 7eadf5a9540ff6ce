package sandbox

import (
	"context"
	"encoding/json"
	"sort"
	"strings"
)

// StateJSON is everything that s remembers at its clock's now, for tests.
func StateJSON(s *Sandbox) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return "", err
	}
	if s.store != nil {
		defer func() { _ = s.store.unlock() }()
	}
	if err := s.advance(context.Background(), s.now()); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(s.account, "", " ")
	return string(b), err
}

// Operations lists "service.Operation" of all that is served but S3.
func Operations() []string {
	var out []string
	for name, svc := range services() {
		for op := range svc.operations {
			out = append(out, name+"."+op)
		}
	}
	sort.Strings(out)
	return out
}

// SpeaksForms tells whether a service's requests are forms.
func SpeaksForms(service string) bool {
	p := services()[service].protocol
	return p == protocolQuery || p == protocolEC2
}

// S3Operations lists the operations of S3 that a fault can name.
func S3Operations() []string { return s3Operations() }

// WriteOperations lists "service.Operation" of all that changes state, S3's too.
func WriteOperations() []string {
	var out []string
	for name, svc := range services() {
		for op, o := range svc.operations {
			if o.write {
				out = append(out, name+"."+op)
			}
		}
	}
	for _, op := range s3Operations() {
		if !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "Head") && !strings.HasPrefix(op, "List") {
			out = append(out, "s3."+op)
		}
	}
	sort.Strings(out)
	return out
}
