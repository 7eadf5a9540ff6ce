package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// maxTemplate is more than CloudFormation reads of a template: 1 MB.
const maxTemplate = 2 << 20

// fetchTemplate reads a template from the sandbox's S3, for TemplateURL. The
// texts follow "S3 error: " (facts: failure-modes B19).
func (s *Sandbox) fetchTemplate(_ context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("The URL is not valid") //nolint:staticcheck // AWS's text
	}
	name, key := bucketOfHost(&http.Request{URL: u}), strings.TrimPrefix(u.Path, "/")
	if name == "" {
		if host := u.Hostname(); !strings.HasPrefix(host, "s3.") && !strings.HasPrefix(host, "s3-") || !strings.HasSuffix(host, ".amazonaws.com") {
			return "", fmt.Errorf("Domain name specified in %s is not a valid S3 domain", host) //nolint:staticcheck // AWS's text
		}
		name, key, _ = strings.Cut(key, "/")
	}
	b := s.account.Buckets[name]
	if b == nil {
		return "", errors.New("The specified bucket does not exist") //nolint:staticcheck // AWS's text
	}
	o := b.current(key)
	if version := u.Query().Get("versionId"); version != "" {
		_, o, err = (&s3Backend{s}).version(name, key, gofakes3.VersionID(version))
	}
	if err != nil || o == nil || o.Marker {
		return "", errors.New("The specified key does not exist.") //nolint:revive,staticcheck // AWS's text
	}
	r := s.blobs.open(o.chunks(), 0, min(o.size(), maxTemplate))
	defer func() { _ = r.Close() }() // it was only read
	body, err := io.ReadAll(r)
	return string(body), err
}
