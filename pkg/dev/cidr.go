package dev

import (
	"fmt"
	"net/netip"
)

// narrowest prefixes let in less than a 256th of all addresses; wider ones are
// everybody for all that matters.
const widest = 8

// CheckCIDR tells what is wrong with the one network that may reach ComfyUI,
// which asks nobody for a password. everyone is somebody's word that the whole
// Internet may.
func CheckCIDR(cidr string, everyone bool) error {
	if cidr == "" {
		return &Refusal{"--cidr is missing: who may reach ComfyUI, which asks for no password?", "add --cidr ADDRESS/32 with your own public address, which https://checkip.amazonaws.com tells"}
	}
	if a, err := netip.ParseAddr(cidr); err == nil && a.Is4() {
		return &Refusal{fmt.Sprintf("--cidr %s is an address and no network", cidr), fmt.Sprintf("--cidr %s/32", cidr)}
	}
	p, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil:
		return &Refusal{fmt.Sprintf("--cidr %q is no network", cidr), "write it like 203.0.113.7/32"}
	case !p.Addr().Is4():
		return &Refusal{fmt.Sprintf("--cidr %s: a default subnet has IPv4 addresses only", cidr), "give your IPv4 address, like 203.0.113.7/32"}
	case p.Masked() != p:
		return &Refusal{fmt.Sprintf("--cidr %s has address bits behind its prefix", cidr), fmt.Sprintf("--cidr %s, or --cidr %s/32", p.Masked(), p.Addr())}
	case p.Bits() < widest && !everyone:
		return &Refusal{fmt.Sprintf("--cidr %s lets the Internet in, and ComfyUI asks for no password: whoever finds it runs what they like on your instance", cidr),
			"give your own address, like 203.0.113.7/32; if everybody may, add --open-to-everyone"}
	}
	return nil
}

// Refusal is what is not done, and what to do instead.
type Refusal struct {
	Message string
	Next    string
}

func (r *Refusal) Error() string { return r.Message }

// Hint is the next command.
func (r *Refusal) Hint() string { return r.Next }
