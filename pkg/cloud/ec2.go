package cloud

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"

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

// ec2 asks one question whose answer has a type of its own.
func (c *Cloud) ec2(ctx context.Context, action string, form url.Values, out any) error {
	form.Set("Action", action)
	form.Set("Version", ec2Version)
	answer, err := c.signed(ctx, ec2Endpoint(), action, []byte(form.Encode()))
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("EC2's answer: %w", err)
	}
	return nil
}
