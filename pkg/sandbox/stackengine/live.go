package stackengine

import (
	"encoding/json"
	"errors"
	"strings"
)

// live resolves references to what the stack's resources are now.
type live struct {
	e *Engine
	s *Stack
}

func (l live) ref(logical string) (any, error) {
	r := l.s.Resources[logical]
	if r == nil || r.PhysicalID == "" {
		return nil, invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", logical)
	}
	if r.Type == "AWS::AutoScaling::LifecycleHook" { // its id is that of group and hook
		return r.PhysicalID[strings.LastIndexByte(r.PhysicalID, '|')+1:], nil
	}
	return r.PhysicalID, nil
}

func (l live) att(logical, attribute string) (any, error) {
	r := l.s.Resources[logical]
	if r == nil || r.PhysicalID == "" {
		return nil, invalid("Template error: instance of Fn::GetAtt references undefined resource %s", logical)
	}
	return attributeOf(r, attribute)
}

func (l live) imported(name string) (string, error) {
	owner := l.e.State.Stacks[l.e.load().exports[name]]
	if owner != nil {
		for _, o := range owner.Outputs {
			if o.Export == name {
				return o.Value, nil
			}
		}
	}
	return "", invalid("No export named %s found.", name)
}

// output is an output of another stack; region is "" for this one. Text: K.
func (l live) output(region, stack, key string) (string, error) {
	value, ok := "", false
	if region == "" {
		value, ok = l.e.OutputOf(stack, key)
	} else if l.e.Output != nil {
		value, ok = l.e.Output(region, stack, key)
	}
	if !ok {
		return "", invalid("Unable to resolve Fn::GetStackOutput: output %s of stack %s does not exist", key, stack)
	}
	return value, nil
}

// OutputOf is an output of a living stack. Output calls it on another region's
// engine; it must not be called from elsewhere while requests are served.
func (e *Engine) OutputOf(stack, key string) (string, bool) {
	s := e.find(stack)
	if s == nil || s.Status == "DELETE_COMPLETE" {
		return "", false
	}
	for _, o := range s.Outputs {
		if o.Key == key {
			return o.Value, true
		}
	}
	return "", false
}

// attributeOf is what Fn::GetAtt returns for a resource that exists.
func attributeOf(r *StackResource, attribute string) (any, error) {
	if v, ok := r.Attributes[attribute]; ok {
		var list []any
		if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &list) == nil {
			return list, nil
		}
		return v, nil
	}
	var v any = decode(r.Properties)
	for _, part := range strings.Split(attribute, ".") {
		m, ok := v.(map[string]any)
		if !ok || m[part] == nil {
			return nil, invalid("Attribute '%s' does not exist", attribute)
		}
		v = m[part]
	}
	return v, nil
}

// program returns the compiled template of what is deployed or being deployed.
func (e *Engine) program(s *Stack) (*program, error) {
	ix := e.load()
	if p, ok := ix.programs[s.ID]; ok {
		return p, nil
	}
	p, err := e.compileDeployment(&s.Deployed, s.Name, s.ID)
	if err != nil {
		return nil, err
	}
	if s.Op != nil { // kept only while it is needed
		ix.programs[s.ID] = p
	}
	return p, nil
}

func (e *Engine) compileDeployment(d *Deployment, name, id string) (*program, error) {
	t, err := e.parse(d.Template)
	if err != nil {
		return nil, err
	}
	return e.compile(t, d, name, id)
}

// reasonOf is an error's text without its code, as events show it.
func reasonOf(err error) string {
	var api *Error
	if errors.As(err, &api) {
		return api.Message
	}
	return err.Error()
}
