package scaling_test

import (
	"fmt"
	"math"
	"strings"

	"reconcile/pkg/spec"
)

// The picture's measures, in pixels.
const (
	left, right, width = 168, 20, 1000
	queueTop, queueH   = 76, 150
	sizeTop, sizeH     = 272, 130
	bandTop, bandH     = 448, 20
)

// style has the colours of light and dark pages.
const style = `
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.title{font-size:16px;font-weight:600}.unit,.tick{fill:var(--dim)}.end{text-anchor:end}.mid{text-anchor:middle}
svg{--paper:#ffffff;--ink:#1f2328;--dim:#59636e;--grid:#d8dee4;--queue:#8250df;--wanted:#0969da;--there:#9fd0a8;--alarm:#cf222e;--ok:#e3e8ed;--none:#f5d58a;--silent:#d4a72c}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--dim:#9198a1;--grid:#2b323b;--queue:#bc8cff;--wanted:#58a6ff;--there:#2f6f3e;--alarm:#f85149;--ok:#262c36;--none:#7a5c12;--silent:#bb8009}}
.paper{fill:var(--paper)}.grid{stroke:var(--grid);stroke-width:1}.queue{fill:var(--queue);fill-opacity:.22;stroke:var(--queue);stroke-width:1.3}
.wanted{fill:none;stroke:var(--wanted);stroke-width:1.8}.there{fill:var(--there)}.alarm{fill:var(--alarm)}.ok{fill:var(--ok)}.none{fill:var(--none)}
.silent{fill:var(--silent);fill-opacity:.18}.spot{fill:var(--alarm)}
`

type picture struct{ strings.Builder }

func (p *picture) add(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

func (p *picture) text(x, y int, class, format string, args ...any) {
	p.add(`<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(fmt.Sprintf(format, args...)))
}

// picture draws the day: queue, workers, alarms, on one axis of hours.
func (s *simulation) picture(f spec.FleetTemplate) string {
	p := &picture{}
	height := bandTop + len(s.shown())*bandH + 44
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t d">`, width, height)
	p.add(`<title id="t">A simulated day of the fleet template %s</title>`, f.Slug)
	p.add(`<desc id="d">Queue depth, desired and in-service workers, and the states of the alarms over 24 hours</desc>`)
	p.add(`<style>%s</style><rect class="paper" width="%d" height="%d"/>`, style, width, height)
	p.text(left, 24, "title", "A simulated day of %s", f.Slug)
	p.text(left, 44, "unit", "at most %d workers · %d jobs per worker · warm-up %d s · to zero after %d min · boots of 5 to 15 min",
		s.group.max, int(s.group.target), s.group.warmup, s.minutes)
	for _, o := range s.day.outages {
		p.add(`<rect class="silent" x="%.1f" y="%d" width="%.1f" height="%d"/>`, s.x(o[0]), queueTop, s.x(o[1])-s.x(o[0]), height-44-queueTop)
	}
	s.axis(p, height-44)
	s.panel(p, queueTop, queueH, "Queue depth", "jobs", highest(s.queue))
	p.add(`<path class="queue" d="%s"/>`, s.area(s.queue, queueTop, queueH, highest(s.queue)))
	s.panel(p, sizeTop, sizeH, "Workers", "instances", s.group.max)
	p.add(`<path class="there" d="%s"/>`, s.area(s.inService, sizeTop, sizeH, s.group.max))
	p.add(`<path class="wanted" d="%s"/>`, s.line(s.desired, sizeTop, sizeH, s.group.max))
	for _, at := range s.day.interruptions {
		p.add(`<path class="spot" d="M%.1f %dl-5 -9h10z"/>`, s.x(at), sizeTop+1)
	}
	s.bands(p)
	legend(p, height-10)
	p.add(`</svg>`)
	return p.String()
}

func (s *simulation) x(at int) float64 {
	return left + float64(width-left-right)*float64(at)/float64(s.day.seconds)
}

func (s *simulation) axis(p *picture, bottom int) {
	p.text(16, bottom+15, "unit", "time of day")
	for h := 0; h <= 24; h += 2 {
		p.add(`<path class="grid" d="M%.1f %dV%d"/>`, s.x(h*3600), queueTop, bottom)
		p.text(int(s.x(h*3600)), bottom+15, "tick mid", "%02d:00", h)
	}
}

// panel draws the axis of values, in at most five equal steps.
func (s *simulation) panel(p *picture, top, height int, name, unit string, most int) {
	p.text(16, top+12, "", "%s", name)
	p.text(16, top+28, "unit", "%s", unit)
	step := (most + 4) / 5
	for most%step != 0 {
		step++
	}
	for v := 0; v <= most; v += step {
		y := top + height - v*height/most
		p.add(`<path class="grid" d="M%d %dH%d"/>`, left, y, width-right)
		p.text(left-8, y+4, "tick end", "%d", v)
	}
}

// line is a step line of values per tick; only changes are written.
func (s *simulation) line(values []int, top, height, most int) string {
	y := func(v int) float64 { return float64(top+height) - float64(v*height)/float64(most) }
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", s.x(0), y(values[0]))
	for i, v := range values {
		if i > 0 && v != values[i-1] {
			fmt.Fprintf(&b, "H%.1fV%.1f", s.x(i*tick), y(v))
		}
	}
	fmt.Fprintf(&b, "H%.1f", s.x(len(values)*tick))
	return b.String()
}

func (s *simulation) area(values []int, top, height, most int) string {
	return s.line(values, top, height, most) + fmt.Sprintf("V%dH%dz", top+height, left)
}

// shown are the alarms that act or are for people, by what they do.
func (s *simulation) shown() [][2]string {
	return [][2]string{
		{s.first.id, "0 to 1: first worker"}, {s.group.high.id, "1 to N: tracking, more"}, {s.group.low.id, "N to 1: tracking, fewer"},
		{s.zero.id, "to 0: queue empty"}, {"QueueDeep", "people: queue deep"}, {"MetricsMissing", "people: metrics missing"},
	}
}

func (s *simulation) bands(p *picture) {
	p.text(16, bandTop-10, "", "Alarms")
	for row, a := range s.shown() {
		y := bandTop + row*bandH
		p.text(16, y+13, "", "%s", a[1])
		p.add(`<rect class="ok" x="%d" y="%d" width="%d" height="%d"/>`, left, y+3, width-left-right, bandH-6)
		states := s.states[a[0]]
		from := 0
		for i := range states {
			if i+1 < len(states) && states[i+1] == states[i] {
				continue
			}
			if class := map[string]string{stateAlarm: "alarm", stateUnknown: "none"}[states[i]]; class != "" {
				wide := math.Max(s.x((i+1)*tick)-s.x(from*tick), 2.5) // a minute must be seen
				p.add(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, class, s.x(from*tick), y+3, wide, bandH-6)
			}
			from = i + 1
		}
	}
}

func legend(p *picture, y int) {
	x := 16
	for _, e := range [][2]string{
		{"queue", "jobs, queued or running"}, {"wanted", "desired"}, {"there", "in service"}, {"spot", "Spot interruption"}, {"silent", "nobody publishes"},
		{"alarm", "ALARM"}, {"ok", "OK"}, {"none", "INSUFFICIENT_DATA"},
	} {
		shape := `<rect class="%s" x="%d" y="%d" width="14" height="10"/>`
		switch e[0] {
		case "wanted":
			shape = `<path class="%s" d="M%d %dh14"/>`
			p.add(shape, e[0], x, y-4)
		case "spot":
			p.add(`<path class="%s" d="M%d %dl-5 -9h10z"/>`, e[0], x+7, y)
		default:
			p.add(shape, e[0], x, y-9)
		}
		p.text(x+19, y, "unit", "%s", e[1])
		x += 36 + 13*len(e[1])/2
	}
}

func highest(values []int) int {
	most := 1
	for _, v := range values {
		most = max(most, v)
	}
	return (most + 3) / 4 * 4
}
