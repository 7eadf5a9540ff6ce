package report

import (
	"io"

	"reconcile/pkg/spec"
)

// IssuesMarkdown writes what validation found for those who review the specs.
func IssuesMarkdown(w io.Writer, issues spec.Issues, o Options) error {
	o.Color = false
	p := newPage(o)
	p.linef("### The specs are invalid: %s\n", counted(len(issues), "finding"))
	if o.Folder != "" {
		p.linef("In %s. Nothing was planned and nothing of AWS was asked.\n", code(o.Folder))
	} else {
		p.linef("Nothing was planned and nothing of AWS was asked.\n")
	}
	for i, issue := range issues {
		item := "- " + p.at(spec.Source{File: issue.File, Line: issue.Line, Column: issue.Column}) + " "
		if issue.Path != "" {
			item += code(issue.Path) + ": "
		}
		item += escape(issue.Message)
		if issue.Suggestion != "" {
			item += "  \n  help: " + escape(issue.Suggestion)
		}
		if o.MaxBytes > 0 && p.Len()+len(item)+p.spare() > o.MaxBytes {
			p.linef("\n…and %s more: `reconcile validate` lists them.", counted(len(issues)-i, "finding"))
			break
		}
		p.linef("%s", item)
	}
	p.WriteString(p.footer())
	return p.flush(w)
}

// FailureMarkdown says that there is no plan, and why.
func FailureMarkdown(w io.Writer, reason string, o Options) error {
	p := newPage(o)
	p.linef("### No plan could be made\n")
	if o.Folder != "" {
		p.linef("Specs in %s.\n", code(o.Folder))
	}
	lines := cleanLines(reason)
	p.fenced("", limited(lines, 40))
	if o.Full != "" {
		p.linef("\n[The run](%s) has the log.", o.Full)
	}
	return p.flush(w)
}
