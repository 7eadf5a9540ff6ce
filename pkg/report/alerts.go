package report

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// dangers are told above all else, in one block for those that need somebody's
// consent and in one for the others. They are never cut off: where their
// reasons do not fit, the names stay.
func (m *planMarkdown) dangers() {
	var needs, others []hazard
	for _, h := range m.hazards {
		if h.needs {
			needs = append(needs, h)
		} else {
			others = append(others, h)
		}
	}
	for _, level := range []dangerLevel{withReasons, namesOnly} {
		text := m.alert("CAUTION", needs, level) + m.alert("WARNING", others, level)
		if level == withReasons && len(text) > m.share(4)*3 {
			continue
		}
		if len(text) > m.share(1) {
			break
		}
		m.WriteString(text)
		return
	}
	m.countedDangers(needs, others)
}

type dangerLevel int

const (
	withReasons dangerLevel = iota
	namesOnly
)

// alert is a block that GitHub draws in a color.
func (m *planMarkdown) alert(kind string, hs []hazard, level dangerLevel) string {
	if len(hs) == 0 {
		return ""
	}
	lead := hazardCounts(hs)
	if kind == "CAUTION" {
		lead += agree(total(hs), " needs", " need") + " an approval that nobody gave"
	}
	lines := []string{"[!" + kind + "]", "**" + escape(lead) + "**", ""}
	if level == withReasons {
		for _, h := range hs {
			lines = append(lines, strings.Split(m.hazard(h), "\n")...)
		}
	} else {
		for _, k := range kinds(hs) {
			var names []string
			for _, h := range hs {
				if h.first.Kind == k {
					names = append(names, h.targets...)
				}
			}
			lines = append(lines, "- **"+string(k)+"** "+code(compact(names)))
		}
	}
	return "\n> " + strings.Join(lines, "\n> ") + "\n"
}

// hazard is one danger as an item of a list.
func (m *planMarkdown) hazard(h hazard) string {
	line := "- **" + escape(string(h.first.Kind)) + "** "
	if n := len(h.targets); n > 1 {
		line += fmt.Sprintf("× %d ", n)
	} else {
		line += code(h.targets[0])
	}
	line = strings.TrimRight(line, " ") + ": " + escape(h.why)
	if at := m.at(h.sources...); at != "" {
		line += " (" + at + ")"
	}
	if h.approved {
		line += " · approved"
	}
	if len(h.targets) > 1 {
		line += "  \n  " + code(compact(h.targets))
	}
	return line
}

// countedDangers is for more dangers than a comment has letters.
func (m *planMarkdown) countedDangers(groups ...[]hazard) {
	var hs []hazard
	for _, g := range groups {
		hs = append(hs, g...)
	}
	m.linef("\n> [!CAUTION]\n> **%s. Their names do not fit into this comment; do not approve it before you have read them: %s.**", escape(hazardCounts(hs)), m.full())
}

func total(hs []hazard) int {
	n := 0
	for _, h := range hs {
		n += len(h.targets)
	}
	return n
}

// kinds are the kinds of dangers that there are, in order.
func kinds(hs []hazard) []plan.DangerKind {
	var out []plan.DangerKind
	for _, h := range hs {
		if len(out) == 0 || out[len(out)-1] != h.first.Kind {
			out = append(out, h.first.Kind)
		}
	}
	return out
}

// manyApprovals is how many approvals are spelled out to be copied.
const manyApprovals = 12

// consent says how to give the approvals that are missing: in the specs, where
// they are reviewed with the change, or on the command line.
func (m *planMarkdown) consent() {
	lacks := m.o.lacking(m.p)
	if len(lacks) == 0 || unsound(m.p) {
		return
	}
	if len(lacks) > manyApprovals {
		m.linef("\nConsent is given by `approvals:` in the Platform document, or by `--approve`; `reconcile plan` prints the whole command.")
		return
	}
	m.linef("\n<details><summary>How to consent</summary>\n\nIn the Platform document, reviewed with this change (a day that is near, and why):\n")
	lines := []string{"approvals:"}
	for _, a := range lacks {
		lines = append(lines, fmt.Sprintf("  - {kind: %s, target: %s, expires: YYYY-MM-DD, reason: …}", clean(string(a.Kind)), yamlWord(a.Target)))
	}
	m.fenced("yaml", lines)
	m.linef("\nOr on the command line:\n")
	m.fenced("", []string{clean(strings.Join(m.o.approving(m.p, m.p.Steps), " "))})
	m.linef("\n</details>")
}

// yamlWord is text as YAML takes it for text.
func yamlWord(s string) string {
	s = clean(s)
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" && strings.Trim(s, "0123456789.-") != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
