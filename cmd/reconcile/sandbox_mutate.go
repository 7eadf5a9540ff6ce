package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/sandbox"
)

// openSandbox opens a sandbox that exists.
func (g *global) openSandbox() (*sandbox.Sandbox, error) {
	if _, err := os.Stat(g.sandboxFile()); err != nil {
		return nil, fmt.Errorf("no sandbox: %w; any command with --sandbox makes one", err)
	}
	return sandbox.Open(sandbox.Options{Path: g.sandboxFile()})
}

// hand are the flags of sandbox mutate.
type hand struct {
	remove     bool
	parameters []string
	groups     []string
	agents     []string
	publish    []string
	unpublish  []string
	advance    time.Duration
}

func newSandboxMutate(g *global) *cobra.Command {
	var h hand
	cmd := &cobra.Command{
		Use:   "mutate [TARGET [/POINTER VALUE]]",
		Short: "Change something in the sandbox by hand, as a person would",
		Long: `mutate plays the person who changes something by hand, behind everybody's back.
TARGET is STACK/LOGICALID, or TYPE/PHYSICALID like AWS::Logs::LogGroup//ecs/web.
With a JSON pointer and a value it sets a live property; the value is JSON, or
else a text, and null removes. With --delete the resource goes, and its stack
does not know. With TARGET alone it prints the live properties, and without
arguments it lists what there is.

What AWS would refuse is refused. Describe calls, plan and drift detection show
what was changed.`,
		Example: `  reconcile sandbox mutate
  reconcile sandbox mutate bp-network/AppSecurityGroup /GroupDescription
  reconcile sandbox mutate bp-data/ModelsBucket /Tags/0/Value somebody
  reconcile sandbox mutate AWS::Logs::LogGroup//ecs/bp-backend --delete
  reconcile sandbox mutate --parameter /bp/cpu/image=ami-0123456789abcdef0
  reconcile sandbox mutate --scale asg-staging-gpu-default=2
  reconcile sandbox mutate --agent i-0123456789abcdef0=lost
  reconcile sandbox mutate --publish bp-backend:php-latest
  reconcile sandbox mutate --remove ami-0123456789abcdef0
  reconcile sandbox mutate --advance 10m`,
		Args: cobra.MaximumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error { return g.mutateSandbox(h, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&h.remove, "delete", false, "delete TARGET behind the back of its stack")
	f.StringArrayVar(&h.parameters, "parameter", nil, "set an SSM parameter: `NAME=VALUE`")
	f.StringArrayVar(&h.groups, "scale", nil, "set what an Auto Scaling group wants: `GROUP=N`")
	f.StringArrayVar(&h.agents, "agent", nil, "set what an instance's SSM agent does: `INSTANCE=online|lost|slow`")
	f.StringArrayVar(&h.publish, "publish", nil, "make an image: `REPOSITORY:TAG` or an AMI id")
	f.StringArrayVar(&h.unpublish, "remove", nil, "take an image away: `REPOSITORY:TAG` or an AMI id")
	f.DurationVar(&h.advance, "advance", 0, "move the account's clock forward, at last: `DURATION` like 10m")
	return cmd
}

func (g *global) mutateSandbox(h hand, args []string) (err error) {
	mutations, err := h.mutations(args)
	if err != nil {
		return err
	}
	box, err := g.openSandbox()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	if len(mutations) == 0 && h.advance == 0 {
		return g.showLive(box, args)
	}
	for _, m := range mutations {
		m.Region = g.region
		done, err := box.Mutate(m)
		if err != nil {
			return err
		}
		fmt.Fprintln(g.out, done)
	}
	if h.advance == 0 {
		return nil
	}
	now, err := box.Advance(h.advance)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.out, "it is %s\n", now.Format(time.RFC3339))
	return nil
}

// mutations reads what the flags and arguments ask for, in a fixed order.
func (h *hand) mutations(args []string) ([]sandbox.Mutation, error) {
	var out []sandbox.Mutation
	switch {
	case h.remove && len(args) != 1:
		return nil, errors.New("--delete takes one TARGET")
	case h.remove:
		out = append(out, sandbox.Mutation{Target: args[0], Delete: true})
	case len(args) == 2:
		return nil, fmt.Errorf("%s %s: to what? the value is missing", args[0], args[1])
	case len(args) == 3:
		out = append(out, sandbox.Mutation{Target: args[0], Pointer: args[1], Value: asJSON(args[2])})
	}
	for _, id := range h.publish {
		out = append(out, sandbox.Mutation{Publish: id})
	}
	for _, p := range h.parameters {
		name, value, err := pair("parameter", p)
		if err != nil {
			return nil, err
		}
		out = append(out, sandbox.Mutation{Parameter: name, Text: value})
	}
	for _, p := range h.groups {
		name, value, err := pair("scale", p)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("--scale %s: %q is no whole number", p, value)
		}
		out = append(out, sandbox.Mutation{Group: name, Size: int32(n)})
	}
	for _, p := range h.agents {
		id, state, err := pair("agent", p)
		if err != nil {
			return nil, err
		}
		out = append(out, sandbox.Mutation{Agent: id, State: sandbox.AgentState(state)})
	}
	for _, id := range h.unpublish {
		out = append(out, sandbox.Mutation{Remove: id})
	}
	return out, nil
}

func pair(flag, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("--%s %q: want NAME=VALUE", flag, text)
	}
	return name, value, nil
}

// asJSON reads a value as a shell user writes it: JSON, or else a text.
func asJSON(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // a text always marshals
	}
	return b
}

// showLive lists what can be mutated, or prints one resource as it is.
func (g *global) showLive(box *sandbox.Sandbox, args []string) error {
	if len(args) == 1 && strings.Contains(args[0], "/") {
		doc, err := box.LiveProperties(g.region, args[0])
		if err != nil {
			return err
		}
		return g.printJSON(doc)
	}
	list, err := box.LiveResources(g.region)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	shown := 0
	for _, l := range list {
		target := l.Stack + "/" + l.LogicalID
		if l.Stack == "" {
			target = l.Type + "/" + l.PhysicalID
		}
		if len(args) == 1 && l.Stack != args[0] {
			continue
		}
		shown++
		fmt.Fprintf(w, "%s\t%s\t%s\n", target, l.Type, l.PhysicalID)
	}
	if shown == 0 && len(args) == 1 {
		return fmt.Errorf("no stack %q has resources; without arguments the command lists what there is", args[0])
	}
	return w.Flush()
}
