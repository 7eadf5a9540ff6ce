package report

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// rolloutRows say what a step does to the instances of a fleet.
func (o Options) rolloutRows(s plan.Step) []row {
	r := s.Rollout
	if r == nil {
		return nil
	}
	lines := []string{o.rolledOut(r), instances(r)}
	if r.InService > 0 && !r.TypesOnly {
		if busy := busyWorkers(r); busy != "" {
			lines = append(lines, busy)
		}
	}
	if len(r.Alarms) > 0 {
		lines = append(lines, "it fails, and everything goes back, when "+strings.Join(r.Alarms, " or ")+" rings")
	}
	rows := make([]row, len(lines))
	for i, l := range lines {
		rows[i] = row{kind: rowSentence, text: clean(l)}
	}
	return rows
}

// rolledOut says what is rolled out. Where several fleets are told as one, what
// each has now is left out.
func (o Options) rolledOut(r *plan.Rollout) string {
	version := ""
	if r.FromVersion != "" && !o.anonymous {
		version = ", launch template version " + r.FromVersion + " → the next"
	}
	switch {
	case r.TypesOnly:
		return "rolls out where and as what instances are launched: those that match already stay"
	case r.FromImage != r.ToImage && r.FromImage != "" && r.ToImage != "":
		return fmt.Sprintf("rolls out AMI %s → %s%s", r.FromImage, r.ToImage, version)
	case r.ToImage != "":
		return fmt.Sprintf("rolls out a launch template with the same AMI %s%s", r.ToImage, version)
	}
	return "rolls out a launch template" + version
}

func instances(r *plan.Rollout) string {
	switch {
	case r.InService == 0:
		return "no instance is in service: nothing is replaced, the next one starts as new"
	case r.TypesOnly:
		return counted(r.InService, "instance") + " in service"
	}
	return fmt.Sprintf("replaces %s in service, in at least %s", counted(r.InService, "instance"), counted(r.Minutes, "minute"))
}

func busyWorkers(r *plan.Rollout) string {
	if r.Protected == 0 {
		return ""
	}
	what := counted(r.Protected, "instance") + " protected by a job: "
	switch r.Busy {
	case "Refresh":
		return what + "replaced like the others"
	case "Ignore":
		return what + "kept as they are until they end by themselves"
	}
	return what + "waited for; AWS gives up when nothing moves for an hour"
}
