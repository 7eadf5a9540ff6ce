package cloud

import (
	"regexp"
	"sort"
	"strings"
	"sync"
)

// masked stands where a secret stood.
const masked = "***"

// shapes of secrets that AWS may echo without our having written them.
var secretShapes = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bbase64:[A-Za-z0-9+/]{40,}={0,2}`)

// masks knows the secrets that this run wrote, so that no text of AWS can
// carry one back out.
type masks struct {
	mu      sync.RWMutex
	secrets []string // longest first
}

// add remembers a secret. Short texts are not secrets of ours, and masking
// them would blot out words.
func (m *masks) add(secret string) {
	if len(secret) < 8 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets = append(m.secrets, secret)
	sort.Slice(m.secrets, func(i, j int) bool { return len(m.secrets[i]) > len(m.secrets[j]) })
}

// apply blots out every known secret in a text.
func (m *masks) apply(text string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, s := range m.secrets {
		text = strings.ReplaceAll(text, s, masked)
	}
	return secretShapes.ReplaceAllString(text, masked)
}
