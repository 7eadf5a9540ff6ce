package sandbox

import (
	"slices"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// declaredHook is a hook as a template says it: a resource of its own or an
// entry of a group's LifecycleHookSpecificationList.
func declaredHook(p props, name string) lifecycleHook {
	h := lifecycleHook{
		Name: name, Transition: p.text("LifecycleTransition"), Heartbeat: 3600, Result: resultAbandon,
		Metadata: p.text("NotificationMetadata"), Target: p.text("NotificationTargetARN"), Role: p.text("RoleARN"),
	}
	if n, ok := p.number("HeartbeatTimeout"); ok {
		h.Heartbeat = n
	}
	if s := p.text("DefaultResult"); s != "" {
		h.Result = s
	}
	return h
}

// declareHooks makes the hooks of a group's own list, before it launches.
func (g *group) declareHooks(p props) error {
	g.Hooks = slices.Clone(g.Hooks) // a refused update changes nothing
	for _, h := range p.list("LifecycleHookSpecificationList") {
		if err := g.putHook(declaredHook(h, h.text("LifecycleHookName"))); err != nil {
			return err
		}
	}
	return nil
}

// hookHandlers keep a hook with its group. The physical id is the primary
// identifier, GROUP|HOOK, as names are unique within a group only.
func hookHandlers() handlers {
	of := func(c *call, r stackengine.Resource) (*group, string, error) {
		name, hook, ok := strings.Cut(r.PhysicalID, "|")
		if !ok {
			name, hook = props(r.Properties).text("AutoScalingGroupName"), nameOr(r, "LifecycleHookName")
		}
		g, err := c.group(&name)
		return g, hook, err
	}
	put := func(c *call, r stackengine.Resource, old props) (stackengine.Physical, error) {
		g, hook, err := of(c, r)
		if err != nil {
			return stackengine.Physical{}, err
		}
		if old == nil && g.hook(hook) != nil {
			return stackengine.Physical{}, fail("AlreadyExists", "Lifecycle hook %s of group %s already exists", hook, g.Name)
		}
		id := g.Name + "|" + hook
		return stackengine.Physical{ID: id, Attributes: map[string]string{"LifecycleHookName": hook}}, g.putHook(declaredHook(r.Properties, hook))
	}
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) { return put(c, r, nil) },
		update: func(c *call, old, r stackengine.Resource) (stackengine.Physical, error) {
			return put(c, r, old.Properties)
		},
		remove: func(c *call, r stackengine.Resource) error {
			if g, hook, err := of(c, r); err == nil {
				g.dropHook(c, hook)
			}
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			g, name, err := of(c, r)
			if err != nil {
				return nil, fail("ResourceNotFound", "%v", err)
			}
			h := g.hook(name)
			if h == nil {
				return nil, fail("ResourceNotFound", "Lifecycle hook %s of group %s not found", name, g.Name)
			}
			live := map[string]any{"LifecycleTransition": h.Transition}
			for property, value := range map[string]any{"HeartbeatTimeout": h.Heartbeat, "DefaultResult": h.Result} {
				if _, declared := r.Properties[property]; declared {
					live[property] = value
				}
			}
			return shownProperties(r, live), nil
		},
	}
}
