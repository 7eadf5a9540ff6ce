//go:build unix

package packer

import (
	"os"
	"os/exec"
	"syscall"
)

// apart gives Packer a process group of its own: a terminal sends its interrupt
// to the whole group, and a second one would keep Packer from its clean-up.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(p *os.Process) error { return p.Signal(os.Interrupt) }
