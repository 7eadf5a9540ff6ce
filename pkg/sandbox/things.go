package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// made is a thing that somebody made by a call, not by a stack, of a type that
// the services otherwise show from the stacks' own list.
type made struct {
	Type       string            `json:"type"`
	ID         string            `json:"id"`
	Properties json.RawMessage   `json:"properties,omitempty"` // in CloudFormation's names
	Attributes map[string]string `json:"attributes,omitempty"`
	Created    time.Time         `json:"created"`
}

// attribute is what Fn::GetAtt returns of a thing.
func (i networkItem) attribute(name string) string { return i.attributes[name] }

// tags are the thing's own and those of its stack.
func (i networkItem) tags() map[string]string {
	out := maps.Clone(i.stackTags)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, i.props.tags("Tags"))
	for k := range i.props.sub("Tags") {
		out[k] = i.props.sub("Tags").text(k)
	}
	return out
}

// items lists what exists of a type, by id: what stacks made and what was made by hand.
func (c *call) items(typeName string) []networkItem { return c.itemsIn(c.region, typeName) }

func (c *call) itemsIn(r *region, typeName string) []networkItem {
	var out []networkItem
	prefix := typeName + "|"
	if r.Stacks != nil {
		for key, item := range r.Stacks.Items {
			if strings.HasPrefix(key, prefix) {
				out = append(out, c.shownItem(r, item))
			}
		}
	}
	for key, m := range r.Made {
		if strings.HasPrefix(key, prefix) {
			out = append(out, networkItem{id: m.ID, props: decodeProps(m.Properties), attributes: m.Attributes, created: m.Created})
		}
	}
	if r == c.region {
		out = append(out, c.defaults(typeName)...)
	}
	slices.SortFunc(out, func(a, b networkItem) int { return strings.Compare(a.id, b.id) })
	return out
}

// itemsEverywhere lists what exists of a global type.
func (c *call) itemsEverywhere(typeName string) []networkItem {
	var out []networkItem
	for _, name := range sortedKeys(c.account.Regions) {
		out = append(out, c.itemsIn(c.account.Regions[name], typeName)...)
	}
	slices.SortFunc(out, func(a, b networkItem) int { return strings.Compare(a.id, b.id) })
	return out
}

func (c *call) shownItem(r *region, item *stackengine.Item) networkItem {
	out := networkItem{id: item.PhysicalID, props: itemProps(r, item), attributes: item.Attributes, item: item, created: c.account.Created}
	if s := r.Stacks.Stacks[item.Owner]; s != nil && s.Resources[item.LogicalID] != nil {
		res := s.Resources[item.LogicalID]
		out.created, out.stackTags = res.Updated, res.Tags
	}
	return out
}

// thing finds one of a type by id.
func (c *call) thing(typeName, id string) (networkItem, bool) {
	if item := c.item(typeName, id); item != nil {
		return c.shownItem(c.region, item), true
	}
	if m := c.region.Made[typeName+"|"+id]; m != nil {
		return networkItem{id: m.ID, props: decodeProps(m.Properties), attributes: m.Attributes, created: m.Created}, true
	}
	return networkItem{}, false
}

// exists tells whether there is a thing of a type: a stack's, one made by hand
// or a part of the default network.
func (c *call) exists(typeName, id string) bool {
	return c.item(typeName, id) != nil || c.unowned(typeName, id)
}

// unowned tells whether there is one that no stack made.
func (c *call) unowned(typeName, id string) bool {
	return c.region.Made[typeName+"|"+id] != nil || slices.ContainsFunc(c.defaults(typeName), func(i networkItem) bool { return i.id == id })
}

// put makes a thing by hand, or changes the live properties of one that
// exists; where a stack owns it, that is drift.
func (c *call) put(typeName, id string, p props, attributes map[string]string) {
	raw, err := json.Marshal(p)
	if err != nil {
		return // properties are JSON
	}
	if item := c.item(typeName, id); item != nil {
		item.Properties = raw
		return
	}
	key := typeName + "|" + id
	if m := c.region.Made[key]; m != nil {
		m.Properties = raw
		return
	}
	c.region.Made[key] = &made{Type: typeName, ID: id, Properties: raw, Attributes: attributes, Created: c.now}
}

// drop takes a thing away; its stack is not told.
func (c *call) drop(typeName, id string) {
	delete(c.region.Made, typeName+"|"+id)
	if c.engine != nil && c.item(typeName, id) != nil {
		c.engine.Vanish(typeName, id)
	}
}

// kind is how a scalar goes over the wire.
type kind int

const (
	aText kind = iota
	aNumber
	aReal
	aFlag
	aList // of texts
)

// shape says how properties look on the wire where the names are the same:
// a kind, a shape for a structure, or a []shape for a list of structures.
type shape map[string]any

// of picks what the shape has; what is absent stays absent.
func (s shape) of(p props) doc {
	out := doc{}
	for name, form := range s {
		v, ok := p[name]
		if !ok || v == nil {
			continue
		}
		switch form := form.(type) {
		case kind:
			out[name] = form.of(p, name)
		case shape:
			out[name] = form.of(p.sub(name))
		case []shape:
			list := []doc{}
			for _, e := range p.list(name) {
				list = append(list, form[0].of(e))
			}
			out[name] = list
		}
	}
	return out
}

func (k kind) of(p props, name string) any {
	switch k {
	case aNumber:
		if n, ok := p.number(name); ok {
			return n
		}
		return nil
	case aReal:
		if f, ok := p.real(name); ok {
			return f
		}
		return nil
	case aFlag:
		return p.flag(name)
	case aList:
		return append([]string{}, p.texts(name)...)
	}
	return p.text(name)
}

// tagDocs are tags on the wire of most services.
func tagDocs(tags map[string]string) []doc {
	out := []doc{}
	for _, k := range sortedKeys(tags) {
		out = append(out, doc{"Key": k, "Value": tags[k]})
	}
	return out
}

// tail is what follows the last slash.
func tail(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }
