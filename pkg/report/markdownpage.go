package report

import (
	"fmt"
	"html"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// where names what a page is about: platform, account, region and specs.
func (p *page) where(t plan.Target) string {
	parts := []string{code(t.Platform), "account " + code(t.Account), code(t.Region)}
	specs := ""
	if p.o.Folder != "" {
		specs = "specs in " + code(p.o.Folder)
	}
	if t.Revision != "" {
		specs = strings.TrimSpace(strings.TrimPrefix(specs+" at "+code(short(t.Revision)), " "))
		if p.o.Folder == "" {
			specs = "specs at " + code(short(t.Revision))
		}
	}
	if specs != "" {
		parts = append(parts, specs)
	}
	return strings.Join(parts, " · ")
}

// short is a commit as people write it, and everything else as it is.
func short(revision string) string {
	hex, dirty, found := strings.Cut(revision, "-dirty")
	if len(hex) == 40 && strings.Trim(hex, "0123456789abcdef") == "" {
		hex = hex[:12]
	}
	if found {
		return hex + "-dirty" + dirty
	}
	return hex
}

// at names spec lines, as links where there are some.
func (p *page) at(sources ...spec.Source) string {
	var out []string
	for i, s := range sources {
		if i == 1 && len(sources) > manySources {
			out = append(out, counted(len(sources)-i, "line")+" more")
			break
		}
		where := code(place(s))
		if where == "" {
			continue
		}
		if p.o.Link != nil {
			if url := p.o.Link(s); url != "" {
				where = "[" + where + "](" + url + ")"
			}
		}
		out = append(out, where)
	}
	return strings.Join(out, ", ")
}

// items writes a list under a title, as far as room allows, and says how many
// there are more.
func items(title string, list []string, room int) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n#### %s\n\n", title)
	for i, item := range list {
		if b.Len()+len(item) > room && i > 0 {
			fmt.Fprintf(&b, "- …and %d more\n", len(list)-i)
			break
		}
		b.WriteString(item + "\n")
	}
	return b.String()
}

// anchor is a spec line in HTML, as a link where there is one.
func (p *page) anchor(s spec.Source) string {
	where := "<code>" + markupCode(place(s)) + "</code>"
	if p.o.Link != nil {
		if url := p.o.Link(s); url != "" {
			return `<a href="` + html.EscapeString(url) + `">` + where + "</a>"
		}
	}
	return where
}

// spare is kept free for the line that says what is left out.
func (p *page) spare() int { return 100 + len(p.full()) }

// footer leads to the run.
func (p *page) footer() string {
	if p.o.Full == "" {
		return ""
	}
	return "\n[The run and its report](" + p.o.Full + ")\n"
}

// full says where the whole report is.
func (p *page) full() string {
	if p.o.Full == "" {
		return "the plan's artifact, or `reconcile plan`, has all of it"
	}
	return "[the full report](" + p.o.Full + ") has all of it"
}
