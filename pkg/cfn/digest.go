package cfn

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
)

// Names of the outputs that every template of ours carries. They make each
// change deployable (CloudFormation refuses an update that changes nothing)
// and keep the revision that last changed the stack.
const (
	DigestOutput   = "ReconcileDigest"
	RevisionOutput = "ReconcileRevision"
)

// Digest is the hex SHA-256 of what a template deploys: everything but the
// description, the template's metadata and our own two outputs, together
// with the stack's tags and template parameters.
type Digest string

// Marker is what the end of a stack's description says: that we own it, for
// whom, and the digest of what was deployed. ListStacks returns descriptions
// and neither tags nor outputs (facts: aws-limits 4.1).
type Marker struct {
	Owner  string // the Platform's name
	Digest Digest
}

var markerPattern = regexp.MustCompile(`\[reconcile owner=([A-Za-z][A-Za-z0-9-]*) digest=([0-9a-f]{64})\]$`)

// ParseMarker reads the marker at the end of a stack's description.
func ParseMarker(description string) (Marker, bool) {
	m := markerPattern.FindStringSubmatch(description)
	if m == nil {
		return Marker{}, false
	}
	return Marker{Owner: m[1], Digest: Digest(m[2])}, true
}

// DigestOf computes the digest. The template must have no open reference.
func DigestOf(t Template, tags map[string]string, parameters map[string]string) (Digest, error) {
	if open := Refs(t); len(open) > 0 {
		return "", &ErrOpen{Refs: open}
	}
	t.Description = ""
	t.Metadata = nil
	if t.Outputs != nil {
		outputs := make(map[string]Output, len(t.Outputs))
		for k, o := range t.Outputs {
			if k != DigestOutput && k != RevisionOutput {
				outputs[k] = o
			}
		}
		t.Outputs = outputs
		if len(outputs) == 0 {
			t.Outputs = nil
		}
	}
	// No tags are no tags, whether the map is nil, empty or was left out of JSON.
	if len(tags) == 0 {
		tags = nil
	}
	if len(parameters) == 0 {
		parameters = nil
	}
	sum := sha256.New()
	err := stream(map[string]any{"template": t, "tags": tags, "parameters": parameters}, func(b []byte) { sum.Write(b) })
	if err != nil {
		return "", err
	}
	return Digest(hex.EncodeToString(sum.Sum(nil))), nil
}

// Seal returns the template as it is deployed: digest and owner at the end of
// the description, digest and revision as outputs.
func Seal(t Template, owner string, digest Digest, revision string) Template {
	outputs := make(map[string]Output, len(t.Outputs)+2)
	for k, o := range t.Outputs {
		outputs[k] = o
	}
	outputs[DigestOutput] = Output{Description: "Digest of the deployed template", Value: string(digest)}
	if revision != "" {
		outputs[RevisionOutput] = Output{Description: "Revision of the specs that last changed this stack", Value: revision}
	}
	t.Outputs = outputs
	t.Description = fmt.Sprintf("%s [reconcile owner=%s digest=%s]", t.Description, owner, digest)
	return t
}

// Parse reads a JSON template. Numbers become float64.
func Parse(body []byte) (Template, error) {
	var t Template
	if err := json.Unmarshal(body, &t); err != nil {
		return Template{}, fmt.Errorf("parse template: %w", err)
	}
	return t, nil
}
