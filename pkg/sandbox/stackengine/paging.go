package stackengine

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// DefaultPages are the items on a page. AWS cuts at about 1 MB; users see 100
// stacks (rebuy-de/aws-nuke #240), and DescribeStackResources stops at 100
// (aws-limits 4.1).
func DefaultPages(string) int { return 100 }

func (e *Engine) pageSize(op string) int {
	if n := e.Pages[op]; n > 0 {
		return n
	}
	return DefaultPages(op)
}

// page cuts a list. The token holds the key of the last item and its position:
// what is added in front of it meanwhile does not repeat items.
func page[T any](op string, size int, list []T, key func(T) string, token *string) (items []T, next *string, err error) {
	from := 0
	if token != nil {
		if from, err = resume(op, list, key, *token); err != nil {
			return nil, nil, err
		}
	}
	to := min(from+size, len(list))
	items = list[from:to]
	if to < len(list) && to > 0 {
		text := op + "\x00" + key(list[to-1]) + "\x00" + strconv.Itoa(to)
		next = ptr(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	return items, next, nil
}

func resume[T any](op string, list []T, key func(T) string, token string) (int, error) {
	bad := invalid("Invalid NextToken")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, bad
	}
	parts := strings.Split(string(raw), "\x00")
	if len(parts) != 3 || parts[0] != op {
		return 0, bad
	}
	at, err := strconv.Atoi(parts[2])
	if err != nil || at < 0 {
		return 0, bad
	}
	for i := range list {
		if key(list[i]) == parts[1] {
			return i + 1, nil
		}
	}
	return min(at, len(list)), nil
}

func writeOffset(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("at\x00" + strconv.Itoa(n)))
}

func readOffset(token string, limit int) (int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	text, ok := strings.CutPrefix(string(raw), "at\x00")
	n, err2 := strconv.Atoi(text)
	if err != nil || !ok || err2 != nil || n < 0 || n > limit {
		return 0, invalid("Invalid NextToken")
	}
	return n, nil
}
