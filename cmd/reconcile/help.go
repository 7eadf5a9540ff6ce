package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	helpColumns = 80
	helpIndent  = 26 // where the words on a flag begin
)

// usage is cobra's own, with the flags' words wrapped. It is written by hand
// because a usage template would link text/template's method calls by name.
func usage(c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() && !c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flagHelp(c.LocalFlags()))
	}
	if c.HasAvailableInheritedFlags() {
		fmt.Fprintf(&b, "\nFlags of every command:\n%s", flagHelp(c.InheritedFlags()))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\"%s [command] --help\" tells more about a command.\n", c.CommandPath())
	}
	_, err := io.WriteString(c.OutOrStderr(), b.String())
	return err
}

// flagHelp lists flags with their words in a column, below the flag where it
// is too long to stand beside them.
func flagHelp(set *pflag.FlagSet) string {
	var b strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, words := pflag.UnquoteUsage(f)
		head := "      --" + f.Name
		if f.Shorthand != "" {
			head = "  -" + f.Shorthand + ", --" + f.Name
		}
		switch {
		case f.NoOptDefVal != "" && f.Value.Type() != "bool":
			head += "[=" + value + "]"
			words += fmt.Sprintf("; without a value %s", f.NoOptDefVal)
		case value != "":
			head += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" {
			words += fmt.Sprintf(" (default %s)", d)
		}
		if len(head) > helpIndent-2 {
			head += "\n"
		} else {
			head = fmt.Sprintf("%-*s", helpIndent, head)
		}
		b.WriteString(head)
		for i, line := range wrapped(words, helpColumns-helpIndent) {
			if i > 0 || strings.HasSuffix(head, "\n") {
				b.WriteString(strings.Repeat(" ", helpIndent))
			}
			b.WriteString(line + "\n")
		}
	})
	return b.String()
}

// wrapped breaks words into lines of at most n columns.
func wrapped(s string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > n {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
