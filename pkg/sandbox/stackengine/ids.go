package stackengine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const (
	hexDigits  = "0123456789abcdef"
	upperAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mixedAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	lowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"
	digits     = "0123456789"
)

// random derives n characters of the alphabet from the seed and the parts. It
// is a hash, not a sequence: ids do not depend on the order in which stacks
// are worked on.
func (e *Engine) random(alphabet string, n int, parts ...string) string {
	var seed [8]byte
	binary.BigEndian.PutUint64(seed[:], e.State.Seed)
	sum := sha256.Sum256(append(seed[:], strings.Join(parts, "\x00")...))
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range sum {
			if len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
		sum = sha256.Sum256(sum[:])
	}
	return string(out)
}

func (e *Engine) uuid(parts ...string) string {
	h := e.random(hexDigits, 32, parts...)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func (e *Engine) arn(service, resource string) string {
	return "arn:" + partition(e.State.Region) + ":" + service + ":" + e.State.Region + ":" + e.State.Account + ":" + resource
}

// nextID makes an id that is unique within the stack.
func (e *Engine) nextID(s *Stack, what string) string {
	s.Serial++
	return e.uuid(s.ID, what, itoa(s.Serial))
}
