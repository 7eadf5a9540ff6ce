package dev

import (
	"slices"
	"strings"
)

// Group is a security group of ours.
type Group struct {
	ID    string
	Name  string
	Fleet Fleet
	Ours  bool // it has our tags
	Rules []Rule
}

// NoPort stands for the ports of a protocol that has none; -1 is every kind of ICMP.
const NoPort = -2

// Rule lets a peer in.
type Rule struct {
	Protocol string
	From, To int
	Peer     string // a CIDR, or the id of a group or prefix list
}

// Member is where a request of EC2's has the peer.
func (r Rule) Member() string {
	switch {
	case strings.HasPrefix(r.Peer, "sg-"):
		return "Groups.1.GroupId"
	case strings.HasPrefix(r.Peer, "pl-"):
		return "PrefixListIds.1.PrefixListId"
	case strings.Contains(r.Peer, ":"):
		return "Ipv6Ranges.1.CidrIpv6"
	}
	return "IpRanges.1.CidrIp"
}

// Wanted is the one rule that a group has.
func Wanted(cidr string) Rule { return Rule{"tcp", Port, Port, cidr} }

// RulesFor compares a group's rules with the one that it should have: what is
// revoked comes first, so that nobody who lost access keeps it.
func (g Group) RulesFor(cidr string) (revoke []Rule, add bool) {
	want := Wanted(cidr)
	add = !slices.Contains(g.Rules, want)
	for _, r := range g.Rules {
		if r != want {
			revoke = append(revoke, r)
		}
	}
	return revoke, add
}
