package stackengine

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/awstype"
)

func (e *Engine) getTemplate(in *cloudformation.GetTemplateInput) (any, error) {
	out := &cloudformation.GetTemplateOutput{StagesAvailable: []types.TemplateStage{types.TemplateStageOriginal, types.TemplateStageProcessed}}
	if in.ChangeSetName != nil {
		cs, err := e.findChangeSet(in.ChangeSetName, in.StackName)
		if err != nil {
			return nil, err
		}
		s := e.State.Stacks[cs.Stack]
		out.TemplateBody, err = e.staged(&cs.Target, s, in.TemplateStage)
		return out, err
	}
	s := e.find(deref(in.StackName))
	if s == nil || s.Status == "REVIEW_IN_PROGRESS" {
		return nil, withID(deref(in.StackName))
	}
	var err error
	out.TemplateBody, err = e.staged(&s.Deployed, s, in.TemplateStage)
	return out, err
}

// staged is a template as it was sent, or by default as its transforms left it.
func (e *Engine) staged(d *Deployment, s *Stack, stage types.TemplateStage) (*string, error) {
	t, err := e.parse(d.Template)
	if err != nil || !t.deferred || stage == types.TemplateStageOriginal {
		return ptr(d.Template), nil //nolint:nilerr // what is stored was read once
	}
	p, err := e.compile(t, d, s.Name, s.ID)
	if err != nil {
		return nil, err
	}
	raw := maps.Clone(p.t.raw)
	delete(raw, "Transform")
	return ptr(string(compact(raw))), nil
}

func (e *Engine) validateTemplate(ctx context.Context, in *cloudformation.ValidateTemplateInput) (any, error) {
	body, err := e.body(ctx, deployment{body: in.TemplateBody, url: in.TemplateURL}, "")
	if err != nil {
		return nil, err
	}
	t, err := e.checkTemplate(body)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ValidateTemplateOutput{Description: optional(t.Description), DeclaredTransforms: t.Transforms, Parameters: []types.TemplateParameter{}}
	needed, reason := t.capabilities()
	for _, c := range needed {
		out.Capabilities = append(out.Capabilities, types.Capability(c))
	}
	out.CapabilitiesReason = optional(reason)
	for _, name := range keys(t.Parameters) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, types.TemplateParameter{ParameterKey: ptr(name), DefaultValue: p.Default, NoEcho: ptr(p.NoEcho), Description: optional(p.Description)})
	}
	return out, nil
}

// checkTemplate checks what can be checked without values of parameters: with
// the defaults where there are any.
func (e *Engine) checkTemplate(body string) (*template, error) {
	t, err := e.parse(body)
	if err != nil {
		return nil, err
	}
	d := &Deployment{Parameters: map[string]string{}}
	for name, p := range t.Parameters {
		d.Parameters[name] = deref(p.Default)
	}
	p, err := e.compile(t, d, "stack", "stack")
	if err != nil {
		return nil, err
	}
	return p.t, nil
}

// summarized is a template whose transform, if any, has run with the defaults.
func (e *Engine) summarized(body string) (*template, error) {
	t, err := e.parse(body)
	if err != nil || !t.deferred {
		return t, err
	}
	return e.checkTemplate(body)
}

func (e *Engine) getTemplateSummary(ctx context.Context, in *cloudformation.GetTemplateSummaryInput) (any, error) {
	body := ""
	switch {
	case in.StackName != nil:
		s := e.find(*in.StackName)
		if s == nil {
			return nil, withID(*in.StackName)
		}
		if s.Status == "REVIEW_IN_PROGRESS" {
			return nil, invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.") // A2
		}
		body = s.Deployed.Template
	default:
		var err error
		if body, err = e.body(ctx, deployment{body: in.TemplateBody, url: in.TemplateURL}, ""); err != nil {
			return nil, err
		}
	}
	t, err := e.summarized(body)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.GetTemplateSummaryOutput{Description: optional(t.Description), DeclaredTransforms: t.Transforms, Version: optional(t.Version), Parameters: []types.ParameterDeclaration{}}
	needed, reason := t.capabilities()
	for _, c := range needed {
		out.Capabilities = append(out.Capabilities, types.Capability(c))
	}
	out.CapabilitiesReason = optional(reason)
	if t.Metadata != nil {
		out.Metadata = ptr(string(compact(t.Metadata)))
	}
	for _, name := range keys(t.Parameters) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, types.ParameterDeclaration{
			ParameterKey: ptr(name), ParameterType: ptr(p.Type), DefaultValue: p.Default, NoEcho: ptr(p.NoEcho), Description: optional(p.Description),
			ParameterConstraints: &types.ParameterConstraints{AllowedValues: p.Allowed},
		})
	}
	byType := map[string][]string{}
	for _, id := range keys(t.Resources) {
		byType[t.Resources[id].Type] = append(byType[t.Resources[id].Type], id)
	}
	for _, typeName := range keys(byType) {
		out.ResourceTypes = append(out.ResourceTypes, typeName)
		ty, _ := awstype.Lookup(typeName)
		out.ResourceIdentifierSummaries = append(out.ResourceIdentifierSummaries, types.ResourceIdentifierSummary{
			ResourceType: ptr(typeName), LogicalResourceIds: byType[typeName], ResourceIdentifiers: slices.Clone(ty.Identifier),
		})
	}
	return out, nil
}

func (e *Engine) listExports(in *cloudformation.ListExportsInput) (any, error) {
	ix := e.load()
	names, next, err := page("ListExports", e.pageSize("ListExports"), keys(ix.exports), self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListExportsOutput{NextToken: next, Exports: []types.Export{}}
	for _, name := range names {
		s := e.State.Stacks[ix.exports[name]]
		for _, o := range s.Outputs {
			if o.Export == name {
				out.Exports = append(out.Exports, types.Export{Name: ptr(name), Value: ptr(o.Value), ExportingStackId: ptr(s.ID)})
			}
		}
	}
	return out, nil
}

func (e *Engine) listImports(in *cloudformation.ListImportsInput) (any, error) {
	users := e.importers(deref(in.ExportName), "")
	if len(users) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", deref(in.ExportName))
	}
	names, next, err := page("ListImports", e.pageSize("ListImports"), users, self, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &cloudformation.ListImportsOutput{NextToken: next, Imports: names}, nil
}
