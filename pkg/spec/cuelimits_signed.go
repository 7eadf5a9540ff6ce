//go:build freebsd || dragonfly

package spec

// These systems count limits in signed numbers.
func narrower(have int64, limit uint64) int64 { return min(have, int64(limit)) }
