package stacks

import (
	_ "embed"
	"strings"

	"reconcile/pkg/cfn"
)

// The scripts that run in the platform. They hold no value of a spec: values
// are put in front of them, quoted.
var (
	//go:embed scripts/worker-boot.sh
	workerBootScript string
	//go:embed scripts/php-bootstrap.sh
	phpBootstrapScript string
	//go:embed scripts/sidecar.sh
	sidecarScript string
	//go:embed scripts/frontend-health.js
	frontendHealthScript string
	//go:embed scripts/scale-to-zero.py
	scaleToZeroScript string
)

// shellQuote makes one word of the shell of any text.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// assign is a shell assignment. A value with an open reference is an id, name
// or URL that AWS made, none of which can contain a quote.
func assign(name string, value any) any {
	if s, ok := value.(string); ok {
		return name + "=" + shellQuote(s) + "\n"
	}
	return cfn.Join(name+"='", value, "'\n")
}

// script drops the comments of a script, which cost bytes wherever it is sent.
func script(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// python drops what a Python program runs without: comments, one-line
// docstrings, three of four spaces of its indentation. CloudFormation takes
// 4,096 characters of an inline function.
func python(text string) string {
	var b strings.Builder
	for line := range strings.Lines(script(text)) {
		code := strings.TrimLeft(line, " ")
		if !strings.HasPrefix(code, `"""`) {
			b.WriteString(strings.Repeat(" ", (len(line)-len(code))/4) + code)
		}
	}
	return b.String()
}
