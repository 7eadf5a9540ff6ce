package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/spec"
)

// session is an open AWS account: a real one, or the sandbox.
type session struct {
	g       *global
	cloud   *cloud.Cloud
	sandbox *sandbox.Sandbox // nil on AWS
	// approvals are those of the specs that were planned, for a plan in a file.
	approvals []spec.Approval
	own       plan.Own          // what this program has for itself there
	carried   []spec.Approval   // consents of the specs that count
	spent     map[string]string // those that were used already, and by what
}

// open connects to AWS, or opens the sandbox; close ends it.
func (g *global) open(ctx context.Context, target plan.Target) (*session, error) {
	if g.region != "" && g.region != target.Region {
		return nil, failWith(exitRefused, "--region %s: the Platform's region is %s; a platform has one region, change it in the spec", g.region, target.Region)
	}
	options := cloud.Options{Region: target.Region, Profile: g.profile, AppID: "reconcile/" + version(), Log: g.log}
	s := &session{g: g, own: plan.OwnOf(target)}
	if g.sandbox != "" {
		box, err := sandbox.Open(sandbox.Options{Path: g.sandbox, Account: target.Account, Region: target.Region})
		if err != nil {
			return nil, err
		}
		switch {
		case box.Fresh() && box.Bare():
			fmt.Fprintf(g.err, "sandbox: an empty account %s in %s, in %s, without container images and AMIs (reconcile sandbox reset: one that has them)\n", target.Account, target.Region, g.sandbox)
		case box.Fresh():
			fmt.Fprintf(g.err, "sandbox: a fresh account %s in %s, in %s; its container images and fleet AMIs exist (reconcile sandbox reset --bare: an empty one)\n", target.Account, target.Region, g.sandbox)
		}
		g.sayTorn(box)
		s.sandbox = box
		options.HTTPClient = box
		options.StaticCredentials = true
		options.PollScale = sandboxPace
		if box.Time() == sandbox.PaceReal {
			options.PollScale = 1
		}
	}
	c, err := cloud.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	s.cloud = c
	return s, nil
}

// sayTorn tells of a write that a crash cut off.
func (g *global) sayTorn(box *sandbox.Sandbox) {
	if n := box.Torn(); n > 0 {
		fmt.Fprintf(g.err, "sandbox: %s ended in a torn write, %s without an end; nobody was told that it succeeded, and it was dropped\n", g.sandboxFile(), counted(n, "byte"))
	}
}

func (s *session) close() error {
	if s.g.stats && s.cloud != nil {
		w := tabwriter.NewWriter(s.g.err, 0, 0, 2, ' ', 0)
		calls, throttled := 0, 0
		for _, c := range s.cloud.Stats() {
			fmt.Fprintf(w, "%s\t%s\t%s%s\n", c.Service, c.Operation, counted(c.Calls, "call"), throttles(c.Throttled))
			calls, throttled = calls+c.Calls, throttled+c.Throttled
		}
		fmt.Fprintf(w, "total\t\t%s%s\n", counted(calls, "call"), throttles(throttled))
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if s.sandbox != nil {
		return s.sandbox.Close()
	}
	return nil
}

// throttles is said only where there were some.
func throttles(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d throttled", n)
}

// sandboxPace shortens the polls as the sandbox shortens AWS's operations.
const sandboxPace = 0.01
