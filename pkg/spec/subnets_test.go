package spec_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/spec"
)

func lines(subnets []spec.Subnet) string {
	var b strings.Builder
	for _, s := range subnets {
		fmt.Fprintf(&b, "%s%d %s %s\n", s.Kind, s.Number, s.CIDR, s.Zone)
	}
	return b.String()
}

func TestSubnets(t *testing.T) {
	for name, c := range map[string]struct {
		cidr  string
		zones string
		want  string
	}{
		// The layout that the present system has; moving one replaces what lives in it.
		"present system": {"10.0.0.0/16", "us-east-1a us-east-1b", `
public1 10.0.0.0/24 us-east-1a
public2 10.0.1.0/24 us-east-1b
private1 10.0.4.0/22 us-east-1a
private2 10.0.8.0/22 us-east-1b
isolated1 10.0.12.0/24 us-east-1a
isolated2 10.0.13.0/24 us-east-1b
`},
		"three zones": {"10.0.0.0/16", "a b c", `
public1 10.0.0.0/24 a
public2 10.0.1.0/24 b
public3 10.0.2.0/24 c
private1 10.0.4.0/22 a
private2 10.0.8.0/22 b
private3 10.0.16.0/22 c
isolated1 10.0.12.0/24 a
isolated2 10.0.13.0/24 b
isolated3 10.0.3.0/24 c
`},
		"smallest for two zones": {"192.168.6.0/23", "a b", `
public1 192.168.6.0/27 a
public2 192.168.6.32/27 b
private1 192.168.6.128/25 a
private2 192.168.7.0/25 b
isolated1 192.168.7.128/27 a
isolated2 192.168.7.160/27 b
`},
		"a /20 leaves room for a third zone": {"172.16.16.0/20", "a b", `
public1 172.16.16.0/25 a
public2 172.16.16.128/25 b
private1 172.16.18.0/23 a
private2 172.16.20.0/23 b
isolated1 172.16.22.0/25 a
isolated2 172.16.22.128/25 b
`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := spec.Subnets(spec.Network{CIDR: c.cidr, AvailabilityZones: strings.Fields(c.zones)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), lines(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSubnetsRefused(t *testing.T) {
	for _, c := range []struct{ cidr, zones, want string }{
		{"10.0.0.0/24", "a b", "network CIDR 10.0.0.0/24 has no room for the subnets of 2 zones: the smallest VPC that has is a /23"},
		{"10.0.0.0/23", "a b c", "network CIDR 10.0.0.0/23 has no room for the subnets of 3 zones: the smallest VPC that has is a /22"},
		{"10.0.0.1/16", "a b", "network CIDR 10.0.0.1/16 has host bits set: its range starts at 10.0.0.0/16"},
		{"10.0.0.0/8", "a b", "network CIDR 10.0.0.0/8: a VPC is between /16 and /28"},
		{"fd00::/16", "a b", `network CIDR "fd00::/16" is not an IPv4 range`},
		{"10.0.0.0/16", "", "network 10.0.0.0/16 has no availability zones"},
	} {
		_, err := spec.Subnets(spec.Network{CIDR: c.cidr, AvailabilityZones: strings.Fields(c.zones)})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s with %q: got %v, want %s", c.cidr, c.zones, err, c.want)
		}
	}
}

// Any layout stays inside the VPC, overlaps nowhere, and a further zone moves
// none of the subnets before it.
func TestSubnetsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(16, 28).Draw(t, "bits")
		addr := netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 255).Draw(t, "b")), byte(rapid.IntRange(0, 255).Draw(t, "c")), 0})
		vpc := netip.PrefixFrom(addr, bits).Masked()
		zones := []string{"a", "b", "c"}
		three, err3 := spec.Subnets(spec.Network{CIDR: vpc.String(), AvailabilityZones: zones})
		two, err2 := spec.Subnets(spec.Network{CIDR: vpc.String(), AvailabilityZones: zones[:2]})
		if err3 == nil && err2 != nil {
			t.Fatalf("three zones fit and two do not: %v", err2)
		}
		if err2 != nil {
			return
		}
		for i, a := range append(append([]spec.Subnet{}, two...), three...) {
			p := netip.MustParsePrefix(a.CIDR)
			if p != p.Masked() || !vpc.Contains(p.Addr()) || p.Bits() < vpc.Bits() {
				t.Fatalf("%s is not a range inside %s", p, vpc)
			}
			if i < len(two) {
				continue
			}
			for _, b := range three[i-len(two)+1:] {
				if p.Overlaps(netip.MustParsePrefix(b.CIDR)) {
					t.Fatalf("%s overlaps %s", a.CIDR, b.CIDR)
				}
			}
		}
		if err3 != nil {
			return
		}
		sameSize := netip.MustParsePrefix(two[0].CIDR).Bits() == netip.MustParsePrefix(three[0].CIDR).Bits()
		for _, a := range two {
			found := false
			for _, b := range three {
				found = found || a == b
			}
			if sameSize && !found {
				t.Fatalf("adding a zone moved %s%d %s", a.Kind, a.Number, a.CIDR)
			}
		}
	})
}

// Adding a zone must not move a subnet: its range would be taken twice.
func TestThirdZoneMovesNothing(t *testing.T) {
	for bits := 16; bits <= 22; bits++ {
		n := spec.Network{CIDR: fmt.Sprintf("10.0.0.0/%d", bits), AvailabilityZones: []string{"a", "b"}}
		two, err := spec.Subnets(n)
		if err != nil {
			t.Fatal(err)
		}
		n.AvailabilityZones = append(n.AvailabilityZones, "c")
		three, err := spec.Subnets(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range two {
			if !slices.Contains(three, s) {
				t.Errorf("/%d: %s %d moves from %s", bits, s.Kind, s.Number, s.CIDR)
			}
		}
	}
}
