package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"go.yaml.in/yaml/v3"

	"reconcile/pkg/cfn"
)

// template reads the template of a stack as it was sent. Ours are JSON; one
// that somebody changed in the console may be YAML. nil without an error is
// one that is neither.
func (c *Cloud) template(ctx context.Context, id string) (*cfn.Template, error) {
	out, err := c.cfn.GetTemplate(ctx, &cloudformation.GetTemplateInput{
		StackName: aws.String(id), TemplateStage: types.TemplateStageOriginal})
	if err != nil {
		return nil, c.readError("read the template of "+id, err)
	}
	t, err := parseTemplate(aws.ToString(out.TemplateBody))
	if err != nil {
		return nil, nil //nolint:nilerr // the caller reports it as not looked at
	}
	return &t, nil
}

// parseTemplate reads a template in either of CloudFormation's two languages.
func parseTemplate(body string) (cfn.Template, error) {
	if t, err := cfn.Parse([]byte(body)); err == nil {
		return t, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		return cfn.Template{}, fmt.Errorf("template: %w", err)
	}
	if len(doc.Content) != 1 {
		return cfn.Template{}, errors.New("template: not one document")
	}
	v, err := yamlValue(doc.Content[0])
	if err != nil {
		return cfn.Template{}, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return cfn.Template{}, fmt.Errorf("template: %w", err)
	}
	return cfn.Parse(b)
}

// yamlValue is the JSON data of a node, with the short forms of intrinsic
// functions written out. CloudFormation knows no aliases.
func yamlValue(n *yaml.Node) (any, error) {
	var v any
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if m[n.Content[i].Value], err = yamlValue(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		v = m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, e := range n.Content {
			if list[i], err = yamlValue(e); err != nil {
				return nil, err
			}
		}
		v = list
	case yaml.ScalarNode:
		v = yamlScalar(n)
	default:
		return nil, fmt.Errorf("template line %d: unexpected node", n.Line)
	}
	return intrinsic(n.Tag, v), nil
}

func yamlScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if err := n.Decode(&v); err == nil {
			return v
		}
	}
	return n.Value
}

// intrinsic writes out !Ref x, !GetAtt a.b and !Name args.
func intrinsic(tag string, v any) any {
	if !strings.HasPrefix(tag, "!") || strings.HasPrefix(tag, "!!") {
		return v
	}
	name := tag[1:]
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}
	case "GetAtt":
		if text, ok := v.(string); ok {
			id, attribute, _ := strings.Cut(text, ".")
			v = []any{id, attribute}
		}
	}
	return map[string]any{"Fn::" + name: v}
}
