package sandbox

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
)

// Show writes what is in the account, for people: names and states, never a
// value.
func (s *Sandbox) Show(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.begin(); err != nil {
		return err
	}
	if s.store != nil {
		defer func() { _ = s.store.unlock() }() // the next request takes it anew
	}
	// What ran by itself since the last request must show, too.
	if err := s.advance(context.Background(), s.now()); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	a := s.account
	kind := "stocked: every container image and fleet AMI that is asked for exists"
	if a.Bare {
		kind = "bare: only the images that were pushed exist"
	}
	fmt.Fprintf(t, "account %s, %s, since %s\n", a.ID, kind, a.Created.Format("2006-01-02 15:04Z"))
	a.Quotas.show(t)
	a.showRaised(t)
	for _, f := range a.listFaults() {
		fmt.Fprintf(t, "fault\t%s\t%s\t%s\n", f.Target, f.Effect, f.Count)
	}
	for _, name := range sortedKeys(a.Buckets) {
		b := a.Buckets[name]
		fmt.Fprintf(t, "bucket\t%s\t%d objects\t%s\n", name, len(b.Objects), b.Region)
	}
	for _, name := range sortedKeys(a.Regions) {
		a.Regions[name].show(t, &call{now: s.clock, account: a, region: a.Regions[name], sandbox: s})
	}
	return t.Flush()
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (r *region) show(t io.Writer, c *call) {
	fmt.Fprintf(t, "\n%s\n", r.Name)
	if r.Stacks != nil {
		for _, name := range sortedKeys(r.Stacks.Names) {
			if st := r.Stacks.Stacks[r.Stacks.Names[name]]; st != nil {
				fmt.Fprintf(t, "stack\t%s\t%s\t%d resources\n", name, st.Status, len(st.Resources))
			}
		}
	}
	for _, name := range sortedKeys(r.Groups) {
		g := r.Groups[name]
		fmt.Fprintf(t, "Auto Scaling group\t%s\tmin %d, desired %d, max %d\t%d instances\n", name, g.Min, g.Desired, g.Max, len(g.out(c).Instances))
	}
	for _, id := range sortedKeys(r.LaunchTemplates) {
		fmt.Fprintf(t, "launch template\t%s\tversion %d\t%s\n", r.LaunchTemplates[id].Name, r.LaunchTemplates[id].latest().Number, id)
	}
	for _, key := range sortedKeys(r.Services) {
		fmt.Fprintf(t, "service\t%s\t%d tasks desired\t%s\n", key, r.Services[key].Desired, r.Services[key].deployments(c)[0].RolloutState)
	}
	for _, name := range c.parameterNames() {
		v := c.parameter(name).latest()
		fmt.Fprintf(t, "parameter\t%s\tversion %d\t%s\n", name, v.Number, v.Type)
	}
	for _, name := range sortedKeys(r.Secrets) {
		state := "no value"
		if len(r.Secrets[name].Versions) > 0 {
			state = "has a value"
		}
		if !r.Secrets[name].Deleted.IsZero() {
			state = "scheduled for deletion"
		}
		if !r.Secrets[name].gone(c.now) {
			fmt.Fprintf(t, "secret\t%s\t%s\n", name, state)
		}
	}
	for _, name := range sortedKeys(r.LogGroups) {
		fmt.Fprintf(t, "log group\t%s\t%d days\n", name, r.LogGroups[name].Retention)
	}
	for _, name := range sortedKeys(r.Repositories) {
		if !r.Repositories[name].Created.IsZero() {
			fmt.Fprintf(t, "repository\t%s\t%d images pushed\n", name, len(r.Repositories[name].Images))
		}
	}
	for _, id := range sortedKeys(r.Images) {
		if !r.Images[id].Gone {
			fmt.Fprintf(t, "AMI\t%s\t%s\n", id, r.Images[id].Name)
		}
	}
}
