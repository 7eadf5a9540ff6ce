package dev

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// RunTimeout is how long a bundle may take to be delivered and, then, to be
// installed; and how long is waited for it.
const RunTimeout = 6 * time.Hour

// Document is the one that the commands run by.
const Document = "AWS-RunShellScript"

// Bundle is one in the models bucket.
type Bundle struct {
	Bucket string
	Prefix string // bundles/ID
	ID     string
}

var (
	bundlePrefix = regexp.MustCompile(`^bundles/([A-Za-z0-9][A-Za-z0-9._-]*)$`)
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// BundleOf reads what the parameters of a fleet say. What could mean something
// to a shell is refused.
func BundleOf(f Fleet, bucket, active string) (Bundle, error) {
	active = strings.TrimSuffix(active, "/")
	next := "name a bundle in the spec of fleet " + f.ID() + " and reconcile apply --fleet " + f.ID() + ", or make one active in the Admin UI"
	if active == "" || active == "none" {
		return Bundle{}, &Refusal{"fleet " + f.ID() + " has no active bundle: " + f.BundleParameter() + " says none", next}
	}
	m := bundlePrefix.FindStringSubmatch(active)
	if m == nil || strings.Contains(active, "..") {
		return Bundle{}, &Refusal{fmt.Sprintf("%s is %.80q and not bundles/ID", f.BundleParameter(), active), next}
	}
	if !bucketName.MatchString(bucket) {
		return Bundle{}, &Refusal{fmt.Sprintf("%s is %.80q, which is no bucket's name", f.BucketParameter(), bucket), "reconcile apply --stack " + f.Platform + "-data"}
	}
	return Bundle{bucket, active, m[1]}, nil
}

// Commands apply the bundle on the instance. The document runs them as one
// script that goes on after a failure, so the first two say when it ends.
func (b Bundle) Commands() []string {
	return []string{
		`test -x /opt/comfyui/bin/apply-bundle.sh || { echo "/opt/comfyui/bin/apply-bundle.sh is missing: this image cannot install bundles" >&2; exit 1; }`,
		fmt.Sprintf("MODELS_BUCKET='%s' BUNDLE_PREFIX='%s' /opt/comfyui/bin/apply-bundle.sh || exit $?", b.Bucket, b.Prefix),
		"systemctl restart comfyui.service || exit $?",
		"systemctl restart comfyui-worker.service || true",
	}
}

// Command is a Run Command on one instance.
type Command struct {
	ID      string    `json:"command_id"`
	Status  string    `json:"status"`         // Systems Manager's words
	Details string    `json:"status_details"` // more of them
	Code    int       `json:"response_code"`  // of the script; -1 while there is none
	Sent    time.Time `json:"requested_at"`
	Output  string    `json:"standard_output"`
	Errors  string    `json:"standard_error"`
}

// Done tells that a command is at its end.
func (c Command) Done() bool {
	switch c.Status {
	case "Success", "Failed", "TimedOut", "Cancelled":
		return true
	}
	return false
}

// LogKey is where in the logs bucket a command's output is kept. It hangs on the
// command alone, so it tells whether somebody kept it already.
func LogKey(f Fleet, b Bundle, instance string, sent time.Time) string {
	return "asset-sync/" + f.Slug + "/" + b.ID + "/" + sent.UTC().Format("20060102T150405Z") + "-" + instance + ".json"
}

// LogsBucket of a platform.
func LogsBucket(platform, account string) string { return platform + "-logs-" + account }

// Log is the object's content.
func Log(f Fleet, b Bundle, instance string, c Command) ([]byte, error) {
	return json.MarshalIndent(struct {
		Fleet    Fleet  `json:"fleet"`
		Instance string `json:"instance_id"`
		Bundle   string `json:"bundle_id"`
		Prefix   string `json:"bundle_prefix"`
		Command
	}{f, instance, b.ID, b.Prefix, c}, "", "  ")
}

// Tail is the last n lines of a text.
func Tail(text string, n int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return lines[max(0, len(lines)-n):]
}
