package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"reconcile/pkg/spec"
)

// What follows is the part of SARIF 2.1.0 that code scanning reads.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	Automation sarifAnalysis `json:"automationDetails"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

// sarifAnalysis keeps folders apart: findings replace those of the same analysis.
type sarifAnalysis struct {
	ID string `json:"id"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string       `json:"id"`
	Short   sarifMessage `json:"shortDescription"`
	Default sarifLevel   `json:"defaultConfiguration"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifMessage      `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI  string `json:"uri"`
	Base string `json:"uriBaseId"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn"`
}

// SARIF writes the findings for code scanning. Their files are named from the
// root of the repository, as is the folder of the specs. A finding keeps its
// fingerprint while lines move.
func SARIF(w io.Writer, issues spec.Issues, folder, version string) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "reconcile", Version: version, Rules: []sarifRule{}}}, Automation: sarifAnalysis{"reconcile/" + clean(folder) + "/"}, ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	rules, seen := map[string]int{}, map[string]int{}
	for _, i := range issues {
		id := clean(i.Rule)
		at, ok := rules[id]
		if !ok {
			at = len(run.Tool.Driver.Rules)
			rules[id] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: id, Short: sarifMessage{strings.ReplaceAll(id, "-", " ")}, Default: sarifLevel{"error"}})
		}
		file := filepath.ToSlash(i.File)
		identity := strings.Join([]string{id, file, i.Path, i.Message}, "\x00")
		seen[identity]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", identity, seen[identity]))
		run.Results = append(run.Results, sarifResult{
			RuleID: id, RuleIndex: at, Level: "error", Message: sarifMessage{issueText(i)},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{(&url.URL{Path: file}).EscapedPath(), "%SRCROOT%"},
				sarifRegion{max(1, i.Line), max(1, i.Column)}}}},
			Fingerprints: map[string]string{"reconcileFinding/v1": hex.EncodeToString(sum[:])},
		})
	}
	return writeJSON(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}, "  ")
}
