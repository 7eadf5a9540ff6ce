package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
)

// endpoint is a service that is asked by signed requests of our own: the SDK's
// id, under which budget and configuration know it, and how it speaks.
type endpoint struct {
	id      string // "RDS"
	signing string // "rds", also the host's name
	version string // of the Query API
	target  string // prefix of X-Amz-Target, for JSON services
	region  string // that signatures are for; empty: the account's
	host    string // on AWS; empty: the service's in the region
}

func ec2Endpoint() endpoint { return endpoint{id: ec2Service, signing: "ec2", version: ec2Version} }

// ask sends one request, again while the retry policy says so, and gives the
// answer as a tree in which a list is []any, an element or object a map and
// everything else text.
func (c *Cloud) ask(ctx context.Context, e endpoint, action string, form url.Values) (map[string]any, error) {
	form.Set("Action", action)
	form.Set("Version", e.version)
	answer, err := c.signed(ctx, e, action, []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	return treeOfXML(answer)
}

// askJSON is ask for a service that speaks JSON.
func (c *Cloud) askJSON(ctx context.Context, e endpoint, action string, in map[string]any) (map[string]any, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	answer, err := c.signed(ctx, e, action, body)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, fmt.Errorf("%s's answer: %w", e.id, err)
	}
	return out, nil
}

func (c *Cloud) signed(ctx context.Context, e endpoint, action string, body []byte) (answer []byte, err error) {
	ctx = withCall(awsmiddleware.SetServiceID(awsmiddleware.SetOperationName(ctx, action), e.id))
	policy := retryer{clock: c.clock, scale: c.scale}
	for {
		err := c.budget.attempt(ctx, e.id, action, func() error {
			answer, err = c.signedOnce(ctx, e, action, body)
			return err
		})
		if err == nil || !policy.IsErrorRetryable(err) {
			return answer, err
		}
		if _, stop := policy.GetRetryToken(ctx, err); stop != nil {
			return nil, errors.Join(err, stop)
		}
	}
}

func (c *Cloud) signedOnce(ctx context.Context, e endpoint, action string, body []byte) ([]byte, error) {
	base, err := c.baseOf(ctx, e)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s endpoint: %w", e.id, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if e.target != "" {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", e.target+"."+action)
	}
	if c.config.AppID != "" {
		r.Header.Set("User-Agent", "app/"+c.config.AppID)
	}
	credentials, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	region := c.region
	if e.region != "" {
		region = e.region
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), e.signing, region, c.clock.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	response, err := c.config.HTTPClient.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Canceled
		}
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxEC2Bytes))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, signedError(e, response.StatusCode, answer)
	}
	return answer, nil
}

// signedError is the error that a service's error document tells of.
func signedError(e endpoint, status int, answer []byte) error {
	var doc struct {
		EC2Code    string `xml:"Errors>Error>Code" json:"-"`
		EC2Message string `xml:"Errors>Error>Message" json:"-"`
		Code       string `xml:"Error>Code" json:"__type"`
		Message    string `xml:"Error>Message" json:"message"`
	}
	decode := xml.Unmarshal
	if e.target != "" {
		decode = json.Unmarshal
	}
	err := decode(answer, &doc)
	if doc.EC2Code != "" {
		doc.Code, doc.Message = doc.EC2Code, doc.EC2Message
	}
	doc.Code = doc.Code[strings.LastIndexByte(doc.Code, '#')+1:]
	if err != nil || doc.Code == "" {
		doc.Code, doc.Message = "InternalFailure", fmt.Sprintf("%s answered with status %d", e.id, status)
		if status < 500 {
			doc.Code = noCode
		}
	}
	return &smithy.GenericAPIError{Code: doc.Code, Message: doc.Message}
}

// baseOf is where a service is: what the options or the environment say for
// all services or for this one, or AWS.
func (c *Cloud) baseOf(ctx context.Context, e endpoint) (string, error) {
	for _, source := range c.config.ConfigSources {
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			base, found, err := s.GetServiceBaseEndpoint(ctx, e.id)
			if err != nil {
				return "", fmt.Errorf("%s endpoint: %w", e.id, err)
			}
			if found && base != "" {
				return withSlash(base), nil
			}
		}
	}
	if c.config.BaseEndpoint != nil {
		return withSlash(*c.config.BaseEndpoint), nil
	}
	if e.host != "" {
		return "https://" + e.host + "/", nil
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(c.region, "cn-") {
		suffix += ".cn"
	}
	return "https://" + e.signing + "." + c.region + "." + suffix + "/", nil
}

func withSlash(endpoint string) string { return strings.TrimSuffix(endpoint, "/") + "/" }

// treeOfXML is the content of the document's root, or of its …Result.
func treeOfXML(answer []byte) (map[string]any, error) {
	var root element
	if err := xml.Unmarshal(answer, &root); err != nil {
		return nil, fmt.Errorf("an answer that is no XML: %w", err)
	}
	for _, k := range root.Kids {
		if strings.HasSuffix(k.XMLName.Local, "Result") {
			root = k
			break
		}
	}
	out, _ := root.tree().(map[string]any)
	return out, nil
}

type element struct {
	XMLName xml.Name
	Text    string    `xml:",chardata"`
	Kids    []element `xml:",any"`
}

// tree is a list where the children are members of one, a map where there are
// children, else the text.
func (e element) tree() any {
	if len(e.Kids) == 0 {
		if strings.TrimSpace(e.Text) == "" {
			return ""
		}
		return e.Text
	}
	if e.lists() {
		out := make([]any, len(e.Kids))
		for i, k := range e.Kids {
			out[i] = k.tree()
		}
		return out
	}
	out := make(map[string]any, len(e.Kids))
	for _, k := range e.Kids {
		out[k.XMLName.Local] = k.tree()
	}
	return out
}

func (e element) lists() bool {
	switch e.Kids[0].XMLName.Local {
	case "member", "item", "VpcSecurityGroupMembership", "DBParameterGroup", "DBInstance", "CacheCluster", "ReplicationGroup":
		return true
	}
	return false
}
