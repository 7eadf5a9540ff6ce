package stacks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/pkg/stacks"
)

// rows are the cells of a Markdown document's table rows, without heads.
func rows(t *testing.T, path string) [][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		if strings.HasPrefix(line, "|---") {
			out = out[:len(out)-1] // the line above is a head
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, cells)
	}
	return out
}

var testName = regexp.MustCompile("`(?:((?:pkg|cmd)/[a-z/]+) )?(Test[A-Za-z0-9]+)`")

// TestTrapsTable: all 36, each with a test that exists or the reason why none can.
func TestTrapsTable(t *testing.T) {
	table := rows(t, filepath.Join("..", "..", "docs", "traps.md"))
	if len(table) != 36 {
		t.Fatalf("%d traps", len(table))
	}
	for i, row := range table {
		if len(row) != 4 || row[0] != strconv.Itoa(i+1) {
			t.Errorf("row %d: %q", i+1, row)
			continue
		}
		tests := testName.FindAllStringSubmatch(row[3], -1)
		if len(tests) == 0 && !strings.HasPrefix(row[2], "Out of reach") {
			t.Errorf("trap %d is held by nothing", i+1)
		}
		for _, m := range tests {
			if !testExists(t, m[1], m[2]) {
				t.Errorf("trap %d: no test %s", i+1, m[2])
			}
		}
	}
}

func testExists(t *testing.T, pkg, name string) bool {
	t.Helper()
	dir := "."
	if pkg != "" {
		dir = filepath.Join("..", "..", pkg)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(f string) bool {
		b, err := os.ReadFile(f)
		return err == nil && strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)")
	})
}

// TestSecurityExceptionsTable: every rule that a spec may name is there, and
// every row says why.
func TestSecurityExceptionsTable(t *testing.T) {
	var rules []string
	for _, row := range rows(t, filepath.Join("..", "..", "docs", "security-exceptions.md")) {
		if len(row) != 3 || len(row[2]) < 20 {
			t.Errorf("row %q does not say why", row)
			continue
		}
		if name, ok := strings.CutPrefix(row[0], "`"); ok {
			rules = append(rules, strings.TrimSuffix(name, "`"))
		}
	}
	if !slices.Equal(rules, stacks.Rules()) {
		t.Errorf("rules %v, the program knows %v", rules, stacks.Rules())
	}
}
