//go:build unix

package sandbox

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits until no other process holds the file. The system gives the
// lock back when the holder dies.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func unlockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}
