package cloud

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
)

// changes reads all pages of a settled change set. With property values come
// the full paths, but then AWS may leave changes out and says so: in that
// case what the description without values has is added.
func (c *Cloud) changes(ctx context.Context, arn string, first *cloudformation.DescribeChangeSetOutput) ([]apply.Announced, error) {
	all := map[string]apply.Announced{}
	collect := func(first *cloudformation.DescribeChangeSetOutput, values bool) error {
		return pages(func(token *string) (*string, error) {
			out := first
			if token != nil || out == nil {
				var err error
				if out, err = c.describeChangeSet(ctx, arn, token, values); err != nil {
					return nil, err
				}
			}
			for _, ch := range out.Changes {
				if ch.ResourceChange != nil {
					a := announced(ch.ResourceChange)
					if have, ok := all[a.Resource]; ok {
						a = merged(have, a)
					}
					all[a.Resource] = a
				}
			}
			return out.NextToken, nil
		})
	}
	if err := collect(first, true); err != nil {
		return nil, err
	}
	if incompleteValues(aws.ToString(first.StatusReason)) {
		if err := collect(nil, false); err != nil {
			return nil, err
		}
	}
	out := make([]apply.Announced, 0, len(all))
	for _, id := range sortedKeys(all) {
		out = append(out, all[id])
	}
	return out, nil
}

// announced translates one resource change.
func announced(r *types.ResourceChange) apply.Announced {
	a := apply.Announced{
		Resource:     aws.ToString(r.LogicalResourceId),
		Type:         aws.ToString(r.ResourceType),
		Action:       string(r.Action),
		Replacement:  string(r.Replacement),
		PolicyAction: string(r.PolicyAction),
		Dynamic:      len(r.Details) > 0,
	}
	paths := map[string]bool{}
	for _, d := range r.Details {
		if d.Evaluation != types.EvaluationTypeDynamic {
			a.Dynamic = false
		}
		if p := targetPath(d.Target); p != "" {
			paths[p] = true
		}
	}
	a.Paths = sortedKeys(paths)
	return a
}

// merged adds what a second description of the same change has. Its paths are
// only added where the first has nothing deeper: without values they are the
// names of top-level properties.
func merged(a, b apply.Announced) apply.Announced {
	if a.Replacement == "" {
		a.Replacement = b.Replacement
	}
	if a.PolicyAction == "" {
		a.PolicyAction = b.PolicyAction
	}
	a.Dynamic = a.Dynamic && b.Dynamic
	paths := map[string]bool{}
	for _, p := range a.Paths {
		paths[p] = true
	}
	for _, p := range b.Paths {
		if !covered(a.Paths, p) {
			paths[p] = true
		}
	}
	a.Paths = sortedKeys(paths)
	return a
}

func covered(paths []string, p string) bool {
	for _, have := range paths {
		if have == p || strings.HasPrefix(have, p+".") || strings.HasPrefix(have, p+"[") {
			return true
		}
	}
	return false
}

// targetPath is "Properties.Tags[0].Value" of a change's target, whose own
// path is a JSON pointer "/Properties/Tags/0/Value".
func targetPath(t *types.ResourceTargetDefinition) string {
	if t == nil {
		return ""
	}
	if p := aws.ToString(t.Path); p != "" {
		return dotted(p)
	}
	if name := aws.ToString(t.Name); name != "" && t.Attribute == types.ResourceAttributeProperties {
		return "Properties." + name
	}
	return string(t.Attribute)
}

func dotted(pointer string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch {
		case isNumber(part) && b.Len() > 0:
			b.WriteString("[" + part + "]")
		case b.Len() > 0:
			b.WriteString("." + part)
		default:
			b.WriteString(part)
		}
	}
	return b.String()
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
