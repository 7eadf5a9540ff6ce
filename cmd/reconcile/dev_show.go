package main

import (
	"cmp"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"reconcile/pkg/cloud"
	"reconcile/pkg/dev"
)

// now is the account's time: the sandbox has a clock of its own.
func (s *session) now() time.Time {
	if s.sandbox != nil {
		return s.sandbox.Now()
	}
	return time.Now()
}

// devRow is an instance as programs read it. Left is in hours.
type devRow struct {
	dev.Instance
	URL       string     `json:"url,omitempty"`
	AgeHours  float64    `json:"ageHours"`
	Stops     *time.Time `json:"stops,omitempty"`
	LeftHours *float64   `json:"leftHours,omitempty"`
	USD       float64    `json:"usdPerHour,omitempty"`
}

func rowOf(i dev.Instance, now time.Time, usd float64) devRow {
	row := devRow{Instance: i, URL: i.URL(), AgeHours: hours(now.Sub(i.Launched)), USD: usd}
	if at := i.Stops(); !at.IsZero() {
		left := hours(at.Sub(now))
		row.Stops, row.LeftHours = &at, &left
	}
	return row
}

// hours with two digits behind the point, never negative.
func hours(d time.Duration) float64 { return float64(max(0, d)/(36*time.Second)) / 100 }

func (g *global) showDevStarted(s *session, started cloud.DevStarted) error {
	i := started.Instance
	row := rowOf(i, s.now(), 0)
	if g.output == "json" {
		return g.printJSON(struct {
			devRow
			CIDR string `json:"cidr"`
			How  string `json:"how"`
		}{row, started.CIDR, started.How})
	}
	head := map[string]string{
		"made": "was made and runs", "started": "was there, stopped, and runs again", "found": "was there and runs: the same instance, and nothing was started",
	}[started.How]
	fmt.Fprintf(g.out, "%s %s (%s, %s, %s)\n", i.ID, head, i.Type, i.Image, i.Zone)
	w := tabwriter.NewWriter(g.out, 2, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  ComfyUI\t%s\n", row.URL)
	fmt.Fprintf(w, "  open to\t%s\n", started.CIDR)
	fmt.Fprintf(w, "  stops\t%s\n", stopsText(i, s.now()))
	fmt.Fprintf(w, "  bundle\t%s\n", g.command("reconcile dev apply-bundle "+i.ID))
	fmt.Fprintf(w, "  end\t%s\n", g.command("reconcile dev stop "+i.Fleet.ID()))
	return w.Flush()
}

func stopsText(i dev.Instance, now time.Time) string {
	at := i.Stops()
	if at.IsZero() {
		return "not known: it was not made by this program; stop it yourself"
	}
	return fmt.Sprintf("%s, in %s; whoever is logged in hears of it %v before", at.UTC().Format("2006-01-02 15:04 MST"), span(at.Sub(now)), dev.Warning)
}

// span is a duration as people say it: "3 h 58 min".
func span(d time.Duration) string {
	d = max(0, d).Round(time.Minute)
	if h := int(d.Hours()); h > 0 {
		return fmt.Sprintf("%d h %d min", h, int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d min", int(d.Minutes()))
}

func (g *global) showDevList(s *session, left dev.Leftover, prices map[string]float64) error {
	rows := make([]devRow, len(left.Instances))
	for n, i := range left.Instances {
		rows[n] = rowOf(i, s.now(), prices[i.Type])
	}
	unused := []string{}
	for _, group := range left.Unused() {
		unused = append(unused, group.ID)
	}
	if g.output == "json" {
		return g.printJSON(struct {
			Instances []devRow `json:"instances"`
			Unused    []string `json:"unusedSecurityGroups"`
		}{rows, unused})
	}
	if len(rows) == 0 {
		fmt.Fprintln(g.out, "no dev instances")
	} else if err := g.devTable(s, rows); err != nil {
		return err
	}
	for _, group := range left.Unused() {
		fleet := printable(group.Fleet.ID())
		fmt.Fprintf(g.out, "\nsecurity group %s is left of a dev instance of %s\n  next: %s\n", group.ID, fleet, g.command("reconcile dev stop "+fleet))
	}
	return nil
}

func (g *global) devTable(s *session, rows []devRow) error {
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "INSTANCE\tFLEET\tTYPE\tSTATE\tUP\tLEFT\tUSD/H\tCOMFYUI")
	for _, r := range rows {
		up, left, usd := "-", "-", "-"
		if r.Up() {
			up = span(s.now().Sub(r.Launched))
		}
		if r.Stops != nil {
			left = span(r.Stops.Sub(s.now()))
		}
		if r.USD > 0 {
			usd = strconv.FormatFloat(r.USD, 'f', 3, 64)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, printable(r.Fleet.ID()), r.Type, r.State, up, left, usd, cmp.Or(r.URL, "-"))
	}
	return w.Flush()
}
