package report

import (
	"charm.land/lipgloss/v2"
)

// ink colors text, or leaves it alone. Only the 16 basic colors are used, so
// that every terminal's own theme decides how they look.
type ink struct{ on bool }

func (k ink) paint(color, s string) string {
	if !k.on || s == "" {
		return s
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(color)).Render(s)
}

func (k ink) green(s string) string   { return k.paint("2", s) }
func (k ink) yellow(s string) string  { return k.paint("3", s) }
func (k ink) red(s string) string     { return k.paint("1", s) }
func (k ink) magenta(s string) string { return k.paint("5", s) }
func (k ink) cyan(s string) string    { return k.paint("6", s) }
func (k ink) dim(s string) string     { return k.paint("8", s) }

func (k ink) bold(s string) string {
	if !k.on || s == "" {
		return s
	}
	return lipgloss.NewStyle().Bold(true).Render(s)
}
