package spec

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// SubnetKind says what a subnet's route table reaches.
type SubnetKind string

// The three kinds, in the order in which they are laid out.
const (
	SubnetPublic   SubnetKind = "public"   // internet gateway
	SubnetPrivate  SubnetKind = "private"  // NAT gateway
	SubnetIsolated SubnetKind = "isolated" // nothing outside the VPC
)

// Subnet is one subnet of the platform's VPC.
type Subnet struct {
	Kind   SubnetKind
	Number int    // 1 for the first zone
	CIDR   string // canonical, inside the network's CIDR
	Zone   string // availability zone name
}

const (
	vpcMinBits     = 16 // the largest VPC that AWS allows
	vpcMaxBits     = 28
	privateBits    = 22 // sizes in a VPC that has room
	edgeBits       = 24 // public and isolated
	loadBalancerSN = 27 // the smallest subnet that a load balancer accepts
	roomyZones     = 3  // zones that the sizes leave room for where they can
)

// Subnets lays out one public, one private and one isolated subnet per zone:
// /24, /22 and /24 where the VPC has room, else all halved together as often as
// needed, down to /27 for the public ones. Two zones are laid out kind by
// kind, each subnet aligned to its size. A third zone goes into what is free,
// and the sizes leave room for it wherever the VPC can hold three, so that adding
// it moves no subnet that exists.
//
// The result is ordered by kind (public, private, isolated), then by number.
func Subnets(n Network) ([]Subnet, error) {
	vpc, err := netip.ParsePrefix(n.CIDR)
	if err != nil || !vpc.Addr().Is4() {
		return nil, fmt.Errorf("network CIDR %q is not an IPv4 range", n.CIDR)
	}
	if vpc != vpc.Masked() {
		return nil, fmt.Errorf("network CIDR %s has host bits set: its range starts at %s", n.CIDR, vpc.Masked())
	}
	if vpc.Bits() < vpcMinBits || vpc.Bits() > vpcMaxBits {
		return nil, fmt.Errorf("network CIDR %s: a VPC is between /%d and /%d", n.CIDR, vpcMinBits, vpcMaxBits)
	}
	if len(n.AvailabilityZones) == 0 {
		return nil, fmt.Errorf("network %s has no availability zones", n.CIDR)
	}
	for _, room := range []int{max(roomyZones, len(n.AvailabilityZones)), len(n.AvailabilityZones)} {
		for shrink := 0; edgeBits+shrink <= loadBalancerSN; shrink++ {
			if _, ok := layout(vpc, make([]string, room), shrink); !ok {
				continue
			}
			if subnets, ok := layout(vpc, n.AvailabilityZones, shrink); ok {
				return subnets, nil
			}
		}
	}
	return nil, fmt.Errorf("network CIDR %s has no room for the subnets of %d zones: the smallest VPC that has is a /%d",
		n.CIDR, len(n.AvailabilityZones), smallestVPC(len(n.AvailabilityZones)))
}

// smallestVPC is the longest prefix whose range holds the subnets of the given
// number of zones.
func smallestVPC(zones int) int {
	names := make([]string, zones)
	for bits := vpcMaxBits; bits > vpcMinBits; bits-- {
		vpc := netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), bits)
		if _, ok := layout(vpc, names, loadBalancerSN-edgeBits); ok {
			return bits
		}
	}
	return vpcMinBits
}

// layout places the subnets with every size halved shrink times. It works in
// units of the smallest subnet.
func layout(vpc netip.Prefix, zones []string, shrink int) ([]Subnet, bool) {
	unitBits := edgeBits + shrink
	if vpc.Bits() > unitBits {
		return nil, false
	}
	used := make([]bool, 1<<(unitBits-vpc.Bits()))
	base := binary.BigEndian.Uint32(vpc.Addr().AsSlice())
	byKind := map[SubnetKind][]Subnet{}
	next := 0
	place := func(kind SubnetKind, zone, from int) bool {
		size, bits := 1, unitBits
		if kind == SubnetPrivate {
			size, bits = 1<<(edgeBits-privateBits), privateBits+shrink
		}
		at, ok := firstFree(used, from, size)
		if !ok {
			return false
		}
		for i := at; i < at+size; i++ {
			used[i] = true
		}
		next = at + size
		var addr [4]byte
		binary.BigEndian.PutUint32(addr[:], base+uint32(at)<<(32-unitBits))
		byKind[kind] = append(byKind[kind], Subnet{
			Kind: kind, Number: zone + 1, Zone: zones[zone],
			CIDR: netip.PrefixFrom(netip.AddrFrom4(addr), bits).String(),
		})
		return true
	}

	kinds := []SubnetKind{SubnetPublic, SubnetPrivate, SubnetIsolated}
	first := min(2, len(zones))
	for _, kind := range kinds {
		for zone := range first {
			if !place(kind, zone, next) {
				return nil, false
			}
		}
	}
	for zone := first; zone < len(zones); zone++ {
		for _, kind := range kinds {
			if !place(kind, zone, 0) {
				return nil, false
			}
		}
	}
	var all []Subnet
	for _, kind := range kinds {
		all = append(all, byKind[kind]...)
	}
	return all, true
}

// firstFree finds size free units, aligned to size, at or after from.
func firstFree(used []bool, from, size int) (int, bool) {
	for at := (from + size - 1) / size * size; at+size <= len(used); at += size {
		free := true
		for i := at; i < at+size; i++ {
			free = free && !used[i]
		}
		if free {
			return at, true
		}
	}
	return 0, false
}
