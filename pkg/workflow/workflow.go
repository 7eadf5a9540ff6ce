// Package workflow writes the GitHub workflows of a repository of specs:
// validate, plan, apply, drift, and those that a person starts. The files in
// files/ are whole workflows with a few places to fill in; package stacks trusts
// them by their names. It knows no spec and no AWS. Start with Files.
package workflow

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed files
var files embed.FS

// Folder is a folder of specs, which is a platform in an account.
type Folder struct {
	Specs       string `json:"specs"`       // from the repository's root
	Environment string `json:"environment"` // of GitHub, that applies it; each has its own
	Plan        string `json:"-"`           // environment of the jobs that plan a pull request; empty: none
	Account     string `json:"account"`     // end of the names of its roles' variables: PRODUCTION
	Region      string `json:"region"`
}

// Options of Files.
type Options struct {
	// Action is what installs the program: "OWNER/NAME@COMMIT # v1.2.3", the
	// commit of that release; or "./" in the program's own repository.
	Action  string
	Branch  string // that is applied
	Folders []Folder
}

var (
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9._][A-Za-z0-9._/-]*$`)
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	pinned     = regexp.MustCompile(`^(\./|[A-Za-z0-9-]+/[A-Za-z0-9._/-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?)$`)
	errFolders = errors.New("no folder of specs")
)

// Files are the workflows by their file name. It refuses what would not be
// plain text in a workflow, and an action that is not pinned to a commit.
func Files(o Options) (map[string][]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var environments, matrix []string
	planning := ""
	platforms := map[string]Folder{}
	for _, f := range o.Folders {
		environments = append(environments, f.Environment)
		platforms[f.Environment] = f
		plans := ""
		if f.Plan != "" {
			plans, planning = ", plan: "+f.Plan, "environment: ${{ matrix.plan }}\n    "
		}
		matrix = append(matrix, fmt.Sprintf("- {specs: %s, environment: %s, account: %s, region: %s%s}", f.Specs, f.Environment, f.Account, f.Region, plans))
	}
	table, err := json.Marshal(platforms)
	if err != nil {
		return nil, fmt.Errorf("workflows: %w", err)
	}
	out := map[string][]byte{}
	entries, err := files.ReadDir("files")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			return nil, err
		}
		which := "inputs.environment"
		if strings.Contains(string(b), "matrix:") {
			which = "matrix.environment"
		}
		fill := strings.NewReplacer("uses: ACTION", uses(o.Action), "BRANCH", o.Branch, "#PLANNING\n    ", planning, "#ENVIRONMENTS", strings.Join(environments, ", "),
			"#MATRIX", strings.Join(matrix, "\n          "), "#PLATFORMS", string(table), "#SECRET", secret(o.Folders, which))
		out[e.Name()] = []byte(fill.Replace(string(b)))
	}
	return out, nil
}

// uses is the step that installs the program, with the version that the
// comment of a pinned action names.
func uses(action string) string {
	version := "source"
	if _, comment, found := strings.Cut(action, " # "); found {
		version = comment
	}
	return "uses: " + action + "\n        with:\n          version: " + version
}

// secret is the expression of the role that applies. Each secret is named: an
// index that is computed would hand all secrets to the job.
func secret(folders []Folder, which string) string {
	if len(folders) == 1 {
		return "secrets.AWS_DEPLOY_ROLE_ARN_" + folders[0].Account
	}
	var cases []string
	for _, f := range folders {
		cases = append(cases, fmt.Sprintf("%s == '%s' && secrets.AWS_DEPLOY_ROLE_ARN_%s", which, f.Environment, f.Account))
	}
	return strings.Join(cases, " || ")
}

func (o Options) check() error {
	if len(o.Folders) == 0 {
		return errFolders
	}
	if !pinned.MatchString(o.Action) {
		return fmt.Errorf("action %q: want \"OWNER/NAME@COMMIT # v1.2.3\", the 40 digits of the release's commit; a tag can be moved", o.Action)
	}
	if !plainPath.MatchString(o.Branch) {
		return fmt.Errorf("branch %q: want letters, digits and . _ / -", o.Branch)
	}
	var seen []string
	for _, f := range o.Folders {
		if !plainPath.MatchString(f.Specs) {
			return fmt.Errorf("folder %q: workflows name it, so it needs a name of letters, digits and . _ / - from the repository's root", f.Specs)
		}
		for _, word := range []string{f.Environment, f.Account, f.Region, cmp.Or(f.Plan, "none")} {
			if !plainWord.MatchString(word) {
				return fmt.Errorf("folder %s: %q is no name for a workflow", f.Specs, word)
			}
		}
		if slices.Contains(seen, f.Environment) {
			return fmt.Errorf("folder %s: the environment %s is another folder's; each platform has its own", f.Specs, f.Environment)
		}
		seen = append(seen, f.Environment)
	}
	return nil
}
