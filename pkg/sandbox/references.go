package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// What a resource refers to must exist, whether a stack made it or somebody
// else, and whether the template says Ref or a literal. Each service looks for
// it in its own way; references_table.go has the ways by type.

// reference is a property that names something.
type reference struct {
	path  string // dots go into objects, lists are walked
	check func(c *call, value string) *Fail
}

// checkResource is the engine's Check.
func (s *Sandbox) checkResource(ctx context.Context, rg *region, phase stackengine.Phase, r stackengine.Resource) error {
	c := &call{ctx: ctx, now: s.clock, account: s.account, region: rg, sandbox: s}
	var f *Fail
	switch {
	case phase == stackengine.PhaseDelete:
		f = c.inUse(r)
	default:
		if f = c.missing(r); f == nil {
			f = c.conflict(r)
		}
	}
	if f == nil {
		return nil
	}
	return handlerRefusal(serviceNames[serviceOf(r.Type)], r, f)
}

func serviceOf(typeName string) string {
	parts := strings.Split(typeName, "::")
	return parts[min(1, len(parts)-1)]
}

// serviceNames are the services as handlers name them.
var serviceNames = map[string]string{
	"ApplicationAutoScaling": "ApplicationAutoScaling", "AutoScaling": "AutoScaling", "CertificateManager": "Acm", "CloudFront": "CloudFront",
	"EC2": "Ec2", "ECR": "Ecr", "ECS": "AmazonECS", "ElastiCache": "ElastiCache", "ElasticLoadBalancingV2": "ElasticLoadBalancingV2", "IAM": "Iam",
	"KMS": "Kms", "Lambda": "Lambda", "Logs": "CloudWatchLogs", "RDS": "Rds", "S3": "S3", "SNS": "Sns", "SQS": "Sqs", "SSM": "Ssm", "SecretsManager": "SecretsManager",
	"Budgets": "Budgets",
}

// missing refuses the first reference to something that does not exist.
func (c *call) missing(r stackengine.Resource) *Fail { return c.missingOf(r.Type, r.Properties) }

func (c *call) missingOf(typeName string, p props) *Fail {
	for _, ref := range references[typeName] {
		for _, value := range valuesAt(map[string]any(p), strings.Split(ref.path, ".")) {
			if value == "" || strings.Contains(value, "{{resolve:") {
				continue
			}
			if f := ref.check(c, value); f != nil {
				return f
			}
		}
	}
	return nil
}

// valuesAt are the scalars at a path.
func valuesAt(v any, path []string) []string {
	switch v := v.(type) {
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, valuesAt(e, path)...)
		}
		return out
	case map[string]any:
		if len(path) == 0 {
			return nil
		}
		return valuesAt(v[path[0]], path[1:])
	case nil:
		return nil
	}
	if len(path) > 0 {
		return nil
	}
	return []string{scalarText(v)}
}

// lastPart is what follows the last separator.
func lastPart(s string, separator byte) string { return s[strings.LastIndexByte(s, separator)+1:] }

// arnParts splits an ARN; ok is false for anything else.
func arnParts(arn string) (service, region, account, resource string, ok bool) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" {
		return "", "", "", "", false
	}
	return p[2], p[3], p[4], p[5], true
}

// foreign tells whether an ARN names something of another account or region,
// of which the sandbox knows nothing.
func (c *call) foreign(arn string) bool {
	_, region, account, _, ok := arnParts(arn)
	return ok && (account != "" && account != c.account.ID || region != "" && region != c.region.Name)
}

// itemAnywhere finds an item of a global service, whichever region's stack
// made it.
func (c *call) itemAnywhere(typeName, id string) bool {
	for _, r := range c.account.Regions {
		if r.Stacks != nil && r.Stacks.Items[typeName+"|"+id] != nil || r.Made[typeName+"|"+id] != nil {
			return true
		}
	}
	return false
}

// roleExists takes a role's name or ARN. Roles of services exist everywhere.
func (c *call) roleExists(ref string) bool {
	_, _, account, resource, isARN := arnParts(ref)
	if isARN && (account != c.account.ID || strings.HasPrefix(resource, "role/aws-service-role/")) {
		return true
	}
	return c.itemAnywhere("AWS::IAM::Role", lastPart(ref, '/'))
}

// profileExists takes an instance profile's name or ARN.
func (c *call) profileExists(ref string) bool {
	return c.itemAnywhere("AWS::IAM::InstanceProfile", lastPart(ref, '/'))
}

// policyExists takes a managed policy's ARN; AWS's own all exist.
func (c *call) policyExists(arn string) bool {
	_, _, account, _, ok := arnParts(arn)
	return !ok || account != c.account.ID || c.itemAnywhere("AWS::IAM::ManagedPolicy", arn)
}

// keyExists takes a KMS key's id, ARN or alias; AWS's own keys all exist.
func (c *call) keyExists(ref string) bool {
	name := ref
	if _, _, _, resource, ok := arnParts(ref); ok {
		if c.foreign(ref) {
			return true
		}
		name = strings.TrimPrefix(resource, "key/")
	}
	if strings.HasPrefix(name, "alias/") {
		return strings.HasPrefix(name, "alias/aws/") || c.exists("AWS::KMS::Alias", name)
	}
	return c.exists("AWS::KMS::Key", name)
}

// named tells whether an item with that physical id exists; of what is foreign,
// nothing is known.
func (c *call) named(typeName, id string) bool { return c.foreign(id) || c.exists(typeName, id) }

// subnetsExist refuses the first subnet that does not, as Auto Scaling does.
func (c *call) subnetsExist(ids []string) error {
	for _, id := range ids {
		if !c.exists("AWS::EC2::Subnet", strings.TrimSpace(id)) {
			return fail("ValidationError", "The subnet ID '%.80s' does not exist", id)
		}
	}
	return nil
}

func (c *call) targetGroupsExist(arns []string) error {
	for _, arn := range arns {
		if !c.named("AWS::ElasticLoadBalancingV2::TargetGroup", arn) {
			return fail("ValidationError", "Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
	}
	return nil
}

// handlerRefusal is a service's refusal as CloudFormation's handlers pass it
// on: the service's text with what was called, and a code of their own.
func handlerRefusal(service string, r stackengine.Resource, f *Fail) *stackengine.HandlerError {
	return &stackengine.HandlerError{
		Code:    handlerCode(f.Code),
		Message: fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s)", f.Message, service, f.status(), uuid(r.Random("request", "0123456789abcdef", 32))),
	}
}

// asRefusal is handlerRefusal for an error that may be one already.
func asRefusal(service string, r stackengine.Resource, err error) error {
	var handler *stackengine.HandlerError
	if err == nil || errors.As(err, &handler) {
		return err
	}
	var f *Fail
	if !errors.As(err, &f) {
		return err
	}
	return handlerRefusal(service, r, f)
}
