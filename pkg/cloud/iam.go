package cloud

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"

	"reconcile/pkg/plan"
)

// iam asks IAM, which has one endpoint for a whole partition.
func (c *Cloud) iam(ctx context.Context, action string, form url.Values, out any) error {
	e := endpoint{id: "IAM", signing: "iam", version: "2010-05-08", region: "us-east-1", host: "iam.amazonaws.com"}
	switch {
	case strings.HasPrefix(c.region, "cn-"):
		e.region, e.host = "cn-north-1", "iam.cn-north-1.amazonaws.com.cn"
	case strings.HasPrefix(c.region, "us-gov-"):
		e.region, e.host = "us-gov-west-1", "iam.us-gov.amazonaws.com"
	}
	form.Set("Action", action)
	form.Set("Version", e.version)
	answer, err := c.signed(ctx, e, action, []byte(form.Encode()))
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("IAM's answer: %w", err)
	}
	return nil
}

// providerNamed looks for the account's OIDC provider of an address: there is
// one at most, and its ARN ends in the address without scheme.
func (c *Cloud) providerNamed(ctx context.Context, address string) (plan.LiveNamed, error) {
	var out struct {
		ARNs []string `xml:"ListOpenIDConnectProvidersResult>OpenIDConnectProviderList>member>Arn"`
	}
	if err := c.iam(ctx, "ListOpenIDConnectProviders", url.Values{}, &out); err != nil {
		return plan.LiveNamed{}, c.readError("list the OIDC providers", err)
	}
	for _, arn := range out.ARNs {
		if strings.HasSuffix(arn, ":oidc-provider/"+strings.TrimPrefix(address, "https://")) {
			live := plan.LiveNamed{Exists: true, ID: arn}
			var found struct {
				Audiences []string `xml:"GetOpenIDConnectProviderResult>ClientIDList>member"`
			}
			if err := c.iam(ctx, "GetOpenIDConnectProvider", url.Values{"OpenIDConnectProviderArn": {arn}}, &found); err != nil {
				return plan.LiveNamed{}, c.readError("read the OIDC provider "+arn, err)
			}
			live.Audiences = found.Audiences
			return live, nil
		}
	}
	return plan.LiveNamed{}, nil
}
