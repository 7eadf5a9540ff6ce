// Package reconcile_test holds the rules about the repository itself: which
// package may import which, and what never gets into the tree.
package reconcile_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "reconcile/"

// rooms says which packages of ours a package may import, and why not more.
// Arrows point down only.
var rooms = map[string]struct {
	may []string
	why string
}{
	"cmd/reconcile":           {[]string{"pkg/ami", "pkg/packer", "pkg/lock", "pkg/journal", "pkg/report", "pkg/drift", "pkg/sandbox", "pkg/cloud", "pkg/apply", "pkg/github", "pkg/revision", "pkg/workflow", "pkg/assetops", "pkg/dev", "pkg/stacks", "pkg/plan", "pkg/cfn", "pkg/bundle", "pkg/checksum", "pkg/spec", "schema"}, "wires everything, decides nothing"},
	"pkg/report":              {[]string{"pkg/ami", "pkg/drift", "pkg/apply", "pkg/plan", "pkg/spec", "pkg/cfn"}, "renders what others decided"},
	"pkg/github":              {nil, "GitHub's API and a workflow's surroundings; takes texts and places"},
	"pkg/workflow":            {nil, "workflows as files, a leaf"},
	"pkg/github/githubtest":   {nil, "a GitHub for tests, which knows no client"},
	"pkg/assetops":            {nil, "the backend's endpoint for operators, a leaf"},
	"pkg/dev":                 {nil, "pure: what a dev instance is; reads nothing"},
	"pkg/drift":               {[]string{"pkg/plan", "pkg/cfn", "pkg/spec"}, "pure: sorts differences, reads nothing"},
	"pkg/revision":            {nil, "git only; knows no spec"},
	"pkg/sandbox":             {[]string{"pkg/sandbox/stackengine", "pkg/awstype"}, "an AWS that shared code with the plan would always agree with it"},
	"pkg/sandbox/stackengine": {[]string{"pkg/awstype"}, "an AWS that shared code with the plan would always agree with it"},
	"pkg/lock":                {nil, "an algorithm over four calls, a leaf"},
	"pkg/journal":             {[]string{"pkg/apply", "pkg/plan", "pkg/cfn", "pkg/spec"}, "what a run did, as lines; knows no AWS"},
	"pkg/cloud":               {[]string{"pkg/ami", "pkg/lock", "pkg/apply", "pkg/dev", "pkg/drift", "pkg/plan", "pkg/cfn", "pkg/bundle", "pkg/spec"}, "carries out requests, decides nothing"},
	"pkg/apply":               {[]string{"pkg/plan", "pkg/cfn", "pkg/spec"}, "knows AWS only through its port"},
	"pkg/stacks":              {[]string{"pkg/plan", "pkg/cfn", "pkg/awstype", "pkg/permission", "pkg/bundle", "pkg/spec"}, "pure: specs in, desired state out"},
	"pkg/plan":                {[]string{"pkg/ami", "pkg/cfn", "pkg/awstype", "pkg/bundle", "pkg/spec"}, "pure: no SDK, no I/O, no clock"},
	"pkg/bundle":              {[]string{"pkg/spec"}, "pure: manifests and keys, no file and no AWS"},
	"pkg/checksum":            {nil, "sums of local files, a leaf"},
	"pkg/ami":                 {nil, "what images are made of, a leaf"},
	"pkg/packer":              {nil, "runs one outside program, a leaf"},
	"pkg/cfn":                 {[]string{"pkg/awstype"}, "templates as data"},
	"pkg/awstype":             {nil, "AWS's facts, a leaf"},
	"pkg/permission":          {nil, "tables of what IAM must allow, a leaf"},
	"pkg/spec":                {[]string{"schema"}, "documents know nothing of AWS"},
	"schema":                  {nil, "the definitions, a leaf"},
}

// outside says which packages alone may import a library, and why.
var outside = []struct {
	library string
	only    []string
	why     string
}{
	{"github.com/aws/aws-sdk-go-v2", []string{"pkg/cloud", "pkg/sandbox", "pkg/sandbox/stackengine"}, "AWS is behind one port"},
	{"github.com/aws/smithy-go", []string{"pkg/cloud", "pkg/sandbox", "pkg/sandbox/stackengine"}, "AWS is behind one port"},
	{"cuelang.org/go", []string{"pkg/spec", "schema"}, "specs are the only CUE"},
	{"github.com/go-git/go-git", []string{"pkg/revision"}, "git is behind one package"},
	{"github.com/google/go-github", []string{"pkg/github"}, "GitHub is behind one package"},
	{"github.com/spf13/cobra", []string{"cmd/reconcile"}, "flags end in the command"},
	{"charm.land/lipgloss", []string{"pkg/report", "cmd/reconcile"}, "colour is the report's"},
}

func TestArrowsPointDown(t *testing.T) {
	for dir, imports := range productImports(t) {
		room, ok := rooms[dir]
		if !ok {
			if len(imports) > 0 && !strings.HasPrefix(dir, "pkg/awstype/") && !strings.HasPrefix(dir, "schema/") {
				t.Errorf("%s: a new room; add it to the table with its reason, and to ARCHITECTURE.md", dir)
			}
			continue
		}
		for _, imp := range imports {
			if ours, found := strings.CutPrefix(imp, module); found && !slices.Contains(room.may, ours) {
				t.Errorf("%s imports %s; it may import %v: %s", dir, ours, room.may, room.why)
			}
			for _, rule := range outside {
				if strings.HasPrefix(imp, rule.library) && !slices.Contains(rule.only, dir) {
					t.Errorf("%s imports %s; only %v may: %s", dir, imp, rule.only, rule.why)
				}
			}
		}
	}
}

// productImports returns, by directory, what the files that are no tests import.
func productImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		imports[dir] = append(imports[dir], "")
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			imports[dir] = append(imports[dir], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// Converting an SDK client to an interface makes the linker keep all of its
// methods (ec2 alone is 38 MB); paginators and waiters do that.
func TestNoPaginatorsOrWaiters(t *testing.T) {
	pattern := regexp.MustCompile(`\.New[A-Za-z]+(Paginator|Waiter)\(`)
	for _, dir := range []string{"pkg/cloud", "pkg/sandbox", "cmd/reconcile"} {
		for _, path := range goFiles(t, dir) {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if m := pattern.Find(body); m != nil {
				t.Errorf("%s uses %s: page with a loop over the client's own method", path, m)
			}
		}
	}
}

// Every package of ours opens with exactly one package comment.
func TestPackageComments(t *testing.T) {
	for dir := range productImports(t) {
		var with []string
		for _, path := range goFiles(t, dir) {
			if strings.HasSuffix(path, "_test.go") || filepath.ToSlash(filepath.Dir(path)) != dir {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				with = append(with, path)
			}
		}
		if len(with) != 1 {
			t.Errorf("%s: want one package comment, found them in %v", dir, with)
		}
	}
}

func goFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Nothing of the machine or of a registry gets into the tree.
func TestNoTracesOfAMachine(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not here")
	}
	pattern := `(/root/|/home/[a-z]+/|/tmp/[a-z]+/|proxy\.golang\.org|registry\.npmjs\.org|deb\.debian\.org|pypi\.org)`
	out, err := exec.Command("git", "grep", "-nIE", pattern, "--", ":!*.sum", ":!layout_test.go").CombinedOutput()
	if err == nil {
		t.Errorf("traces of a machine or a registry:\n%s", out)
	}
}
