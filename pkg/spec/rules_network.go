package spec

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
)

func (l *loader) ruleNetwork(_ *Set, p *Platform) {
	const path = "spec.network.cidr"
	at, written := p.At(path), p.Network.CIDR
	cidr, err := netip.ParsePrefix(written)
	if err != nil {
		l.issues.add(at, path, "cidr-form", fmt.Sprintf("%s is not an IPv4 range: each of the four numbers is at most 255, and the length at most 32", quote(written)))
		return
	}
	if cidr != cidr.Masked() {
		l.issues.suggest(at, path, "cidr-host-bits", fmt.Sprintf("%s is an address inside of its range", written), fmt.Sprintf("did you mean %q?", cidr.Masked()))
		return
	}
	if cidr.Bits() < vpcMinBits || cidr.Bits() > vpcMaxBits {
		l.issues.add(at, path, "cidr-size", fmt.Sprintf("%s: AWS allows a VPC from /%d to /%d", written, vpcMinBits, vpcMaxBits))
		return
	}
	if !cidr.Addr().IsPrivate() || !private(cidr) {
		l.issues.suggest(at, path, "cidr-private", fmt.Sprintf("%s is not a private range, so hosts on the Internet become unreachable", written), "use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
		return
	}
	if _, err := Subnets(p.Network); err != nil {
		l.issues.add(at, path, "cidr-room", strings.TrimPrefix(err.Error(), "network CIDR "))
	}
}

// private tells whether the whole range is in one of the private ones.
func private(cidr netip.Prefix) bool {
	for _, p := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} {
		if outer := netip.MustParsePrefix(p); outer.Contains(cidr.Addr()) && cidr.Bits() >= outer.Bits() {
			return true
		}
	}
	return false
}

func (l *loader) ruleZones(_ *Set, p *Platform) {
	for i, zone := range p.Network.AvailabilityZones {
		path := fmt.Sprintf("spec.network.availabilityZones[%d]", i)
		if len(zone) != len(p.Region)+1 || !strings.HasPrefix(zone, p.Region) {
			l.issues.suggest(p.At(path), path, "zone-region", fmt.Sprintf("%s is not a zone of region %s", quote(zone), p.Region), fmt.Sprintf("did you mean %q?", p.Region+zone[len(zone)-1:]))
		}
	}
	const path = "spec.network.natGateways"
	if n, zones := p.Network.NATGateways, len(p.Network.AvailabilityZones); n > zones {
		l.issues.add(p.At(path), path, "nat-gateways", fmt.Sprintf("is %d; there are only %s", n, count(zones, "zone")))
	}
}

func (l *loader) ruleServices(_ *Set, p *Platform) {
	for _, s := range []struct {
		path    string
		service Service
	}{{"spec.backend", p.Backend}, {"spec.frontend", p.Frontend}} {
		if s.service.MinTasks > s.service.MaxTasks {
			l.issues.add(p.At(s.path+".minTasks"), s.path+".minTasks", "tasks-range", fmt.Sprintf("is %d, more than maxTasks %d", s.service.MinTasks, s.service.MaxTasks))
		}
		allowed := fargateMemory(s.service.CPU)
		if !contains(allowed, s.service.MemoryMiB) {
			l.issues.suggest(p.At(s.path+".memoryMiB"), s.path+".memoryMiB", "fargate-pair",
				fmt.Sprintf("is %d: Fargate has no task with %d CPU units and that much memory", s.service.MemoryMiB, s.service.CPU),
				fargateHint(s.service.MemoryMiB, allowed))
		}
	}
}

// fargateMemory lists the memory sizes in MiB that Fargate offers for a number
// of CPU units (Linux).
func fargateMemory(cpu int) []int {
	ranges := map[int][3]int{ // from, to, step
		512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
		4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
	}
	if cpu == 256 {
		return []int{512, 1024, 2048}
	}
	r := ranges[cpu]
	var sizes []int
	for m := r[0]; r[2] > 0 && m <= r[1]; m += r[2] {
		sizes = append(sizes, m)
	}
	return sizes
}

// fargateHint names the nearest size, and the whole range.
func fargateHint(memory int, allowed []int) string {
	i := sort.SearchInts(allowed, memory)
	near := allowed[min(i, len(allowed)-1)]
	if i > 0 && i < len(allowed) && memory-allowed[i-1] <= allowed[i]-memory {
		near = allowed[i-1]
	}
	return fmt.Sprintf("the nearest is %d, of %d to %d", near, allowed[0], allowed[len(allowed)-1])
}

func contains(sizes []int, size int) bool {
	i := sort.SearchInts(sizes, size)
	return i < len(sizes) && sizes[i] == size
}
