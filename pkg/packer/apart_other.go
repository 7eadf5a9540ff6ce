//go:build !unix

package packer

import (
	"os"
	"os/exec"
)

func apart(*exec.Cmd) {}

// interrupt ends Packer: where there are no signals it cannot be asked.
func interrupt(p *os.Process) error { return p.Kill() }
