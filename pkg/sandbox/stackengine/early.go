package stackengine

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
)

// The checks that CloudFormation makes before a change set can be executed
// (documentation: validate-stack-deployments; aws-limits, "What changed in the
// last year"). Of its six, two are here: property syntax and names that exist.
// Names and texts: aws-cdk-cli #1463 and #1000, rain #744.
const (
	checkProperties = "AWS::EarlyValidation::PropertyValidation"
	checkExistence  = "AWS::EarlyValidation::ResourceExistenceCheck"

	propertyValidation = "PROPERTY_VALIDATION"
	nameConflict       = "NAME_CONFLICT_VALIDATION"
)

// validateEarly checks the resources that a change set adds or modifies.
func (e *Engine) validateEarly(s *Stack, cs *ChangeSet, next *program) []Finding {
	var out []Finding
	for _, c := range cs.Changes {
		n := next.nodes[c.LogicalID]
		if n == nil {
			continue
		}
		for _, p := range awstype.Validate(n.Type, n.props) {
			out = append(out, propertyFinding(c, p))
		}
		if c.Action == "Add" && c.Drift != "DELETED" {
			out = append(out, e.nameFindings(c)...)
		}
	}
	return out
}

func (e *Engine) nameFindings(c Change) []Finding {
	props, _ := decode([]byte(c.After))["Properties"].(map[string]any)
	taken, ok := e.takenName(c.Type, props)
	if !ok || unknown(taken) {
		return nil
	}
	err := e.checkName(&StackResource{Type: c.Type}, taken)
	if err == nil {
		return nil
	}
	name := taken[strings.LastIndexByte(taken, '|')+1:]
	return []Finding{{
		Check: checkExistence, Name: nameConflict, LogicalID: c.LogicalID, Type: c.Type, PhysicalID: name,
		Path: "/Resources/" + c.LogicalID, Reason: fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", c.Type, name),
	}}
}

func findingsReason(findings []Finding) string {
	var names []string
	for _, f := range findings {
		names = append(names, f.Check)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf(validationFailed, strings.Join(slices.Compact(names), ", "))
}

func propertyFinding(c Change, p awstype.Problem) Finding {
	parent, name := splitProblem(p)
	reason := p.Message
	switch {
	case name != "" && strings.HasPrefix(p.Message, "no such property"):
		reason = "Unsupported property [" + name + "]"
	case strings.HasSuffix(p.Message, " is required"):
		parent = difference{path: p.Path}.pointer()
		reason = "Required property [" + strings.TrimSuffix(p.Message, " is required") + "] not found"
	default:
		parent = difference{path: p.Path}.pointer()
	}
	return Finding{
		Check: checkProperties, Name: propertyValidation, LogicalID: c.LogicalID, Type: c.Type,
		Path: "/Resources/" + c.LogicalID + parent, Reason: reason,
	}
}
