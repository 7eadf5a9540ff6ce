package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"reconcile/pkg/report"
)

// global are the flags that every command has.
type global struct {
	stdio
	specs     string
	sandbox   string
	profile   string
	region    string
	output    string
	color     string
	logLevel  string
	logFormat string
	stats     bool

	rev      string  // git revision of the specs; empty: the folder as it is
	files    fs.FS   // the specs at rev, once they were loaded
	descent  descent // what an apply may do about the commit applied last
	approved string  // effects that were approved, or the file of a plan that has them
	byPull   bool    // the merged pull request's check run says what was approved
	ended    bool    // the result was written, as JSON

	release string // that a platform's requires is held against; empty: none
	log     *slog.Logger
}

const (
	defaultSandbox = ".reconcile/sandbox.json"
	// sandboxEnv names the sandbox's file for every command, as --sandbox=FILE does.
	sandboxEnv = "RECONCILE_SANDBOX"
)

func newRoot(io stdio) *cobra.Command {
	g := &global{stdio: io, release: release}
	root := &cobra.Command{
		Use:   "reconcile",
		Short: "Make an AWS account match a folder of specs",
		Long: `reconcile reads a folder of YAML and CUE specs that describe a platform on AWS,
its GPU fleets and their asset bundles; shows what would change; and applies it
step by step through CloudFormation and SSM. There is no state file: git holds
what should be, AWS holds what is.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.check(cmd) },
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetUsageFunc(usage)
	f := root.PersistentFlags()
	f.StringVar(&g.specs, "specs", "specs", "folder of specs")
	f.StringVar(&g.sandbox, "sandbox", "", "use the embedded sandbox instead of AWS, with its state in `FILE` (environment: RECONCILE_SANDBOX)")
	f.Lookup("sandbox").NoOptDefVal = defaultSandbox
	f.StringVar(&g.profile, "profile", "", "AWS profile")
	f.StringVar(&g.region, "region", "", "AWS region; it must be the Platform's")
	f.StringVarP(&g.output, "output", "o", "text", "`FORMAT` of the result: text, json, markdown, html or github, where it makes sense")
	f.StringVar(&g.color, "color", "auto", "auto, always or never")
	f.StringVar(&g.logLevel, "log-level", "warn", "debug, info, warn or error")
	f.StringVar(&g.logFormat, "log-format", "text", "text or json")
	f.BoolVar(&g.stats, "stats", false, "print the AWS calls per API at the end")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	root.AddCommand(
		newInit(g), newValidate(g), newRender(g), newSchema(g),
		newPlan(g), newApply(g), newDestroy(g), newStatus(g), newDrift(g), newBundle(g), newHistory(g), newUnlock(g), newComment(g),
		newBootstrap(g), newAMI(g), newDev(g), newRollout(g),
		newSandbox(g), newVersion(g),
	)
	root.InitDefaultCompletionCmd()
	return root
}

func usageError(err error) error {
	return fmt.Errorf("%w; see reconcile --help", err)
}

// check refuses flag values that no command can use.
func (g *global) check(cmd *cobra.Command) error {
	for _, f := range []struct {
		name, value string
		may         []string
	}{
		{"color", g.color, []string{"auto", "always", "never"}},
		{"log-level", g.logLevel, []string{"debug", "info", "warn", "error"}},
		{"log-format", g.logFormat, []string{"text", "json"}},
		{"output", g.output, outputs(cmd)},
	} {
		if !contains(f.may, f.value) {
			return fmt.Errorf("--%s %q: want %s", f.name, f.value, strings.Join(f.may, ", "))
		}
	}
	if cmd.Flags().Changed("sandbox") && g.sandbox == "" {
		return errors.New("--sandbox= names no file, and AWS is not what you asked for; write --sandbox or --sandbox=FILE")
	}
	if file := os.Getenv(sandboxEnv); file != "" && !cmd.Flags().Changed("sandbox") {
		g.sandbox = file
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if g.logFormat == "json" {
		g.log = slog.New(slog.NewJSONHandler(g.err, options))
	} else {
		g.log = slog.New(slog.NewTextHandler(g.err, options))
	}
	return nil
}

// outputsKey annotates a command with the formats that it has.
const outputsKey = "outputs"

func outputs(cmd *cobra.Command) []string {
	if s := cmd.Annotations[outputsKey]; s != "" {
		return strings.Split(s, ",")
	}
	return []string{"text"}
}

func withOutputs(formats string) map[string]string {
	return map[string]string{outputsKey: formats}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// colored tells whether w may get colour: --color, NO_COLOR, TERM and whether
// it is a terminal decide.
func (g *global) colored(w io.Writer) bool {
	switch g.color {
	case "always":
		return true
	case "never":
		return false
	}
	if os.Getenv("NO_COLOR") != "" {
		return false // before CLICOLOR_FORCE, which colorprofile would follow
	}
	return colorprofile.Detect(w, os.Environ()) > colorprofile.ASCII
}

// style is how text for people looks on w.
func (g *global) style(w io.Writer) report.Options {
	return report.Options{Color: g.colored(w), Width: columns(w), Source: g.excerpt, Flags: g.flags()}
}

// flags are the flags of this invocation that a command to run next needs too.
func (g *global) flags() []string {
	var out []string
	if g.sandbox == defaultSandbox {
		out = append(out, "--sandbox")
	} else if g.sandbox != "" {
		out = append(out, "--sandbox="+report.ShellWord(g.sandbox))
	}
	for _, f := range []struct{ name, value, standard string }{
		{"--specs", g.specs, "specs"}, {"--profile", g.profile, ""}, {"--region", g.region, ""},
	} {
		if f.value != f.standard {
			out = append(out, f.name+" "+report.ShellWord(f.value))
		}
	}
	return out
}

// columns is the width of the terminal behind w, 0 when it is none.
func columns(w io.Writer) int {
	width, _ := size(w)
	return width
}

// rows is the height of the terminal behind w, 0 when it is none.
func rows(w io.Writer) int {
	_, height := size(w)
	return height
}

func size(w io.Writer) (width, height int) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	width, height, err := term.GetSize(f.Fd())
	if err != nil {
		return 0, 0
	}
	return width, height
}

// terminal tells whether w is a terminal that a person looks at.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("CI") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return term.IsTerminal(f.Fd())
}

// noArgs refuses arguments, naming the likely mistake: a value written apart
// from a flag that needs "=".
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if strings.HasSuffix(args[0], ".json") {
		return fmt.Errorf("%s takes no argument, got %q; to name the sandbox's file write --sandbox=%s", cmd.CommandPath(), args[0], args[0])
	}
	return fmt.Errorf("%s takes no argument, got %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
}
