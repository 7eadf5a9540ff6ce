package stackengine

import (
	"fmt"
	"time"
)

// importable finds the existing resource that r takes over instead of being
// created: one that the request names, or with ImportExistingResources any of
// the same explicit name that belongs to no stack (documentation of
// CreateChangeSet: "only resources with custom names").
func (e *Engine) importable(s *Stack, r *StackResource) (*Item, bool) {
	op := s.Op
	for _, want := range op.Import {
		if want.LogicalID != r.LogicalID {
			continue
		}
		return e.itemByIdentifier(r.Type, want.Identifier)
	}
	if !op.ImportAny {
		return nil, false
	}
	name, ok := e.takenName(r.Type, decode(r.Properties))
	if !ok {
		return nil, false
	}
	item := e.State.Items[e.load().taken[name]]
	return item, item != nil && item.Owner == ""
}

func (e *Engine) itemByIdentifier(typeName string, identifier map[string]string) (*Item, bool) {
	props := map[string]any{}
	for k, v := range identifier {
		props[k] = v
	}
	if name, ok := e.takenName(typeName, props); ok {
		if item := e.State.Items[e.load().taken[name]]; item != nil {
			return item, true
		}
	}
	for _, k := range keys(identifier) {
		if item := e.State.Items[typeName+"|"+identifier[k]]; item != nil {
			return item, true
		}
	}
	return nil, false
}

func (e *Engine) startImport(s *Stack, t *Task, r *StackResource, item *Item, at time.Time) {
	r.PhysicalID, r.Attributes = item.PhysicalID, item.Attributes
	e.note(s, r, "IMPORT_IN_PROGRESS", "Resource import started.", at)
	t.End = at.Add(e.seconds(e.duration(r.Type, PhaseUpdate)))
	switch {
	case item.Owner != "":
		t.Error = fmt.Sprintf("%s already exists in stack %s", item.PhysicalID, item.Owner)
		r.PhysicalID = ""
	default:
		item.Owner, item.LogicalID = s.ID, r.LogicalID
		if len(item.Properties) > 0 && sameJSON(item.Properties, r.Properties) {
			item.Properties = nil
		}
	}
}

// finishImport ends an operation of an IMPORT change set. What a failed one
// took over is given back.
func (e *Engine) finishImport(s *Stack, at time.Time) {
	if !s.Op.Failed {
		if reason := e.publish(s); reason != "" {
			s.Op.Failed, s.Op.Reason = true, reason
		}
	}
	if !s.Op.Failed {
		for _, r := range s.Resources {
			r.Before, r.Fresh = nil, false
		}
		s.Stable = nil
		e.end(s, "IMPORT_COMPLETE", "", at)
		return
	}
	reason := why(s)
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		switch {
		case r.Fresh:
			e.orphan(r)
			delete(s.Resources, id)
		case r.Before != nil:
			s.Resources[id] = r.Before
		}
	}
	e.begin(s, phaseImportRollback, reason, at)
}
