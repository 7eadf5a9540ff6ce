package plan

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
)

// OwnerTag marks what a platform of ours made: a stack's tag, which
// CloudFormation puts on each resource that can carry one, and outlives the
// stack on what is kept. Its value is the Platform's name.
const OwnerTag = "reconcile:owner"

// NamedResource is an explicit name that a resource of a stack would have.
type NamedResource struct {
	Type string // CloudFormation type
	Name string
}

// Key is the key of Live.Named.
func (n NamedResource) Key() string { return n.Type + " " + n.Name }

// Types whose names are looked for before something is created under them.
const (
	TypeBucket     = "AWS::S3::Bucket"
	TypeSecret     = "AWS::SecretsManager::Secret"
	TypeParameter  = "AWS::SSM::Parameter"
	TypeLogGroup   = "AWS::Logs::LogGroup"
	TypeRepository = "AWS::ECR::Repository"
	TypeProvider   = "AWS::IAM::OIDCProvider"
)

// namedType is what the plan knows of a type with explicit names: all of them
// can be imported.
type namedType struct {
	property   string // that holds the name
	identifier string // primary identifier in an import
	look       string // command to look at one
	mark       string // command that gives it our mark; empty: there is no safe one
	remove     string // command that deletes one
}

func namedTypes(typeName string) (namedType, bool) {
	switch typeName {
	case TypeBucket:
		return namedType{"BucketName", "BucketName", "aws s3api get-bucket-tagging --bucket %s",
			"aws s3api put-bucket-tagging --bucket %s --tagging 'TagSet=[{Key=" + OwnerTag + ",Value=%s}]'", "aws s3api delete-bucket --bucket %s"}, true
	case TypeSecret:
		return namedType{"Name", "Id", "aws secretsmanager describe-secret --secret-id %s",
			"aws secretsmanager tag-resource --secret-id %s --tags Key=" + OwnerTag + ",Value=%s", "aws secretsmanager delete-secret --secret-id %s"}, true
	case TypeParameter:
		return namedType{"Name", "Name", "aws ssm get-parameter --name %s",
			"aws ssm add-tags-to-resource --resource-type Parameter --resource-id %s --tags Key=" + OwnerTag + ",Value=%s", "aws ssm delete-parameter --name %s"}, true
	case TypeLogGroup:
		return namedType{"LogGroupName", "LogGroupName", "aws logs describe-log-groups --log-group-name-prefix %s",
			"aws logs tag-log-group --log-group-name %s --tags " + OwnerTag + "=%s", "aws logs delete-log-group --log-group-name %s"}, true
	case TypeRepository:
		return namedType{"RepositoryName", "RepositoryName", "aws ecr describe-repositories --repository-names %s", "", "aws ecr delete-repository --repository-name %s"}, true
	case TypeProvider:
		return namedType{"Url", "Arn", "aws iam list-open-id-connect-providers", "", ""}, true
	}
	return namedType{}, false
}

// nameOf is the explicit name of a resource whose type is looked for.
func nameOf(r cfn.Resource) (NamedResource, bool) {
	t, ok := namedTypes(r.Type)
	if !ok {
		return NamedResource{}, false
	}
	name, ok := r.Properties[t.property].(string)
	return NamedResource{r.Type, name}, ok && name != ""
}

// kindOf is the type in a few words: "bucket", "log group".
func kindOf(typeName string) string {
	switch typeName {
	case TypeBucket:
		return "bucket"
	case TypeSecret:
		return "secret"
	case TypeParameter:
		return "parameter"
	case TypeLogGroup:
		return "log group"
	case TypeRepository:
		return "repository"
	case TypeProvider:
		return "OIDC provider"
	case typeGroup:
		return "Auto Scaling group"
	case typeLaunchTemplate:
		return "launch template"
	}
	return typeName
}

// taken finds what stands in the way of creating a resource: something has its
// name. importable is set when that is ours, was kept, and belongs to no stack.
func (c *computation) taken(st *stackState, id string) (live LiveNamed, importable bool, p *problem) {
	r := st.after.Resources[id]
	n, ok := nameOf(r)
	if !ok {
		return LiveNamed{}, false, c.takenGroup(st, r)
	}
	live, read := c.l.Named[n.Key()]
	if !read {
		c.more.named[n] = true
		return LiveNamed{}, false, nil
	}
	t, _ := namedTypes(n.Type)
	what := fmt.Sprintf("%s (%s)", id, strings.Join([]string{kindOf(n.Type), n.Name}, " "))
	p = &problem{code: "name-taken", target: st.spec.Name + "/" + id, command: fmt.Sprintf(t.look, n.Name)}
	switch owner := c.d.Target.Platform; {
	case !live.Exists, live.Stack == st.spec.Name:
		return live, false, nil
	case n.Type == TypeProvider:
		p.reason = fmt.Sprintf("%s cannot be created: the account has it, and AWS takes one; reuse it with spec.github.oidcProviderArn: %s", what, live.ID)
		p.command = t.look
	case live.Elsewhere != "":
		p.reason = fmt.Sprintf("%s cannot be created: the name is taken in %s; the specs need another one", what, live.Elsewhere)
		if n.Type == TypeBucket {
			p.command = "aws s3api head-bucket --bucket " + n.Name
		}
	case live.Deleting:
		p.code = "secret-deleting"
		p.reason = what + " is scheduled for deletion, and until it is gone no other can have its name; restored, it is imported"
		p.command = "aws secretsmanager restore-secret --secret-id " + n.Name
	case live.Stack != "":
		p.reason = fmt.Sprintf("%s cannot be created: it exists and belongs to stack %s", what, live.Stack)
		p.command = "aws cloudformation describe-stacks --stack-name " + live.Stack
	case !retained(r.DeletionPolicy):
		p.reason = what + " cannot be created: it exists already and belongs to no stack; delete it if nobody needs it"
		if live.Owner == owner {
			p.command = fmt.Sprintf(t.remove, n.Name)
		}
	case live.Owner != owner:
		p.reason, p.command = unmarked(t, n, live, owner, what)
	default:
		if property := openProperty(r); property != "" {
			p.reason = fmt.Sprintf("%s exists and belongs to no stack; it cannot be imported, because its %s is known only after apply", what, property)
			return live, false, p
		}
		return live, true, nil
	}
	return live, false, p
}

// unmarked says what to do about a thing without our mark.
func unmarked(t namedType, n NamedResource, live LiveNamed, owner, what string) (reason, command string) {
	if live.Owner != "" {
		return fmt.Sprintf("%s cannot be created: it exists and belongs to platform %q", what, live.Owner), fmt.Sprintf(t.look, n.Name)
	}
	reason = fmt.Sprintf("%s cannot be created: it exists, belongs to no stack and does not carry this platform's mark, the tag %s=%s. If it is this platform's, give it the mark and the next plan imports it; if not, it stays as it is and the specs need another name",
		what, OwnerTag, owner)
	if t.mark == "" || n.Type == TypeBucket && live.Tagged { // put-bucket-tagging replaces all tags
		return reason, fmt.Sprintf(t.look, n.Name)
	}
	return reason, fmt.Sprintf(t.mark, n.Name, owner)
}

// takenGroup is taken for names that the plan reads anyway, without whose they
// are: it says something only of a stack that is not there at all.
func (c *computation) takenGroup(st *stackState, r cfn.Resource) *problem {
	if live, there := c.l.Stacks[st.spec.Name]; there && live.Status != "DELETE_COMPLETE" {
		return nil
	}
	var name, command string
	there := false
	switch r.Type {
	case typeGroup:
		name, _ = groupName(r)
		_, there = c.l.Groups[name]
		command = "aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names " + name
	case typeLaunchTemplate:
		name, _ = r.Properties["LaunchTemplateName"].(string)
		_, there = c.l.LaunchTemplates[name]
		command = "aws ec2 describe-launch-templates --launch-template-names " + name
	}
	if !there || name == "" {
		return nil
	}
	return &problem{code: "name-taken", target: name, command: command,
		reason: fmt.Sprintf("%s %s cannot be created: it exists already and is not of this stack; delete it if nobody needs it", kindOf(r.Type), name)}
}
