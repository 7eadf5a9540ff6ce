package cloud

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/ami"
	"reconcile/pkg/plan"
)

// filterValues is how many values a filter of EC2 may have; imagesPerPage and
// instancesPerPage are the most of a page (EC2 API reference: Filter,
// DescribeImages, DescribeInstances).
const (
	filterValues     = 200
	imagesPerPage    = "1000"
	instancesPerPage = "1000"
)

type imageSet struct {
	Items []struct {
		ID      string `xml:"imageId"`
		Name    string `xml:"name"`
		State   string `xml:"imageState"`
		Owner   string `xml:"imageOwnerId"`
		Created string `xml:"creationDate"`
		Tags    []struct {
			Key   string `xml:"key"`
			Value string `xml:"value"`
		} `xml:"tagSet>item"`
		Devices []struct {
			Snapshot string `xml:"ebs>snapshotId"`
		} `xml:"blockDeviceMapping>item"`
	} `xml:"imagesSet>item"`
	NextToken string `xml:"nextToken"`
}

func (s imageSet) images(into map[string]ami.Image) {
	for _, item := range s.Items {
		i := ami.Image{ID: item.ID, Name: item.Name, State: item.State, Owner: item.Owner}
		for _, d := range item.Devices {
			if d.Snapshot != "" {
				i.Snapshots = append(i.Snapshots, d.Snapshot)
			}
		}
		tags := map[string]string{}
		for _, t := range item.Tags {
			tags[t.Key] = t.Value
		}
		created, _ := time.Parse(time.RFC3339, item.Created) // zero: EC2 always says it
		into[i.ID] = i.Read(tags, created)
	}
}

// ImagesByID reads images, 200 a call. By a filter: an id that does not exist is
// no error then. What was not found is there as the zero Image.
func (c *Cloud) ImagesByID(ctx context.Context, ids []string) (map[string]ami.Image, error) {
	found := make(map[string]ami.Image, len(ids))
	for _, id := range ids {
		found[id] = ami.Image{}
	}
	for _, chunk := range chunks(ids, filterValues) {
		err := pages(func(token *string) (*string, error) {
			var out imageSet
			if err := c.ec2(ctx, "DescribeImages", filtered(token, imagesPerPage, "image-id", chunk), &out); err != nil {
				return nil, c.readError("read the images "+chunk[0]+" …", err)
			}
			out.images(found)
			return &out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// imagesOf reads the account's own images that Packer made for fleets of these slugs.
func (c *Cloud) imagesOf(ctx context.Context, slugs []string) (map[string]ami.Image, error) {
	return c.ownImages(ctx, "tag:"+ami.TagFleet, slugs)
}

// ownImages reads the account's own images that a filter finds.
func (c *Cloud) ownImages(ctx context.Context, filter string, values []string) (map[string]ami.Image, error) {
	found := map[string]ami.Image{}
	for _, chunk := range chunks(values, filterValues) {
		err := pages(func(token *string) (*string, error) {
			form := filtered(token, imagesPerPage, filter, chunk)
			form.Set("Owner.1", "self")
			var out imageSet
			if err := c.ec2(ctx, "DescribeImages", form, &out); err != nil {
				return nil, c.readError("list the images of this account", err)
			}
			out.images(found)
			return &out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// instancesOf reads which instances run images; those that are terminated are
// left out.
func (c *Cloud) instancesOf(ctx context.Context, images []string) (map[string][]string, error) {
	found := map[string][]string{}
	for _, chunk := range chunks(images, filterValues) {
		err := pages(func(token *string) (*string, error) {
			var out struct {
				Items []struct {
					ID    string `xml:"instanceId"`
					Image string `xml:"imageId"`
					State string `xml:"instanceState>name"`
				} `xml:"reservationSet>item>instancesSet>item"`
				NextToken string `xml:"nextToken"`
			}
			if err := c.ec2(ctx, "DescribeInstances", filtered(token, instancesPerPage, "image-id", chunk), &out); err != nil {
				return nil, c.readError("read the instances of images", err)
			}
			for _, i := range out.Items {
				if i.State != "terminated" {
					found[i.Image] = append(found[i.Image], i.ID)
				}
			}
			return &out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// filtered is a page's form with one filter.
func filtered(token *string, most, name string, values []string) url.Values {
	form := url.Values{"MaxResults": {most}, "Filter.1.Name": {name}}
	for i, v := range values {
		form.Set("Filter.1.Value."+strconv.Itoa(i+1), v)
	}
	if token != nil {
		form.Set("NextToken", *token)
	}
	return form
}

// AMIs reads what the images of fleets are and what uses them: the parameters in
// tens, groups and launch templates as a plan reads them, images and instances by
// the page. templates are the names of their launch templates.
func (c *Cloud) AMIs(ctx context.Context, fleets []plan.Fleet, templates []string) (ami.State, error) {
	var slugs, parameters, groups []string
	for _, f := range fleets {
		slugs = append(slugs, f.ID[strings.IndexByte(f.ID, '/')+1:])
		parameters, groups = append(parameters, f.AMIParameter), append(groups, f.Group)
	}
	slices.Sort(slugs)
	r := newReader(c, "", plan.Desired{})
	images := map[string]ami.Image{}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	g.Go(func() (err error) {
		images, err = c.imagesOf(inner, slices.Compact(slugs))
		return err
	})
	r.names(inner, g, plan.ReadSet{Groups: groups, Parameters: parameters})
	r.listings(inner, g, plan.ReadSet{LaunchTemplates: templates})
	if err := g.Wait(); err != nil {
		return ami.State{}, err
	}
	s := ami.State{Images: images}
	for _, f := range fleets {
		p := r.live.Parameters[f.AMIParameter]
		s.Fleets = append(s.Fleets, ami.Fleet{ID: f.ID, Parameter: f.AMIParameter, Value: p.Value, Version: p.Version, Modified: p.Modified})
	}
	if err := c.launches(ctx, s.Fleets, fleets, r.live); err != nil {
		return ami.State{}, err
	}
	return s, c.restOf(ctx, &s)
}

// launches fills in which image each fleet's group launches: of the version that
// it names, which is the newest unless somebody's hand was in it.
func (c *Cloud) launches(ctx context.Context, into []ami.Fleet, fleets []plan.Fleet, live plan.Live) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	var mu sync.Mutex
	for i, f := range fleets {
		group, ok := live.Groups[f.Group]
		if !ok || group.LaunchTemplate == "" {
			continue
		}
		t, known := live.LaunchTemplates[group.LaunchTemplate]
		if known && (group.LaunchTemplateVersion == strconv.FormatInt(t.LatestVersion, 10) || group.LaunchTemplateVersion == "$Latest") {
			into[i].Launches = t.ImageID
			continue
		}
		g.Go(func() error {
			image, err := c.imageOfVersion(ctx, group.LaunchTemplate, group.LaunchTemplateVersion)
			mu.Lock()
			defer mu.Unlock()
			into[i].Launches = image
			return err
		})
	}
	return g.Wait()
}

func (c *Cloud) imageOfVersion(ctx context.Context, name, version string) (string, error) {
	if version == "" {
		version = "$Default"
	}
	var out launchTemplateVersions
	err := c.ec2(ctx, "DescribeLaunchTemplateVersions", url.Values{"LaunchTemplateName": {name}, "LaunchTemplateVersion.1": {version}}, &out)
	if err != nil {
		return "", c.readError(fmt.Sprintf("read version %s of launch template %s", version, name), err)
	}
	for _, v := range out.Items {
		return v.Data.ImageID, nil
	}
	return "", nil
}

// restOf reads the images that are named and were not listed, and who runs any.
func (c *Cloud) restOf(ctx context.Context, s *ami.State) error {
	named := map[string]bool{}
	for _, f := range s.Fleets {
		for _, id := range []string{f.Value, f.Launches} {
			if strings.HasPrefix(id, "ami-") && !s.Images[id].Exists() {
				named[id] = true
			}
		}
	}
	more, err := c.ImagesByID(ctx, sortedKeys(named))
	if err != nil {
		return err
	}
	maps.Copy(s.Images, more)
	s.Instances, err = c.instancesOf(ctx, sortedKeys(s.Images))
	return err
}
