package assetops

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The secret goes to the one address that was named, over nothing that shows it,
// and into no error.
func TestRecordKeepsTheSecret(t *testing.T) {
	leaked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	defer other.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	for base, want := range map[string]string{
		elsewhere.URL:              "answers with status 307",
		"http://backend.example":   "is not https",
		"ftp://127.0.0.1":          "is not https",
		"":                         "is no address",
		"https://":                 "is no address",
		"https://127.0.0.1:1/base": "no answer from 127.0.0.1:1",
	} {
		err := Record(t.Context(), base, "hush-hush", Event{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", base, err)
		}
	}
	if err := Record(t.Context(), other.URL, "", Event{}); err == nil || !strings.Contains(err.Error(), "ASSET_OPS_SECRET is not set") {
		t.Error(err)
	}
	if leaked {
		t.Error("a redirect took the secret along")
	}
}

func TestRepeatIsOneShellWord(t *testing.T) {
	note := "it's here"
	line, err := Repeat(Event{BundleID: "x", Notes: &note})
	if err != nil || !strings.HasSuffix(line, `'{"bundle_id":"x","event":"","notes":"it'\''s here","artifact_s3_key":null,"metadata":null}'`) {
		t.Errorf("%s, %v", line, err)
	}
}
