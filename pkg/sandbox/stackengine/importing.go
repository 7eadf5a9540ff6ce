package stackengine

import (
	"context"
	"fmt"
	"time"

	"reconcile/pkg/awstype"
)

// Importer is a Provider whose things can come into a stack although no stack
// made them, and learn whose they are.
type Importer interface {
	Provider
	// Import marks an existing thing as the stack's, and changes nothing else of it.
	Import(ctx context.Context, r Resource) (Physical, error)
}

// importable finds the existing resource that r takes over instead of being
// created: one that the request names, or with ImportExistingResources any of
// the same explicit name that belongs to no stack (documentation of
// CreateChangeSet: "only resources with custom names"; of automatic import:
// "Primary IDs with read only properties aren't supported").
func (e *Engine) importable(ctx context.Context, s *Stack, r *StackResource) (*Item, bool) {
	op := s.Op
	for _, want := range op.Import {
		if want.LogicalID == r.LogicalID {
			item := e.existing(ctx, r.Type, want.Identifier)
			return item, item != nil
		}
	}
	if !op.ImportAny || !identifiedByName(r.Type) {
		return nil, false
	}
	name, ok := e.takenName(r.Type, decode(r.Properties))
	if !ok {
		return nil, false
	}
	item := e.State.Items[e.load().taken[name]]
	return item, item != nil && item.Owner == ""
}

// identifiedByName tells whether the template can hold the primary identifier.
func identifiedByName(typeName string) bool {
	t, ok := awstype.Lookup(typeName)
	if !ok {
		return false
	}
	for _, p := range t.Identifier {
		if t.Computed(p) {
			return false
		}
	}
	return true
}

// existing is the thing with a primary identifier; nil when there is none.
// What no stack made, and what somebody deleted since, its service tells.
func (e *Engine) existing(ctx context.Context, typeName string, identifier map[string]string) *Item {
	item := e.itemByIdentifier(typeName, identifier)
	special := e.Providers[typeName]
	if special == nil || item != nil && item.Owner != "" {
		return item
	}
	if _, can := special.(Importer); item == nil && !can || len(identifier) != 1 {
		return item
	}
	for _, id := range identifier {
		if item != nil {
			id = item.PhysicalID
		}
		live, err := special.Read(ctx, Resource{Account: e.State.Account, Region: e.State.Region, Type: typeName, PhysicalID: id, Now: e.now()})
		if err != nil {
			return nil
		}
		if item == nil {
			item = &Item{Type: typeName, PhysicalID: id, Properties: compact(live)}
		}
	}
	return item
}

func (e *Engine) itemByIdentifier(typeName string, identifier map[string]string) *Item {
	props := map[string]any{}
	for k, v := range identifier {
		props[k] = v
	}
	if name, ok := e.takenName(typeName, props); ok {
		if item := e.State.Items[e.load().taken[name]]; item != nil {
			return item
		}
	}
	for _, k := range keys(identifier) {
		if item := e.State.Items[typeName+"|"+identifier[k]]; item != nil {
			return item
		}
	}
	return nil
}

func (e *Engine) startImport(ctx context.Context, s *Stack, t *Task, r *StackResource, item *Item, at time.Time) {
	r.PhysicalID, r.Attributes, r.Imported = item.PhysicalID, item.Attributes, true
	e.note(s, r, "IMPORT_IN_PROGRESS", "Resource import started.", at)
	delay, fault := e.fault(s, r, PhaseCreate)
	t.End = at.Add(e.seconds(e.duration(r.Type, PhaseUpdate) + delay))
	switch {
	case item.Owner != "":
		t.Error = belongs(item)
	case fault != nil:
		t.Error = fault.reason(e, s, r)
	}
	if t.Error != "" {
		r.PhysicalID = ""
		return
	}
	if p, can := e.Providers[r.Type].(Importer); can {
		made, err := p.Import(ctx, e.view(s, r))
		if err != nil {
			t.Error = handlerError(err).reason(e, s, r)
			r.PhysicalID = ""
			return
		}
		r.Attributes, item.Attributes = made.Attributes, made.Attributes
	}
	key := r.Type + "|" + r.PhysicalID
	e.load().dropItem(key, item)
	item.Owner, item.LogicalID = s.ID, r.LogicalID
	if name, ok := e.takenName(r.Type, decode(r.Properties)); ok {
		item.Name = name
	}
	if len(item.Properties) > 0 && sameJSON(item.Properties, r.Properties) {
		item.Properties = nil
	}
	e.State.Items[key] = item
	e.load().addItem(key, item)
}

func belongs(item *Item) string {
	return fmt.Sprintf("%s already exists in stack %s", item.PhysicalID, item.Owner)
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
