package stackengine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
)

// The checks that CloudFormation makes before anything is changed (documentation:
// validate-stack-deployments): property syntax and names that exist fail a change
// set, CreateStack and UpdateStack; of a change set alone, four more warn and let
// it be executed. The fourth looks at configuration recorders, of which none can
// be here: AWS Config's types are not known. Names and texts of the first two: aws-cdk-cli #1463 and #1000,
// rain #744; of buckets: aws-cdk-rfcs, comprehensive validation; names of the last
// two and the form of the quota's text: agent-toolkit-for-aws, pre-deployment
// validation, which calls them documented and unconfirmed; the other texts: K.
const (
	checkProperties = "AWS::EarlyValidation::PropertyValidation"
	checkExistence  = "AWS::EarlyValidation::ResourceExistenceCheck"

	propertyValidation = "PROPERTY_VALIDATION"
	nameConflict       = "NAME_CONFLICT_VALIDATION"
	bucketEmptiness    = "BUCKET_EMPTINESS_VALIDATION"
	serviceQuota       = "SERVICE_QUOTA"
	repositoryDeletion = "ECR_REPOSITORY_DELETE_READINESS"
	failingMode        = "FAIL"
	warningMode        = "WARN"
	operationInvalid   = "Validation failure detected. See the operation's FAILED event for details."
)

// Usage is how much of a quota is used.
type Usage struct {
	Quota       string // its name in Service Quotas
	Limit, Used int
}

// validateEarly makes the checks that fail an operation, on the resources that it
// adds or modifies.
func (e *Engine) validateEarly(changes []Change, next *program) []Finding {
	var out []Finding
	for _, c := range changes {
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

// warnEarly makes the checks that a change set's creation makes besides.
func (e *Engine) warnEarly(ctx context.Context, s *Stack, changes []Change) []Finding {
	var out []Finding
	warn := func(c Change, name, reason string) {
		out = append(out, Finding{
			Name: name, Mode: warningMode, LogicalID: c.LogicalID, PhysicalID: c.PhysicalID, Type: c.Type,
			Path: "/Resources/" + c.LogicalID, Reason: reason,
		})
	}
	more := map[string]int{} // by type
	for _, c := range changes {
		switch c.Action {
		case "Add":
			more[c.Type]++
		case "Remove":
			more[c.Type]--
		}
	}
	over := map[string]Usage{}
	for _, typeName := range keys(more) {
		if u, ok := e.usage(typeName); ok && more[typeName] > 0 && u.Used+more[typeName] > u.Limit {
			over[typeName] = u
		}
	}
	for _, c := range changes {
		u, tooMany := over[c.Type]
		switch {
		case c.Action == "Add" && tooMany:
			warn(c, serviceQuota, fmt.Sprintf("This operation would exceed the %s quota.", u.Quota))
		case c.Action == "Remove" && c.Plain.PolicyAction == "Delete" && e.Holds != nil && e.Holds(ctx, e.view(s, s.Resources[c.LogicalID])):
			switch c.Type {
			case "AWS::S3::Bucket":
				warn(c, bucketEmptiness, "S3 bucket is not empty")
			case "AWS::ECR::Repository":
				warn(c, repositoryDeletion, "ECR repository still contains images and EmptyOnDelete is not set")
			}
		}
	}
	return out
}

// usage is how much there is of a type that a quota bounds.
func (e *Engine) usage(typeName string) (Usage, bool) {
	if typeName == stackType {
		return Usage{"Stack count", e.maxStacks(), len(e.State.Names)}, true
	}
	if e.Usage == nil {
		return Usage{}, false
	}
	return e.Usage(typeName)
}

// validateOperation makes the checks of CreateStack and UpdateStack. The request
// is taken; the operation ends before anything is made (documentation). What
// cannot be compared yet, like a missing export, the operation itself refuses.
func (e *Engine) validateOperation(s *Stack, old, next *program, target *Deployment, disabled *bool) []Finding {
	if deref(disabled) {
		return nil
	}
	changes, _, err := e.compare(s, old, next, target, nil, nil)
	if err != nil {
		return nil
	}
	return e.validateEarly(changes, next)
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
		Check: checkExistence, Name: nameConflict, Mode: failingMode, LogicalID: c.LogicalID, Type: c.Type, PhysicalID: name,
		Path: "/Resources/" + c.LogicalID, Reason: fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", c.Type, name),
	}}
}

func findingsReason(findings []Finding) string {
	var names []string
	for _, f := range findings {
		if f.Mode != warningMode {
			names = append(names, f.Check)
		}
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
		Check: checkProperties, Name: propertyValidation, Mode: failingMode, LogicalID: c.LogicalID, Type: c.Type,
		Path: "/Resources/" + c.LogicalID + parent, Reason: reason,
	}
}
