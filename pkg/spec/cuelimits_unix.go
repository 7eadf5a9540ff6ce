//go:build unix

package spec

import "syscall"

// limitChild has the kernel end this process when it computes too long or
// allocates too much at once, and keeps it from writing files. What a system
// does not support is left to watchMemory and to the parent's clock.
func limitChild() {
	set := func(resource int, limit uint64) {
		var r syscall.Rlimit
		if syscall.Getrlimit(resource, &r) != nil {
			return
		}
		r.Cur, r.Max = narrower(r.Cur, limit), narrower(r.Max, limit)
		_ = syscall.Setrlimit(resource, &r)
	}
	set(syscall.RLIMIT_CPU, childCPU)
	set(syscall.RLIMIT_DATA, 2*childHeap)
	set(syscall.RLIMIT_FSIZE, 0)
	set(syscall.RLIMIT_CORE, 0)
}
