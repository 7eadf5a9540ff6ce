package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

	"reconcile/pkg/plan"
)

// EC2 is asked one question only, so it is asked here, over its Query API with
// the SDK's signer: the generated client has 700 operations and would be by
// far the largest thing in the build. The request goes through the same
// budget and the same retry policy as every other.
const (
	ec2Service  = "EC2"
	ec2Version  = "2016-11-15"
	maxEC2Bytes = 32 << 20
)

// launchTemplatesPerPage is DescribeLaunchTemplateVersions' limit.
const launchTemplatesPerPage = "200"

// fewLaunchTemplates are asked for by name; more of them by the page of the
// whole account.
const fewLaunchTemplates = 3

type launchTemplateVersions struct {
	Items []struct {
		ID      string `xml:"launchTemplateId"`
		Name    string `xml:"launchTemplateName"`
		Version int64  `xml:"versionNumber"`
		Default bool   `xml:"defaultVersion"`
		Data    struct {
			ImageID      string `xml:"imageId"`
			InstanceType string `xml:"instanceType"`
		} `xml:"launchTemplateData"`
	} `xml:"launchTemplateVersionSet>item"`
	NextToken string `xml:"nextToken"`
}

// launchTemplates reads the newest version of each named launch template.
// DefaultVersion is known only where the newest version is the default: 0 otherwise.
func (c *Cloud) launchTemplates(ctx context.Context, names []string) (map[string]plan.LiveLaunchTemplate, error) {
	if len(names) > fewLaunchTemplates {
		all, err := c.launchTemplatePages(ctx, "")
		if err != nil {
			return nil, err
		}
		found := make(map[string]plan.LiveLaunchTemplate, len(names))
		for _, n := range names {
			if t, ok := all[n]; ok {
				found[n] = t
			}
		}
		return found, nil
	}
	found := map[string]plan.LiveLaunchTemplate{}
	for _, n := range names {
		one, err := c.launchTemplatePages(ctx, n)
		if errorCode(err) == "InvalidLaunchTemplateName.NotFoundException" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if t, ok := one[n]; ok {
			found[n] = t
		}
	}
	return found, nil
}

func (c *Cloud) launchTemplatePages(ctx context.Context, name string) (map[string]plan.LiveLaunchTemplate, error) {
	found := map[string]plan.LiveLaunchTemplate{}
	err := pages(func(token *string) (*string, error) {
		form := url.Values{"LaunchTemplateVersion.1": {"$Latest"}}
		if name != "" {
			form.Set("LaunchTemplateName", name)
		} else {
			form.Set("MaxResults", launchTemplatesPerPage)
		}
		if token != nil {
			form.Set("NextToken", *token)
		}
		var out launchTemplateVersions
		if err := c.ec2(ctx, "DescribeLaunchTemplateVersions", form, &out); err != nil {
			return nil, err
		}
		for _, v := range out.Items {
			t := plan.LiveLaunchTemplate{ID: v.ID, LatestVersion: v.Version, ImageID: v.Data.ImageID, InstanceType: v.Data.InstanceType}
			if v.Default {
				t.DefaultVersion = v.Version
			}
			found[v.Name] = t
		}
		return &out.NextToken, nil
	})
	if err != nil && !isCanceled(err) && errorCode(err) == "" {
		err = fmt.Errorf("read launch templates: %w", err)
	}
	return found, err
}

// ec2 sends one request, again while the retry policy says so.
func (c *Cloud) ec2(ctx context.Context, action string, form url.Values, out any) error {
	ctx = withCall(awsmiddleware.SetServiceID(awsmiddleware.SetOperationName(ctx, action), ec2Service))
	form.Set("Action", action)
	form.Set("Version", ec2Version)
	body := []byte(form.Encode())
	policy := retryer{clock: c.clock, scale: c.scale}
	for {
		err := c.budget.attempt(ctx, ec2Service, action, func() error { return c.ec2Once(ctx, body, out) })
		if err == nil || !policy.IsErrorRetryable(err) {
			return err
		}
		if _, stop := policy.GetRetryToken(ctx, err); stop != nil {
			return errors.Join(err, stop)
		}
	}
}

func (c *Cloud) ec2Once(ctx context.Context, body []byte, out any) error {
	endpoint, err := c.ec2Endpoint(ctx)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("EC2 endpoint: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if c.config.AppID != "" {
		r.Header.Set("User-Agent", "app/"+c.config.AppID)
	}
	credentials, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "ec2", c.region, c.clock.Now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	response, err := c.config.HTTPClient.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Canceled
		}
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxEC2Bytes))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return ec2Error(response.StatusCode, answer)
	}
	if err := xml.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("EC2's answer: %w", err)
	}
	return nil
}

// ec2Error is the first error of EC2's error document.
func ec2Error(status int, answer []byte) error {
	var doc struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	if err := xml.Unmarshal(answer, &doc); err != nil || doc.Code == "" {
		doc.Code, doc.Message = "InternalFailure", fmt.Sprintf("EC2 answered with status %d", status)
		if status < 500 {
			doc.Code = noCode
		}
	}
	return &smithy.GenericAPIError{Code: doc.Code, Message: doc.Message}
}

// ec2Endpoint is where EC2 is: what the options or the environment say for
// all services or for this one, or AWS.
func (c *Cloud) ec2Endpoint(ctx context.Context) (string, error) {
	for _, source := range c.config.ConfigSources {
		if s, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			endpoint, found, err := s.GetServiceBaseEndpoint(ctx, ec2Service)
			if err != nil {
				return "", fmt.Errorf("EC2 endpoint: %w", err)
			}
			if found && endpoint != "" {
				return withSlash(endpoint), nil
			}
		}
	}
	if c.config.BaseEndpoint != nil {
		return withSlash(*c.config.BaseEndpoint), nil
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(c.region, "cn-") {
		suffix += ".cn"
	}
	return "https://ec2." + c.region + "." + suffix + "/", nil
}

func withSlash(endpoint string) string { return strings.TrimSuffix(endpoint, "/") + "/" }
