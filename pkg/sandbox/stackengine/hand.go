package stackengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"reconcile/pkg/awstype"
)

// What a person changes by hand behind CloudFormation's back: the live resource
// changes, what the stack deployed does not.

// LiveResource is a resource that exists: in a stack, or left behind by one.
type LiveResource struct {
	Stack      string // name, "" when it belongs to none
	LogicalID  string
	Type       string
	PhysicalID string
}

// ErrNoResource tells that a resource is not there (any more).
var ErrNoResource = errors.New("no such resource")

// LiveResources lists what exists, by stack and logical id; what belongs to no
// stack comes last.
func (e *Engine) LiveResources() []LiveResource {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.load()
	var out []LiveResource
	for _, name := range keys(e.State.Names) {
		s := e.State.Stacks[e.State.Names[name]]
		if s == nil {
			continue
		}
		for _, id := range keys(s.Resources) {
			if r := s.Resources[id]; r.PhysicalID != "" && r.Status != "DELETE_COMPLETE" {
				out = append(out, LiveResource{s.Name, id, r.Type, r.PhysicalID})
			}
		}
	}
	for _, key := range keys(e.State.Items) {
		if item := e.State.Items[key]; item.Owner == "" {
			out = append(out, LiveResource{Type: item.Type, PhysicalID: item.PhysicalID})
		}
	}
	return out
}

// owner is the stack resource behind a live one.
func (e *Engine) owner(l LiveResource) (*Stack, *StackResource) {
	for _, name := range keys(e.State.Names) {
		s := e.State.Stacks[e.State.Names[name]]
		if s == nil || l.Stack != "" && l.Stack != s.Name {
			continue
		}
		for _, id := range keys(s.Resources) {
			if r := s.Resources[id]; r.Type == l.Type && r.PhysicalID == l.PhysicalID {
				return s, r
			}
		}
	}
	// It belongs to none: what is known of it is its identity.
	return &Stack{}, &StackResource{Type: l.Type, PhysicalID: l.PhysicalID}
}

// LiveProperties are the properties of a resource as they are now, hand edits
// included; ErrNoResource when it is gone.
func (e *Engine) LiveProperties(ctx context.Context, l LiveResource) (map[string]any, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, r := e.owner(l)
	return e.liveProperties(ctx, s, r)
}

func (e *Engine) liveProperties(ctx context.Context, s *Stack, r *StackResource) (map[string]any, error) {
	item := e.item(r)
	if p, special := e.Providers[r.Type]; special {
		read, err := p.Read(ctx, e.view(s, r))
		switch h := handlerError(err); {
		case h != nil && h.Code == codeNotFound:
			return nil, ErrNoResource
		case h != nil:
			return nil, h
		}
		return withHand(decode(compact(read)), item), nil
	}
	switch {
	case item == nil:
		return nil, ErrNoResource
	case item.Properties != nil:
		return decode(item.Properties), nil
	}
	return decode(r.Properties), nil
}

func (e *Engine) item(r *StackResource) *Item {
	e.load()
	return e.State.Items[r.Type+"|"+r.PhysicalID]
}

// withHand lays over what a service reads what it does not keep: properties
// that were set by hand.
func withHand(live map[string]any, item *Item) map[string]any {
	if item == nil || len(item.Hand) == 0 {
		return live
	}
	for k, v := range decode(item.Hand) {
		if v == nil {
			delete(live, k)
			continue
		}
		live[k] = v
	}
	return live
}

// EditLive makes a resource's properties those of doc. The service does what
// it would do for a request of that content.
func (e *Engine) EditLive(ctx context.Context, l LiveResource, doc map[string]any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, r := e.owner(l)
	live, err := e.liveProperties(ctx, s, r)
	if err != nil {
		return err
	}
	item := e.item(r)
	p, special := e.Providers[r.Type]
	if !special {
		key := r.Type + "|" + r.PhysicalID
		e.load().dropItem(key, item)
		item.Properties = compact(doc)
		e.load().addItem(key, item)
		return nil
	}
	if r.LogicalID == "" {
		return fmt.Errorf("%s %s belongs to no stack; change it with its service's own calls", r.Type, r.PhysicalID)
	}
	old, next := e.view(s, r), e.view(s, r)
	old.Properties, next.Properties = e.plain(compact(live)), e.plain(compact(doc))
	made, err := p.Update(ctx, old, next)
	if err != nil {
		return err
	}
	read, err := p.Read(ctx, e.view(s, r))
	if err != nil {
		return err
	}
	if item != nil {
		item.Attributes = made.Attributes
		item.Hand = unread(doc, decode(compact(read)))
	}
	return nil
}

// unread are the properties of doc that a service does not show as they were
// set; null where one was removed.
func unread(doc, read map[string]any) json.RawMessage {
	hand := map[string]any{}
	for _, k := range keys(doc) {
		if !equal(doc[k], read[k]) {
			hand[k] = doc[k]
		}
	}
	for _, k := range keys(read) {
		if _, ok := doc[k]; !ok {
			hand[k] = nil
		}
	}
	if len(hand) == 0 {
		return nil
	}
	return compact(hand)
}

// forgetHand drops what was set by hand where a template sets it anew.
func (i *Item) forgetHand(before, after json.RawMessage) {
	if len(i.Hand) == 0 {
		return
	}
	hand, old, next := decode(i.Hand), decode(before), decode(after)
	for _, k := range keys(hand) {
		if !equal(old[k], next[k]) {
			delete(hand, k)
		}
	}
	i.Hand = nil
	if len(hand) > 0 {
		i.Hand = compact(hand)
	}
}

// LoseLive deletes a resource; the stack that owns it is not told.
func (e *Engine) LoseLive(ctx context.Context, l LiveResource) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, r := e.owner(l)
	if _, err := e.liveProperties(ctx, s, r); err != nil {
		return err
	}
	if err := e.provider(r.Type).Delete(ctx, e.view(s, r)); err != nil {
		return err
	}
	key := r.Type + "|" + r.PhysicalID
	if item := e.State.Items[key]; item != nil {
		e.load().dropItem(key, item)
		delete(e.State.Items, key)
	}
	return nil
}

// Settable tells why a person cannot set a property of a type by hand: "" when
// that can be done.
func Settable(typeName, property string) string {
	t, ok := awstype.Lookup(typeName)
	if !ok {
		return ""
	}
	for _, p := range t.CreateOnly {
		if p == property {
			return "is set when the resource is made and never again; delete the resource, or set another property"
		}
	}
	if t.Computed(property) {
		return "is AWS's own to set"
	}
	return ""
}
