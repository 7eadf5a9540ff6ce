package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/sandbox"
)

// wrong are the flags of sandbox fault.
type wrong struct {
	throttle bool
	code     string
	message  string
	status   int
	lost     string
	delay    time.Duration
	stale    int
	capacity bool
	phase    string
	fail     string
	slow     time.Duration
	stack    string
	times    int
	after    int
	chance   float64
	clear    bool
}

func newSandboxFault(g *global) *cobra.Command {
	var w wrong
	cmd := &cobra.Command{
		Use:   "fault [TARGET]",
		Short: "Let calls, stack operations and launches in the sandbox go wrong",
		Long: `fault injects what goes wrong on AWS. It is kept in the sandbox's file until it
has struck --times times, or is cleared. Without arguments it lists the faults.

TARGET is one of
  SERVICE, SERVICE.OPERATION or *   calls, with --throttle, --error, --lost,
                                    --delay or --stale
  STACK/LOGICALID or a type         stack operations, with --fail or --slow;
                                    * stands for any
  INSTANCETYPE[/ZONE]               launches, with --capacity

What is left to chance derives from the account's seed: the same requests meet
the same faults.`,
		Example: `  reconcile sandbox fault ssm.GetParameters --throttle --times 3
  reconcile sandbox fault cloudformation.ExecuteChangeSet --lost after --times 1
  reconcile sandbox fault cloudformation --stack bp-data --error InternalFailure
  reconcile sandbox fault cloudformation.DescribeStacks --stale 2
  reconcile sandbox fault '*' --delay 40ms
  reconcile sandbox fault '*' --throttle --chance 0.1
  reconcile sandbox fault bp-data/Database --fail "no capacity" --phase create
  reconcile sandbox fault AWS::EC2::NatGateway --slow 10m
  reconcile sandbox fault '*/*' --fail "no luck" --after 20 --chance 0.1
  reconcile sandbox fault g4dn.xlarge/us-east-1a --capacity
  reconcile sandbox fault
  reconcile sandbox fault ssm.GetParameters --clear
  reconcile sandbox fault --clear`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return g.faultSandbox(w, strings.Join(args, "")) },
	}
	f := cmd.Flags()
	f.BoolVar(&w.throttle, "throttle", false, "answer what the service answers to one call too many")
	f.StringVar(&w.code, "error", "", "answer `CODE` instead of serving the call")
	f.StringVar(&w.message, "message", "", "`TEXT` of --error")
	f.IntVar(&w.status, "status", 0, "HTTP `STATUS` of --error; 400 without, 500 for a code that says Internal, 503 for one that says Unavailable")
	f.StringVar(&w.lost, "lost", "", "lose the answer: `before` or after the call took effect")
	f.DurationVar(&w.delay, "delay", 0, "answer later by `DURATION`, wall time")
	f.IntVar(&w.stale, "stale", 0, "let `N` reads after a write not see it yet")
	f.BoolVar(&w.capacity, "capacity", false, "AWS has no instance of the type to give: InsufficientInstanceCapacity")
	f.StringVar(&w.fail, "fail", "", "fail the stack operation with `TEXT`")
	f.DurationVar(&w.slow, "slow", 0, "let the stack operation take longer by `DURATION` of the account's time")
	f.StringVar(&w.phase, "phase", "", "only `PHASE`: create, update, delete or rollback")
	f.StringVar(&w.stack, "stack", "", "only CloudFormation calls about the stack `NAME`")
	f.IntVar(&w.times, "times", 0, "strike `N` times; 0 is until cleared")
	f.IntVar(&w.after, "after", 0, "let `N` calls or stack operations pass first")
	f.Float64Var(&w.chance, "chance", 0, "strike a call or stack operation with this probability, 0 to 1; 0 strikes all")
	f.BoolVar(&w.clear, "clear", false, "clear the faults of TARGET, or all")
	return cmd
}

func (g *global) faultSandbox(w wrong, target string) (err error) {
	add, err := w.read(target)
	if err != nil {
		return err
	}
	open := g.openSandbox
	if add != nil { // a fault may be set before anything else is there
		open = func() (*sandbox.Sandbox, error) { return sandbox.Open(sandbox.Options{Path: g.sandboxFile()}) }
	}
	box, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	switch {
	case w.clear:
		n, err := box.ClearFaultsOf(target)
		if err != nil {
			return err
		}
		fmt.Fprintf(g.out, "cleared %s\n", counted(n, "fault"))
		return nil
	case add != nil:
		if err := add(box); err != nil {
			return err
		}
	}
	return g.listFaults(box)
}

// read understands the flags; nil means that nothing is to be added.
func (w *wrong) read(target string) (func(*sandbox.Sandbox) error, error) {
	call := w.throttle || w.code != "" || w.lost != "" || w.delay != 0 || w.stale != 0
	resource := w.fail != "" || w.slow != 0
	switch {
	case w.times < 0 || w.after < 0 || w.delay < 0 || w.slow < 0 || w.stale < 0 || w.chance < 0 || w.chance > 1:
		return nil, errors.New("--times, --after, --delay, --slow and --stale are not negative, and --chance is 0 to 1")
	case w.clear && (call || resource || w.capacity):
		return nil, errors.New("--clear removes faults; it goes with a TARGET alone")
	case w.clear || target == "" && !call && !resource && !w.capacity:
		return nil, nil
	case target == "":
		return nil, errors.New("what is to go wrong? a TARGET is missing; see reconcile sandbox fault --help")
	case count(call, resource, w.capacity) > 1:
		return nil, errors.New("one kind of fault at a time: of calls, of stack operations (--fail, --slow) or --capacity")
	case w.capacity && (w.after != 0 || w.chance != 0):
		return nil, errors.New("--after and --chance are of calls and stack operations; of --capacity, say --times")
	case w.capacity:
		kind, zone, _ := strings.Cut(target, "/")
		return func(box *sandbox.Sandbox) error { return box.AddShortage(kind, zone, w.times) }, nil
	case resource:
		return w.readResource(target)
	case call:
		return w.readCall(target)
	}
	return nil, fmt.Errorf("%s: how is it to go wrong? see reconcile sandbox fault --help", target)
}

func count(flags ...bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

func (w *wrong) readCall(target string) (func(*sandbox.Sandbox) error, error) {
	service, operation, err := sandbox.ParseCall(target)
	if err != nil {
		return nil, err
	}
	lost := sandbox.Lost(w.lost)
	if lost != "" && lost != sandbox.LostBefore && lost != sandbox.LostAfter {
		return nil, fmt.Errorf("--lost %q: want before or after", w.lost)
	}
	if w.phase != "" {
		return nil, errors.New("--phase goes with --fail and --slow, of stack operations")
	}
	if w.stack != "" && service != "cloudformation" {
		return nil, fmt.Errorf("--stack: only calls of cloudformation are about a stack, not %s", target)
	}
	rule := sandbox.FaultRule{Service: service, Operation: operation, Stack: w.stack, After: w.after, Times: w.times, Chance: w.chance, Fault: sandbox.Fault{
		Code: w.code, Message: w.message, Status: w.httpStatus(), Throttle: w.throttle, Lost: lost, Delay: w.delay, Stale: w.stale,
	}}
	return func(box *sandbox.Sandbox) error { return box.AddFault(rule) }, nil
}

func (w *wrong) httpStatus() int {
	switch {
	case w.status != 0 || w.code == "":
		return w.status
	case strings.Contains(w.code, "Internal"):
		return 500
	case strings.Contains(w.code, "Unavailable"):
		return 503
	}
	return 400
}

func (w *wrong) readResource(target string) (func(*sandbox.Sandbox) error, error) {
	f, err := sandbox.ParseResource(target, w.phase)
	if err != nil {
		return nil, err
	}
	if w.stack != "" {
		f.Stack = w.stack
	}
	f.Message, f.Delay, f.Times, f.After, f.Chance = w.fail, w.slow.Seconds(), w.times, w.after, w.chance
	return func(box *sandbox.Sandbox) error { return box.AddResourceFault("", f) }, nil
}

func (g *global) listFaults(box *sandbox.Sandbox) error {
	list := box.ListFaults()
	if len(list) == 0 {
		fmt.Fprintln(g.out, "no faults")
		return nil
	}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	for _, f := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Target, f.Effect, f.Count)
	}
	return w.Flush()
}
