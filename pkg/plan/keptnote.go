package plan

import (
	"fmt"
	"strings"
)

// keptNote lists what survives: what a later apply imports, and what it cannot
// find again.
func (c *computation) keptNote(all map[string]*doomed) {
	var named, unnamed, shots []string
	for _, name := range sortedKeys(all) {
		if s := c.steps[ID(KindStack, name)]; s != nil && s.Blocked == nil {
			for _, ch := range s.Changes {
				if !ch.Retained {
					if all[name].snapshotted(ch.Resource) {
						shots = append(shots, name+"/"+ch.Resource)
					}
					continue
				}
				if _, ok := nameOf(all[name].live.Template.Resources[ch.Resource]); ok {
					named = append(named, name+"/"+ch.Resource)
				} else {
					unnamed = append(unnamed, name+"/"+ch.Resource)
				}
			}
		}
	}
	note := func(format string, args ...any) {
		c.find(Finding{Severity: SeverityNote, Code: "kept", Target: c.d.Target.Platform, Message: fmt.Sprintf(format, args...)})
	}
	if len(named) > 0 {
		note("%s kept with all data; a later apply imports what is kept: %s", count(len(named), "resource"), strings.Join(named, ", "))
	}
	if len(unnamed) > 0 {
		note("%s kept with all data, and with the cost, under generated names: a later apply makes new ones beside them, and AWS does not delete a network that they are in: %s",
			count(len(unnamed), "resource"), strings.Join(unnamed, ", "))
	}
	if len(shots) > 0 {
		note("a final snapshot stays of %s, and costs until it is deleted: aws rds describe-db-snapshots --snapshot-type manual; no apply restores it",
			strings.Join(shots, ", "))
	}
	if len(all) > 0 {
		note("log groups and container images that no stack holds are kept, and so are parameters that somebody else created")
	}
}
