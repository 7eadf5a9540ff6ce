package report

import (
	"strings"

	"charm.land/lipgloss/v2"

	"reconcile/pkg/plan"
)

// symbol is what stands before a step or a change.
type symbol string

const (
	symbolCreate  symbol = "+"
	symbolUpdate  symbol = "~"
	symbolReplace symbol = "+/-"
	symbolDelete  symbol = "-"
	symbolDrift   symbol = "!"
	symbolImport  symbol = ">"
)

// legend explains the symbols, in the order in which it is printed.
var legend = []struct {
	symbol symbol
	text   string
}{
	{symbolCreate, "create"},
	{symbolUpdate, "update"},
	{symbolReplace, "replace, the new one first"},
	{symbolDelete, "delete"},
	{symbolImport, "import"},
	{symbolDrift, "edited by hand, or stuck"},
}

func symbolOf(a plan.Action) symbol {
	switch a {
	case plan.ActionCreate:
		return symbolCreate
	case plan.ActionReplace:
		return symbolReplace
	case plan.ActionDelete:
		return symbolDelete
	case plan.ActionImport:
		return symbolImport
	case plan.ActionRecover:
		return symbolDrift
	}
	return symbolUpdate
}

// strongest is the symbol of a resource that several changes touch.
func strongest(changes []plan.Change) symbol {
	for _, c := range changes {
		if c.Path == "" {
			return symbolOf(c.Action)
		}
		if c.Replace == plan.ReplaceYes || c.Replace == plan.ReplaceMaybe {
			return symbolReplace
		}
	}
	return symbolUpdate
}

// propertySymbol tells whether a property comes, goes or changes.
func propertySymbol(c plan.Change) symbol {
	switch {
	case c.Before == nil && c.After == nil && c.Document != "":
		return symbolUpdate
	case c.Before == nil && (c.After != nil || c.Unknown):
		return symbolCreate
	case c.After == nil && !c.Unknown:
		return symbolDelete
	}
	return symbolUpdate
}

func (k ink) symbol(s symbol) string {
	switch s {
	case symbolCreate:
		return k.green(string(s))
	case symbolDelete:
		return k.red(string(s))
	case symbolReplace:
		return k.magenta(string(s))
	case symbolDrift:
		return k.cyan(string(s))
	}
	return k.yellow(string(s))
}

// kindName is how people call what a step works on.
func kindName(s plan.Step) string {
	return strings.ReplaceAll(string(s.Kind), "-", " ")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-lipgloss.Width(s)))
}

// verb says what a step does, for a headline.
func verb(s plan.Step) string {
	if b := s.Body.Stack; b != nil && b.Revert {
		return "put back what was deployed"
	}
	if s.Body.Bucket != nil {
		return "delete, in every version"
	}
	if s.Kind == plan.KindBundle && s.Action == plan.ActionCreate {
		return "store"
	}
	switch s.Action {
	case plan.ActionCreate:
		return "create"
	case plan.ActionReplace:
		return "replace"
	case plan.ActionDelete:
		return "delete"
	case plan.ActionImport:
		return "import"
	case plan.ActionProtect:
		return "protect from termination"
	case plan.ActionUnprotect:
		return "lift the termination protection"
	case plan.ActionRecover:
		if r := s.Body.Recover; r != nil {
			return "recover: " + strings.ReplaceAll(r.Operation, "-", " ")
		}
		return "recover"
	case plan.ActionRun:
		return "run"
	}
	return "update"
}
