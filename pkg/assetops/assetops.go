// Package assetops tells the backend what was done with asset bundles, over its
// one endpoint for operators (facts: contracts, "Apply a bundle to a running dev
// instance"). It sends one request and never repeats it: an event that came
// twice would be two. The secret goes into a header and nowhere else.
package assetops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// The variables of the environment that say where and with what.
const (
	URLVariable    = "ASSET_OPS_API_URL"
	SecretVariable = "ASSET_OPS_SECRET"
)

const (
	path    = "/ops/comfyui-assets/sync-logs"
	header  = "X-Asset-Ops-Secret"
	timeout = 30 * time.Second
)

// Event is the request's body.
type Event struct {
	BundleID string            `json:"bundle_id"`
	Event    string            `json:"event"`
	Notes    *string           `json:"notes"`
	Artifact *string           `json:"artifact_s3_key"` // nil: no log was kept
	Metadata map[string]string `json:"metadata"`
}

// Record posts an event. Its error has neither the secret nor what the backend
// answered, which might repeat it.
func Record(ctx context.Context, base, secret string, e Event) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return errors.New(URLVariable + " is no address")
	}
	u = u.JoinPath(path)
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return errors.New(URLVariable + " is not https, and the secret would go over the network as it is")
	}
	if secret == "" {
		return errors.New(SecretVariable + " is not set")
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New(URLVariable + " is no address")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set(header, secret)
	// A redirect would take the secret along.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("no answer from %s: %w", u.Host, err)
	}
	defer func() { _ = answer.Body.Close() }() // nothing of it is read
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers with status %s", u.Host, answer.Status)
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Repeat is the shell command that posts an event by hand, with the secret from
// the environment.
func Repeat(e Event) (string, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	return `curl --fail -X POST "$` + URLVariable + path + `" -H "` + header + `: $` + SecretVariable + `" -H 'Content-Type: application/json' -d '` +
		strings.ReplaceAll(string(body), "'", `'\''`) + "'", nil
}
