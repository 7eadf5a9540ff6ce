package spec

import "strconv"

// nodeKind is what a value looks like in its file.
type nodeKind byte

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeInt   // canonical decimal
	nodeFloat // any other number, of CUE
	nodeText
	nodeList
	nodeObject
)

// String is the kind's name in messages.
func (k nodeKind) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "text", "a list", "an object"}[k]
}

// node is a value with its place. YAML, CUE and JSON files all become nodes,
// so that everything behind them reads one shape.
type node struct {
	kind nodeKind
	// text of a scalar: the source text, or for quoted text its value.
	text string
	// plain scalars of YAML are unquoted; their type is what the field wants.
	plain   bool
	at      Source
	members []member // of an object, in the order of the file
	items   []*node  // of a list
}

// member is one key of an object.
type member struct {
	key   string
	at    Source // of the key
	value *node
}

// get is the value at key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// shown is a value as a message shows it: text in quotes, and nothing long.
func (n *node) shown() string {
	switch {
	case n.kind == nodeList || n.kind == nodeObject || n.kind == nodeNull:
		return n.kind.String()
	case n.kind == nodeText || len(n.text) > 40:
		return quote(n.text)
	}
	return n.text
}

// scalar is the text of a scalar at a path of keys, or "".
func (n *node) scalar(keys ...string) string {
	for _, k := range keys {
		n = n.get(k)
	}
	if n == nil || n.kind == nodeList || n.kind == nodeObject || n.kind == nodeNull {
		return ""
	}
	return n.text
}

// visit calls f for the node and everything below it, with paths. The place of
// a member is its key's in a file that has keys at another place than values.
func (n *node) visit(path string, at Source, f func(path string, at Source, n *node)) {
	f(path, at, n)
	for i := range n.members {
		m := &n.members[i]
		sub := m.key
		if path != "" {
			sub = path + "." + m.key
		}
		m.value.visit(sub, m.at, f)
	}
	for i, item := range n.items {
		item.visit(path+"["+strconv.Itoa(i)+"]", item.at, f)
	}
}

// document is one document of a spec file, not yet decoded.
type document struct {
	kind Kind // "" when it says none
	root *node
	// value is root as its kind's fields read it; set by the shape pass.
	value map[string]any
	// positions of every value by path; of an object or list, where it begins.
	positions map[string]Source
}

func newDocument(root *node) *document {
	d := &document{root: root, kind: Kind(root.scalar("kind")), positions: map[string]Source{}}
	root.visit("", root.at, func(path string, key Source, n *node) {
		if path == "" {
			return
		}
		if n.kind == nodeObject || n.kind == nodeList {
			d.positions[path] = key
			return
		}
		d.positions[path] = n.at
	})
	return d
}

// at is the place of the field at path, or of what encloses it.
func (d *document) at(path string) Source {
	return Meta{Source: d.root.at, Positions: d.positions}.At(path)
}
