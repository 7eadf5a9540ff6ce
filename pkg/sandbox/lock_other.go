//go:build !unix

package sandbox

import (
	"errors"
	"os"
)

var errNoLock = errors.New("a sandbox with a state file needs a Unix system; use one in memory")

func lockFile(*os.File) error   { return errNoLock }
func unlockFile(*os.File) error { return errNoLock }
