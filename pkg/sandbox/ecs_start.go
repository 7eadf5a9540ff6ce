package sandbox

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// startFailure is why a task of a definition does not start; "" when it does.
// ECS looks at all of this only when a task starts, so a service or RunTask's
// task is where it shows. Texts: the stopped reasons of the ECS developer guide ("Stopped tasks
// error messages") and of users' reports.
func (c *call) startFailure(ref string) string {
	t := c.taskDefinition(ref)
	if t == nil {
		return "TaskDefinition not found."
	}
	p := decodeProps(t.Definition)
	for _, name := range []string{"ExecutionRoleArn", "TaskRoleArn"} {
		if role := p.text(name); role != "" && !c.roleExists(role) {
			return "ECS was unable to assume the role '" + role + "' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
		}
	}
	for _, container := range p.list("ContainerDefinitions") {
		for _, check := range []func(props) string{c.secretFailure, c.logFailure, c.imageFailure} {
			if why := check(container); why != "" {
				return why
			}
		}
	}
	if f := c.struck("ecs", "StartTask"); f != nil {
		if f.Message != "" {
			return f.Message
		}
		return f.Code
	}
	return ""
}

const pullFailure = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "

func (c *call) secretFailure(container props) string {
	for _, s := range container.list("Secrets") {
		from := s.text("ValueFrom")
		service, _, _, resource, isARN := arnParts(from)
		switch {
		case isARN && c.foreign(from):
		case isARN && service == "secretsmanager":
			if why := c.secretValueFailure(from, resource); why != "" {
				return pullFailure + "unable to retrieve secret from asm: service call has been retried 1 time(s): " + why
			}
		default:
			if _, _, _, err := c.find(from); err != nil {
				return pullFailure + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: " + c.parameterName(from)
			}
		}
	}
	return ""
}

// secretValueFailure looks at ARN:KEY:STAGE:VERSION, where the last three may
// be absent. It never shows a value.
func (c *call) secretValueFailure(from, resource string) string {
	parts := append(strings.Split(resource, ":"), "", "", "", "")
	id := strings.Join(strings.SplitN(from, ":", 8)[:min(7, strings.Count(from, ":")+1)], ":")
	out, err := getSecretValue(c, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: text(parts[3]), VersionId: text(parts[4])})
	if err != nil {
		f := asFail(err)
		return "failed to fetch secret " + id + " from secrets manager: " + f.Code + ": " + f.Message
	}
	key := parts[2]
	if key == "" {
		return ""
	}
	var document map[string]json.RawMessage
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &document) != nil || document[key] == nil {
		return "retrieved secret from Secrets Manager did not contain json key " + key
	}
	return ""
}

func (c *call) logFailure(container props) string {
	config := container.sub("LogConfiguration")
	options := config.sub("Options")
	name := options.text("awslogs-group")
	if config.text("LogDriver") != "awslogs" || name == "" || options.flag("awslogs-create-group") || c.region.LogGroups[name] != nil {
		return ""
	}
	if region := options.text("awslogs-region"); region != "" && region != c.region.Name {
		return ""
	}
	return "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
}

func (c *call) imageFailure(container props) string {
	image := container.text("Image")
	if c.hasImage(image) {
		return ""
	}
	return "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref " + image + ": " + image + ": not found"
}

// hasImage tells whether an image of the account's own registry is there;
// images of other registries exist.
func (c *call) hasImage(image string) bool {
	rest, ours := strings.CutPrefix(image, c.account.ID+".dkr.ecr."+c.region.Name+".amazonaws.com/")
	if !ours {
		return true
	}
	if repo, digest, ok := strings.Cut(rest, "@"); ok {
		repo, _, _ = strings.Cut(repo, ":")
		r := c.region.Repositories[repo]
		return !c.account.Bare || r != nil && r.Images[digest] != nil
	}
	repo, tag, _ := strings.Cut(rest, ":")
	if tag == "" {
		tag = "latest"
	}
	return c.containerTag(repo, tag) != nil
}
