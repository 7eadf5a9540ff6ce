package cloud

import (
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/plan"
)

// listings reads what comes by the page, each page with the token of the one
// before: what takes longest begins first.
func (r *reader) listings(ctx context.Context, g *errgroup.Group, s plan.ReadSet) {
	if s.ParameterPath != "" {
		g.Go(func() error {
			found, err := r.cloud.parametersBelow(ctx, s.ParameterPath)
			return r.listed(found, err)
		})
	}
	if s.OwnedBy != "" {
		g.Go(func() error {
			found, err := r.cloud.parametersOwnedBy(ctx, s.OwnedBy)
			return r.listed(found, err)
		})
	}
	if len(s.LaunchTemplates) > 0 {
		g.Go(func() error {
			found, err := r.cloud.launchTemplates(ctx, s.LaunchTemplates)
			if err != nil {
				err = r.cloud.readError("read launch templates", err)
			}
			return merge(r, r.live.LaunchTemplates, found, err)
		})
	}
	if len(s.AMIs) > 0 {
		g.Go(func() error {
			found, err := r.cloud.ImagesByID(ctx, s.AMIs)
			return merge(r, r.live.AMIs, found, err)
		})
	}
	for _, names := range byFolder(s.LogGroups) {
		g.Go(func() error {
			found, err := r.cloud.logGroups(ctx, names)
			return merge(r, r.live.LogGroups, found, err)
		})
	}
}

// names reads what is asked for by name and many at a time.
func (r *reader) names(ctx context.Context, g *errgroup.Group, s plan.ReadSet) {
	for _, chunk := range chunks(s.Groups, groupsPerCall) {
		g.Go(func() error {
			found, err := r.cloud.groupsChunk(ctx, chunk)
			return merge(r, r.live.Groups, found, err)
		})
	}
	for _, chunk := range chunks(s.Parameters, parametersPerCall) {
		g.Go(func() error {
			found, err := r.cloud.parametersChunk(ctx, chunk)
			return merge(r, r.live.Parameters, found, err)
		})
	}
}

// merge adds what one call found.
func merge[V any](r *reader, into, found map[string]V, err error) error {
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(into, found)
	return nil
}

// listed adds parameters that were listed without values. One that is read
// with its value keeps it, and learns its owner.
func (r *reader) listed(found map[string]plan.LiveParameter, err error) error {
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, p := range found {
		if p.Owner != "" {
			r.owners[name] = p.Owner
		}
		if _, known := r.live.Parameters[name]; !known && !r.asked["parameter "+name] {
			r.live.Parameters[name] = p
		}
	}
	return nil
}

// byFolder groups names by what stands before their last slash.
func byFolder(names []string) [][]string {
	folders := map[string][]string{}
	for _, n := range names {
		folder := n[:strings.LastIndexByte(n, '/')+1]
		folders[folder] = append(folders[folder], n)
	}
	out := make([][]string, 0, len(folders))
	for _, f := range sortedKeys(folders) {
		out = append(out, folders[f])
	}
	return out
}

// extras reads what AWS tells only one by one.
func (r *reader) extras(ctx context.Context, g *errgroup.Group, s plan.ReadSet) {
	for _, name := range s.Secrets {
		g.Go(func() error {
			found, err := r.cloud.secret(ctx, name)
			if err != nil || found == nil {
				return err
			}
			return merge(r, r.live.Secrets, map[string]plan.LiveSecret{name: *found}, nil)
		})
	}
	tags := map[string][]string{}
	for _, i := range s.Images {
		tags[i.Repository] = append(tags[i.Repository], i.Tag)
	}
	for _, repository := range sortedKeys(tags) {
		g.Go(func() error {
			found, err := r.cloud.images(ctx, repository, slices.Compact(tags[repository]))
			named := make(map[string]plan.LiveImage, len(found))
			for tag, i := range found {
				named[repository+":"+tag] = i
			}
			return merge(r, r.live.Images, named, err)
		})
	}
	r.bundles(ctx, g, s)
	if s.Certificate != "" {
		g.Go(func() error {
			found, err := r.cloud.certificate(ctx, s.Certificate)
			return merge(r, r.live.Certificates, map[string]plan.LiveCertificate{s.Certificate: found}, err)
		})
	}
}
