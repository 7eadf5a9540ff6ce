package cloud

import (
	"context"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// mark reads the mark of a stack whose description does not show it from the
// template that is deployed. On AWS the two are the same text; a stand-in may
// keep only the template (moto drops the description of a change set). So it
// costs a call only for a stack that looks like somebody else's.
func (c *Cloud) mark(ctx context.Context, s *plan.LiveStack) error {
	if s.Owned || !hasTemplate(s.Status) {
		return nil
	}
	if s.Template == nil {
		t, err := c.template(ctx, s.ID)
		if err != nil || t == nil {
			return err
		}
		s.Marker, s.Owned = cfn.ParseMarker(t.Description)
		return nil
	}
	markByTemplate(s)
	return nil
}

// markByTemplate takes the mark of the deployed template where it was read: a
// stand-in's description may also be an older one.
func markByTemplate(s *plan.LiveStack) {
	if s.Template == nil {
		return
	}
	if m, ok := cfn.ParseMarker(s.Template.Description); ok {
		s.Marker, s.Owned = m, true
	}
}

// marks does so for the stacks that have the name of a desired one.
func (r *reader) marks(ctx context.Context) error {
	var foreign []plan.LiveStack
	for _, name := range sortedKeys(r.live.Stacks) {
		if s := r.live.Stacks[name]; r.desired[name] && !s.Owned {
			foreign = append(foreign, s)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for i := range foreign {
		g.Go(func() error { return r.cloud.mark(ctx, &foreign[i]) })
	}
	err := g.Wait()
	for _, s := range foreign {
		r.live.Stacks[s.Name] = s
	}
	return err
}
