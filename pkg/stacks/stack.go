package stacks

import (
	"maps"
	"slices"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// Short names for template data.
type (
	props = map[string]any
	list  = []any
)

// stack collects one stack while its file fills it in.
type stack struct {
	plan.Stack
	meta spec.Meta // the document that the paths of cause are in
}

// stack starts a stack of the platform with the tags that everything carries.
// Stack tags reach every resource that can be tagged.
func (p *platform) stack(name, service, description string) *stack {
	s := &stack{meta: p.Meta}
	s.Name = name
	s.Template = cfn.Template{
		AWSTemplateFormatVersion: "2010-09-09",
		Description:              description,
		Resources:                map[string]cfn.Resource{},
		Outputs:                  map[string]cfn.Output{},
	}
	s.Tags = p.tags(service)
	s.Source = p.Source
	s.Sources = map[string]spec.Source{}
	if p.Owner != "" {
		s.Sources["Tags.Owner"] = p.At("spec.owner")
	}
	return s
}

func (p *platform) tags(service string) map[string]string {
	tags := map[string]string{
		// The mark that outlives the stack on what is kept: it says what may be
		// imported again. It is the same for ever.
		plan.OwnerTag:     p.Name,
		"Project":         "AI-Product-Manager",
		"DeploymentModel": "single-system-fleet-stages",
		"Service":         service,
	}
	if p.Owner != "" {
		tags["Owner"] = p.Owner
	}
	return tags
}

func (s *stack) add(id string, r cfn.Resource) {
	s.Template.Resources[id] = r
}

// cause notes that the spec field at path decides what is at each target, a
// logical id or "LogicalID.Properties.X".
func (s *stack) cause(path string, targets ...string) {
	for _, t := range targets {
		s.Sources[t] = s.meta.At(path)
	}
}

func (s *stack) output(name, description string, value any) {
	s.Template.Outputs[name] = cfn.Output{Description: description, Value: value}
}

// keep marks a resource whose loss loses data or that cannot be made again
// under its name. RetainExceptOnCreate removes it when its very first
// creation is rolled back, so that a second attempt does not meet its
// name; afterwards nothing of CloudFormation deletes it.
func (s *stack) keep(ids ...string) {
	for _, id := range ids {
		r := s.Template.Resources[id]
		r.DeletionPolicy = "RetainExceptOnCreate"
		r.UpdateReplacePolicy = "Retain"
		s.Template.Resources[id] = r
		s.Stateful = append(s.Stateful, id)
	}
}

// lintOff tells cfn-lint to leave a rule out for this template, and people why.
func (s *stack) lintOff(rule, reason string) {
	if s.Template.Metadata == nil {
		s.Template.Metadata = map[string]any{
			"cfn-lint": props{"config": props{"ignore_checks": list{}}},
			"Reconcile": props{
				"IgnoredChecks": props{},
			},
		}
	}
	config := s.Template.Metadata["cfn-lint"].(props)["config"].(props)
	config["ignore_checks"] = append(config["ignore_checks"].(list), rule)
	s.Template.Metadata["Reconcile"].(props)["IgnoredChecks"].(props)[rule] = reason
}

// finish computes what follows from the rest: the stacks it depends on, kept
// in the template's metadata so that a delete orders itself without specs,
// and the capabilities.
func (s *stack) finish() plan.Stack {
	needed := map[string]bool{}
	for _, name := range s.DependsOn {
		needed[name] = true
	}
	for _, r := range cfn.Refs(s.Template) {
		if r.Stack != "" {
			needed[r.Stack] = true
		}
	}
	for _, v := range s.Parameters {
		for _, r := range cfn.Refs(v) {
			needed[r.Stack] = true
		}
	}
	s.DependsOn = slices.Sorted(maps.Keys(needed))
	if len(needed) > 0 {
		if s.Template.Metadata == nil {
			s.Template.Metadata = map[string]any{}
		}
		ours, ok := s.Template.Metadata["Reconcile"].(props)
		if !ok {
			ours = props{}
			s.Template.Metadata["Reconcile"] = ours
		}
		ours["DependsOn"] = texts(s.DependsOn...)
	}
	if len(s.Capabilities) == 0 {
		s.Capabilities = cfn.Capabilities(s.Template)
	}
	slices.Sort(s.Stateful)
	slices.Sort(s.After)
	if len(s.Template.Outputs) == 0 {
		s.Template.Outputs = nil
	}
	return s.Stack
}

// texts is a list of strings as template data.
func texts(values ...string) list {
	out := make(list, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// tag is an element of a Tags property.
func tag(key string, value any) props { return props{"Key": key, "Value": value} }
