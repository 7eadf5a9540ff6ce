package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"reconcile/pkg/sandbox"
)

// freshAccount are the flags that say what a fresh account is like.
type freshAccount struct {
	bare bool
	seed string
	time string
}

const timeHelp = `--time says how its time passes, for all who use it: real as long as AWS takes;
fast a thousand times faster; virtual not at all, until a client that polls asks
the same thing again, for which time goes on until the answer is another, or
until reconcile sandbox mutate --advance. With a seed and virtual time the same
requests get the same answers, to the byte.`

func (f *freshAccount) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.bare, "bare", false, "an empty account, without container images and AMIs")
	cmd.Flags().StringVar(&f.seed, "seed", "", "`TEXT` that all generated ids and values derive from; random without")
	cmd.Flags().StringVar(&f.time, "time", "", "real, fast or virtual; an account that says nothing has fast time")
}

func (f *freshAccount) options(g *global) (sandbox.Options, error) {
	o := sandbox.Options{Path: g.sandboxFile(), Bare: f.bare, Seed: f.seed, Pace: sandbox.Pace(f.time), Region: g.region}
	for _, p := range sandbox.Paces() {
		if o.Pace == p {
			return o, nil
		}
	}
	if f.time != "" {
		return o, fmt.Errorf("--time %q: want real, fast or virtual", f.time)
	}
	return o, nil
}

func newSandboxServe(g *global) *cobra.Command {
	var listen string
	var fresh freshAccount
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Put the sandbox on a port, for the AWS CLI and other programs",
		Long: `serve answers on a port as AWS does, until it is interrupted. It prints the
lines that make a shell's programs use it. Other commands may use the same file
meanwhile. Signatures are not checked: listen where only you can reach it.

--log-level debug tells each call, without its content; --stats what was called,
and a digest of all answers in their order.

` + timeHelp,
		Example: "  reconcile sandbox serve\n  reconcile sandbox serve --listen 127.0.0.1:0 --seed demo --stats",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.serveSandbox(cmd.Context(), listen, fresh)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:4566", "`HOST:PORT` to listen on; port 0 takes a free one")
	fresh.flags(cmd)
	return cmd
}

func (g *global) serveSandbox(ctx context.Context, listen string, fresh freshAccount) error {
	options, err := fresh.options(g)
	if err != nil {
		return err
	}
	seen := &callLog{digest: sha256.New()}
	options.Observe = func(e sandbox.Exchange) {
		g.log.Debug("call", "service", e.Service, "operation", e.Operation, "region", e.Region, "status", e.Status, "code", e.Code, "fault", e.Fault, "took", e.Took, "id", e.ID)
		if g.stats {
			seen.add(e)
		}
	}
	box, err := sandbox.Open(options)
	if err != nil {
		return err
	}
	err = fresh.fits(g, box)
	if err == nil && options.Pace != "" {
		err = box.SetPace(options.Pace)
	}
	var l net.Listener
	if err == nil {
		l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	}
	if err != nil {
		return errors.Join(err, box.Close())
	}
	g.announceSandbox(box, l.Addr())
	err = box.ServeOn(ctx, l)
	if g.stats {
		err = errors.Join(err, seen.print(g, box))
	}
	return errors.Join(err, box.Close())
}

// fits refuses flags that only a fresh account can follow.
func (f *freshAccount) fits(g *global, box *sandbox.Sandbox) error {
	if f.bare && !box.Bare() || f.seed != "" && f.seed != box.Seed() {
		return failWith(exitRefused, "%s holds an account that is not as --bare and --seed say; reconcile sandbox reset takes both and starts a new one", g.sandboxFile())
	}
	return nil
}

// announceSandbox prints what a shell can read as it stands.
func (g *global) announceSandbox(box *sandbox.Sandbox, at net.Addr) {
	account, region := box.Account()
	fmt.Fprintf(g.out, "# sandbox %s: account %s, %s time, on http://%s until interrupted\n", g.sandboxFile(), account, box.Time(), at)
	for _, line := range []string{
		"AWS_ENDPOINT_URL=http://" + at.String(), "AWS_ACCESS_KEY_ID=sandbox", "AWS_SECRET_ACCESS_KEY=sandbox", "AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region, "AWS_EC2_METADATA_DISABLED=true",
	} {
		fmt.Fprintln(g.out, "export "+line)
	}
	if tcp, ok := at.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		fmt.Fprintln(g.err, "warning: whoever reaches this address can use the account; nothing checks signatures")
	}
}

// callLog is what a served sandbox was asked.
type callLog struct {
	mu     sync.Mutex
	digest hash.Hash
}

func (c *callLog) add(e sandbox.Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.digest, "%s %s %d %d\n%s\n", e.Service, e.Operation, e.Status, len(e.Answer), e.Answer)
}

func (c *callLog) print(g *global, box *sandbox.Sandbox) error {
	w := tabwriter.NewWriter(g.err, 0, 0, 2, ' ', 0)
	total := 0
	for _, n := range box.Stats() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", n.Service, n.Operation, counted(n.Calls, "call"))
		total += n.Calls
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(w, "total\t\t%s\n", counted(total, "call"))
	fmt.Fprintf(w, "answers\tsha256:%s\n", hex.EncodeToString(c.digest.Sum(nil)))
	return w.Flush()
}
