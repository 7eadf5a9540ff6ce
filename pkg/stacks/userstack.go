package stacks

import (
	"fmt"
	"maps"
	"slices"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// userStack is a user's own template: nothing in it is changed but the
// description, when it has none, and the metadata in which dependencies are kept.
func (p *platform) userStack(doc spec.Stack) (plan.Stack, error) {
	template, err := cfn.Parse(doc.Body)
	if err != nil {
		return plan.Stack{}, fmt.Errorf("stack %s: %s: %w", doc.Name, doc.Template, err)
	}
	if len(template.Resources) == 0 {
		return plan.Stack{}, fmt.Errorf("stack %s: %s has no resources", doc.Name, doc.Template)
	}
	s := p.stack(doc.Name, doc.Name, template.Description)
	if template.Description == "" {
		template.Description = "Stack " + doc.Name
	}
	if template.Outputs == nil {
		template.Outputs = map[string]cfn.Output{}
	}
	template.Metadata = maps.Clone(template.Metadata)
	delete(template.Metadata, "Reconcile")
	s.Template = template
	s.meta, s.Source = doc.Meta, doc.Source
	s.Protect = doc.TerminationProtection
	s.DependsOn = slices.Clone(doc.DependsOn)
	s.Capabilities = slices.Clone(doc.Capabilities)
	slices.Sort(s.Capabilities)
	for key, value := range doc.Tags {
		s.Tags[key] = value
		s.cause("spec.tags."+key, "Tags."+key)
	}
	if len(doc.Parameters) > 0 {
		s.Parameters = map[string]any{}
	}
	for name, value := range doc.Parameters {
		s.cause("spec.parameters."+name, "Parameters."+name)
		if value.Stack != "" {
			s.Parameters[name] = cfn.StackOutput(value.Stack, value.Output)
			continue
		}
		s.Parameters[name] = value.Value
	}
	for id := range s.Template.Resources {
		s.cause("spec.template", id)
		if r := s.Template.Resources[id]; r.DeletionPolicy != "" && r.DeletionPolicy != "Delete" {
			s.Stateful = append(s.Stateful, id)
		}
	}
	return s.finish(), nil
}
