package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/sandbox/stackengine"
)

// LiveResources lists what can be mutated in a region, "" for the account's own.
func (s *Sandbox) LiveResources(region string) (list []stackengine.LiveResource, err error) {
	err = s.look(region, func(c *call) error {
		list = c.engine.LiveResources()
		return nil
	})
	return list, err
}

// LiveProperties are the properties of a target as they are now.
func (s *Sandbox) LiveProperties(region, target string) (doc map[string]any, err error) {
	err = s.look(region, func(c *call) error {
		l, err := c.target(target)
		if err != nil {
			return err
		}
		if doc, err = c.engine.LiveProperties(c.ctx, l); err != nil {
			return c.refusedByHand(target, err)
		}
		return nil
	})
	return doc, err
}

// look reads the account as it is now.
func (s *Sandbox) look(region string, f func(*call) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := s.begin(); err != nil {
		return err
	}
	if s.store != nil {
		defer func() { err = errors.Join(err, s.store.unlock()) }()
	}
	ctx := context.Background()
	if err := s.advance(ctx, s.now()); err != nil {
		return err
	}
	r, engine := s.regionFor(request{Region: region}.region(s.account), false)
	return f(&call{ctx: ctx, now: s.clock, account: s.account, region: r, engine: engine, sandbox: s})
}

// target finds the resource that a text names, or says what is nearest.
func (c *call) target(text string) (stackengine.LiveResource, error) {
	first, rest, ok := strings.Cut(text, "/")
	if !ok || first == "" || rest == "" {
		return stackengine.LiveResource{}, fmt.Errorf("%q names no resource; write STACK/LOGICALID, or TYPE/PHYSICALID like AWS::Logs::LogGroup//ecs/web", text)
	}
	all := c.engine.LiveResources()
	if strings.Contains(first, "::") {
		if err := checkType(first); err != nil {
			return stackengine.LiveResource{}, err
		}
		return find(all, text, rest, func(l stackengine.LiveResource) (string, bool) { return l.PhysicalID, l.Type == first },
			"no "+first, c.unmanaged(first, rest))
	}
	stacks := []string{}
	for _, l := range all {
		if l.Stack != "" {
			stacks = append(stacks, l.Stack)
		}
	}
	if !slices.Contains(stacks, first) {
		return stackengine.LiveResource{}, fmt.Errorf("no stack %q with resources%s; without arguments the command lists them", first, meant(first, slices.Compact(stacks)))
	}
	return find(all, text, rest, func(l stackengine.LiveResource) (string, bool) { return l.LogicalID, l.Stack == first }, "stack "+first+" has no resource", nil)
}

func find(all []stackengine.LiveResource, text, want string, name func(stackengine.LiveResource) (string, bool), none string, other *stackengine.LiveResource) (stackengine.LiveResource, error) {
	var names []string
	for _, l := range all {
		n, ok := name(l)
		if ok && n == want {
			return l, nil
		}
		if ok {
			names = append(names, n)
		}
	}
	if other != nil {
		return *other, nil
	}
	return stackengine.LiveResource{}, fmt.Errorf("%s: %s %q%s", text, none, want, meant(want, names))
}

// unmanaged is a resource that was made through its service, if it is there.
func (c *call) unmanaged(typeName, id string) *stackengine.LiveResource {
	l := stackengine.LiveResource{Type: typeName, PhysicalID: id}
	if _, err := c.engine.LiveProperties(c.ctx, l); err != nil {
		return nil
	}
	return &l
}

// splitPointer reads a JSON pointer (RFC 6901) of at least one part.
func splitPointer(pointer string) ([]string, error) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok || rest == "" {
		return nil, fmt.Errorf("%q is no JSON pointer to a property; write it like /Tags/0/Value", pointer)
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return parts, nil
}

// setAt gives doc with the value at path; null removes it, and "-" adds to a list.
func setAt(doc any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch d := doc.(type) {
	case nil:
		if value == nil {
			return nil, fmt.Errorf("there is no %s", path[0])
		}
		return setAt(map[string]any{}, path, value)
	case map[string]any:
		return setKey(d, path, value)
	case []any:
		return setElement(d, path, value)
	}
	return nil, fmt.Errorf("%s is in no object or list", path[0])
}

func setKey(d map[string]any, path []string, value any) (any, error) {
	have, ok := d[path[0]]
	if !ok && value == nil {
		return nil, fmt.Errorf("there is no %s%s", path[0], meant(path[0], sortedKeys(d)))
	}
	next, err := setAt(have, path[1:], value)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for k, v := range d {
		out[k] = v
	}
	out[path[0]] = next
	if next == nil {
		delete(out, path[0])
	}
	return out, nil
}

func setElement(d []any, path []string, value any) (any, error) {
	i, err := strconv.Atoi(path[0])
	if path[0] == "-" {
		i, err = len(d), nil
	}
	if err != nil || i < 0 || i > len(d) || i == len(d) && value == nil {
		return nil, fmt.Errorf("the list has the elements 0 to %d, and - for one more; not %s", len(d)-1, path[0])
	}
	out := slices.Clone(d)
	if i == len(d) {
		out = append(out, nil)
	}
	if out[i], err = setAt(out[i], path[1:], value); err != nil {
		return nil, err
	}
	if out[i] == nil {
		out = slices.Delete(out, i, i+1)
	}
	return out, nil
}

// newProblems are what AWS's schema has against doc and not against what is
// there already.
func newProblems(typeName string, live, doc map[string]any) error {
	known := map[string]bool{}
	for _, p := range awstype.Validate(typeName, plainJSON(live)) {
		known[p.String()] = true
	}
	for _, p := range awstype.Validate(typeName, plainJSON(doc)) {
		if !known[p.String()] {
			return errors.New(p.String())
		}
	}
	return nil
}

// plainJSON gives numbers the one form that the schemas read.
func plainJSON(doc map[string]any) map[string]any {
	b, err := json.Marshal(doc)
	if err != nil {
		return doc
	}
	return decodeProps(b)
}
