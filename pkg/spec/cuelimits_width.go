//go:build unix && !freebsd && !dragonfly

package spec

func narrower(have, limit uint64) uint64 { return min(have, limit) }
