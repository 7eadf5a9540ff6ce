package report

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
)

// region is the part of a terminal that is redrawn in place. The cursor stands
// in the first column of the line below it.
type region struct {
	widths []int // of the lines that stand there, in columns
}

// erase moves to the region's start and clears from there. Lines that were
// drawn on a wider terminal stand on several rows now.
func (r *region) erase(columns int) string {
	rows := 0
	for _, w := range r.widths {
		rows += max(1, (w+columns-1)/max(1, columns))
	}
	r.widths = nil
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", rows)
}

// show draws lines, each cut to fit one row.
func (r *region) show(lines []string, columns int) string {
	var b strings.Builder
	fit := lipgloss.NewStyle().Inline(true).MaxWidth(max(1, columns-1))
	for _, l := range lines {
		l = fit.Render(l)
		r.widths = append(r.widths, lipgloss.Width(l))
		b.WriteString(l + "\n")
	}
	return b.String()
}

// tallest is how many lines a region has at most, so that it leaves room for
// what came before. A lower terminal would scroll what should be redrawn: there
// it has two lines less than that.
const tallest = 17

func (p *Progress) tallest() int {
	if rows := p.o.Rows(); rows > 0 {
		return max(2, min(tallest, rows-2))
	}
	return tallest
}

// columns is the width to draw in: 80 where the terminal does not tell its size.
func (p *Progress) columns() int {
	if n := p.o.Columns(); n > 0 {
		return max(8, n)
	}
	return 80
}

// draw writes lines that stay, and the region below them anew.
func (p *Progress) draw(stay []string) {
	columns := p.columns()
	p.write(p.region.erase(columns) + lines(stay) + p.region.show(p.live(columns), columns))
}

// live is what the region shows: failures first, then one line a running step,
// those that run longest first, then the counts.
func (p *Progress) live(columns int) []string {
	most := p.tallest() - 1 // the counts
	var out []string
	for i, l := range p.failed {
		if i == max(1, most/2) {
			out[i-1] = fmt.Sprintf("  … %d more lines of failures", len(p.failed)-i+1)
			break
		}
		out = append(out, l)
	}
	width := 0
	for _, a := range p.active {
		width = max(width, lipgloss.Width(clean(a.step.Target)))
	}
	width = min(width, max(8, columns/2))
	now := p.o.Now()
	for i, a := range p.active {
		if len(out) == most-1 && i < len(p.active)-1 {
			out = append(out, p.ink.dim(fmt.Sprintf("… %d more running", len(p.active)-i)))
			break
		}
		if len(out) >= most {
			break
		}
		out = append(out, p.activityLine(a, width, elapsed(now.Sub(a.began))))
	}
	return append(out, p.ink.dim(p.counts(elapsed(now.Sub(p.start)))))
}

// counts is the last line: how far the run is.
func (p *Progress) counts(since string) string {
	total := len(p.o.Plan.Steps)
	line := fmt.Sprintf("%d of %s done, %d running", p.done, counted(total, "step"), len(p.active))
	if waiting := total - p.ended - len(p.active); waiting > 0 {
		line += fmt.Sprintf(", %d waiting", waiting)
	}
	return line + ", " + since
}

func (p *Progress) activityLine(a *activity, width int, since string) string {
	name := clean(a.step.Target)
	if lipgloss.Width(name) > width {
		// The end tells more: fleets and parameters share their beginnings.
		runes := []rune(name)
		for len(runes) > 1 && lipgloss.Width(string(runes)) > width-1 {
			runes = runes[1:]
		}
		name = "…" + string(runes)
	}
	line := p.ink.symbol(symbolOf(a.step.Action)) + " " + pad(name, width) + " " + fmt.Sprintf("%6s", since)
	if n := created(a.step.Changes); n > 0 && a.last.Done > 0 {
		line += fmt.Sprintf("  %d/%d", min(a.last.Done, n), n)
	}
	switch {
	case a.last.Transfer != nil:
		line += "  " + transferred(*a.last.Transfer)
	case a.last.Resource != "":
		line += "  " + clean(a.last.Resource)
		if a.last.Type != "" {
			line += " " + p.ink.dim(clean(a.last.Type))
		}
		if a.last.State != "" {
			line += " " + stateText(p.ink, a.last.State)
		}
	case a.last.Status != "":
		line += "  " + stateText(p.ink, a.last.Status)
	default:
		line += "  " + verb(a.step)
	}
	return line
}

func stateText(k ink, state string) string {
	state = clean(state)
	if strings.Contains(state, "FAILED") || strings.Contains(state, "ROLLBACK") {
		return k.red(state)
	}
	return k.dim(state)
}
