package awstype

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestReplacementAgreesWithServiceSpec holds our replacement data against the
// one that the AWS CDK uses, which AWS derives by itself from its documentation
// and schemas. differ lists what is known to differ and why.
func TestReplacementAgreesWithServiceSpec(t *testing.T) {
	raw, err := os.ReadFile("testdata/replacement.txt")
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]map[string]Replace{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		f := strings.Fields(line)
		if theirs[f[0]] == nil {
			theirs[f[0]] = map[string]Replace{}
		}
		if len(f) == 3 {
			theirs[f[0]][f[1]] = Replace(f[2])
		}
	}
	met := map[string]bool{}
	report := func(name, path string, ours, spec Replace) {
		key := name + " " + path
		if d, known := differ[key]; known {
			met[key] = true
			if d.ours != ours || d.theirs != spec {
				t.Errorf("%s: ours %s, theirs %s; the list says %s and %s", key, ours, spec, d.ours, d.theirs)
			}
			return
		}
		t.Errorf("%s: ours %s, theirs %s", key, ours, spec)
	}
	compared := 0
	for _, name := range Names() {
		spec, ok := theirs[name]
		if !ok {
			t.Errorf("%s is not in replacement.txt; run testdata/regenerate.js", name)
			continue
		}
		typ, _ := Lookup(name)
		for path, answer := range spec {
			compared++
			if ours := typ.Replacement(strings.ReplaceAll(path, ".*", "[0]")); ours != answer {
				report(name, path, ours, answer)
			}
		}
		for _, path := range slices.Concat(typ.CreateOnly, typ.ConditionalCreateOnly) {
			compared++
			ours := typ.Replacement(strings.ReplaceAll(path, ".*", "[0]"))
			if _, listed := spec[path]; listed {
				continue
			}
			if answer := specAt(spec, path); answer != ours && !typ.Computed(path) {
				report(name, path, ours, answer)
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d answers compared", compared)
	}
	for key := range differ {
		if !met[key] {
			t.Errorf("%s is listed and does not differ", key)
		}
	}
}

// specAt is what the other data says of a path that it does not list.
func specAt(spec map[string]Replace, path string) Replace {
	answer := No
	for p, r := range spec {
		switch within(strings.Split(path, "."), strings.Split(p, ".")) {
		case inside:
			return r
		case encloses:
			answer = Maybe
		}
	}
	return answer
}
