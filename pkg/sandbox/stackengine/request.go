package stackengine

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

var (
	stackName     = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	changeSetName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	tokenPattern  = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]*$`)
)

// constraint is AWS's answer to an input that does not fit the model.
func constraint(value, field, rule string) *Error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, field, rule)
}

// checkEnum refuses a list with a value that AWS's model does not know.
func checkEnum[T ~string](given []T, field string, known []T) error {
	for _, g := range given {
		if !slices.Contains(known, g) {
			return constraint("["+commaed(given)+"]", field, "satisfy enum value set: ["+commaed(known)+"]")
		}
	}
	return nil
}

func commaed[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}

// checkToken refuses a client request token that the model does not allow.
func checkToken(token *string) error {
	if token != nil && (!tokenPattern.MatchString(*token) || len(*token) > 128) {
		return constraint(*token, "clientRequestToken", "satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*")
	}
	return nil
}

// checkStackName refuses a name that a new stack cannot have (C7).
func checkStackName(name string) error {
	switch {
	case name == "":
		return constraint("", "stackName", "have length greater than or equal to 1")
	case len(name) > 128:
		return constraint(name, "stackName", "have length less than or equal to 128")
	case !stackName.MatchString(name):
		return constraint(name, "stackName", "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
	}
	return nil
}

// find returns the stack with this ARN, or the living one with this name.
func (e *Engine) find(nameOrID string) *Stack {
	if strings.HasPrefix(nameOrID, "arn:") {
		return e.State.Stacks[nameOrID]
	}
	return e.State.Stacks[e.State.Names[nameOrID]]
}

// alive is find for requests that a deleted stack refuses.
func (e *Engine) alive(nameOrID string) *Stack {
	if s := e.find(nameOrID); s != nil && s.Status != "DELETE_COMPLETE" {
		return s
	}
	return nil
}

// withID is the refusal of reading requests.
func withID(nameOrID string) *Error { return invalid("Stack with id %s does not exist", nameOrID) }

// unknownStack is the refusal of changing requests, and of some reading ones.
func unknownStack(nameOrID string) *Error { return invalid("Stack [%s] does not exist", nameOrID) }

// cannotUpdate is the refusal of a stack in the wrong state (A1, A14).
func cannotUpdate(s *Stack) *Error {
	return invalid("Stack:%s is in %s state and can not be updated.", s.ID, s.Status)
}

// updatable lists the states in which a stack takes an update.
var updatable = []string{
	"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
	"CREATE_FAILED", "UPDATE_FAILED", // after a failure with rollback disabled
}

// deployment is what create, update and change sets have in common.
type deployment struct {
	body, url    *string
	previous     bool
	parameters   []types.Parameter
	tags         []types.Tag
	capabilities []types.Capability
	notify       []string
	role         *string
	allowed      []string // resource types
	rollback     *types.RollbackConfiguration
}

// target evaluates a request against the stack as it is and returns what it
// would deploy.
func (e *Engine) target(ctx context.Context, s *Stack, in deployment, fresh bool) (*Deployment, *program, error) {
	var had Deployment
	if !fresh {
		had = s.Deployed
	}
	body, err := e.body(ctx, in, had.Template)
	if err != nil {
		return nil, nil, err
	}
	t, err := e.parse(body)
	if err != nil {
		return nil, nil, err
	}
	if in.role != nil && e.Role != nil && !e.Role(*in.role) {
		return nil, nil, invalid("Role %s is invalid or cannot be assumed", *in.role) // B24
	}
	d := &Deployment{Template: body, Description: t.Description, RoleARN: deref(in.role), Notify: in.notify, Tags: had.Tags, Timeout: had.Timeout, NoRollback: had.NoRollback}
	if d.RoleARN == "" {
		d.RoleARN = had.RoleARN
	}
	d.Monitor, d.Triggers = had.Monitor, had.Triggers
	if err := d.readRollback(in.rollback); err != nil {
		return nil, nil, err
	}
	if len(in.notify) > 5 {
		return nil, nil, invalid("1 validation error detected: Value at 'notificationARNs' failed to satisfy constraint: Member must have length less than or equal to 5")
	}
	if in.notify == nil {
		d.Notify = had.Notify
	}
	if err := checkEnum(in.capabilities, "capabilities", []types.Capability{"CAPABILITY_AUTO_EXPAND", "CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"}); err != nil {
		return nil, nil, err
	}
	for _, c := range in.capabilities {
		d.Capabilities = append(d.Capabilities, string(c))
	}
	if in.tags != nil || fresh {
		if d.Tags, err = readTags(in.tags); err != nil {
			return nil, nil, err
		}
	}
	if d.Parameters, d.Resolved, err = e.bindParameters(t, givenParameters(in.parameters), had.Parameters); err != nil {
		return nil, nil, err
	}
	p, err := e.compile(t, d, s.Name, s.ID)
	if err != nil {
		return nil, nil, err
	}
	if err := p.checkKnown(); err != nil {
		return nil, nil, err
	}
	if err := checkAllowed(p.t, in.allowed); err != nil {
		return nil, nil, err
	}
	if err := p.t.checkCapabilities(d.Capabilities); err != nil {
		return nil, nil, err
	}
	return d, p, e.checkDynamic(p)
}

// readRollback takes a request's rollback configuration; what it leaves out stays
// (reference of RollbackConfiguration).
func (d *Deployment) readRollback(c *types.RollbackConfiguration) error {
	if c == nil {
		return nil
	}
	if n := c.MonitoringTimeInMinutes; n != nil {
		if *n < 0 || *n > 180 {
			return constraint(itoa(int(*n)), "rollbackConfiguration.monitoringTimeInMinutes", "have value between 0 and 180")
		}
		d.Monitor = *n
	}
	if c.RollbackTriggers == nil {
		return nil
	}
	if len(c.RollbackTriggers) > 5 {
		return invalid("1 validation error detected: Value at 'rollbackConfiguration.rollbackTriggers' failed to satisfy constraint: Member must have length less than or equal to 5")
	}
	d.Triggers = nil
	for _, t := range c.RollbackTriggers {
		d.Triggers = append(d.Triggers, Trigger{deref(t.Arn), deref(t.Type)})
	}
	return nil
}

// rollback is the rollback configuration as it is described.
func (d *Deployment) rollback() *types.RollbackConfiguration {
	out := &types.RollbackConfiguration{}
	if d.Monitor > 0 {
		out.MonitoringTimeInMinutes = ptr(d.Monitor)
	}
	for _, t := range d.Triggers {
		out.RollbackTriggers = append(out.RollbackTriggers, types.RollbackTrigger{Arn: ptr(t.ARN), Type: ptr(t.Type)})
	}
	return out
}

// body finds the template of a request. Texts: LocalStack, test_update_stack
// and B18, B19 of failure-modes.
func (e *Engine) body(ctx context.Context, in deployment, previous string) (string, error) {
	given := 0
	for _, set := range []bool{in.body != nil, in.url != nil, in.previous} {
		if set {
			given++
		}
	}
	switch {
	case given == 0:
		return "", invalid("Either Template URL or Template Body must be specified.")
	case given > 1:
		return "", invalid("Only one of Template URL, Template Body or Use Previous Template may be specified.")
	case in.previous:
		if previous == "" {
			return "", invalid("Either Template URL or Template Body must be specified.")
		}
		return previous, nil
	case in.body != nil:
		if len(*in.body) > maxBody {
			return "", constraint(*in.body, "templateBody", fmt.Sprintf("have length less than or equal to %d", maxBody))
		}
		return *in.body, nil
	}
	return e.fetch(ctx, *in.url)
}

func (e *Engine) fetch(ctx context.Context, url string) (string, error) {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return "", invalid("TemplateURL must be a supported URL.")
	}
	if e.Fetch == nil {
		return "", invalid("S3 error: The specified key does not exist.")
	}
	body, err := e.Fetch(ctx, url)
	if err != nil {
		return "", invalid("S3 error: %s", err.Error())
	}
	if len(body) > maxURLBody {
		return "", invalid("Template may not exceed %d bytes in size.", maxURLBody)
	}
	return body, nil
}

func givenParameters(list []types.Parameter) map[string]given {
	out := make(map[string]given, len(list))
	for _, p := range list {
		out[deref(p.ParameterKey)] = given{deref(p.ParameterValue), deref(p.UsePreviousValue)}
	}
	return out
}

func readTags(list []types.Tag) (map[string]string, error) {
	if len(list) > 50 {
		return nil, invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	var out map[string]string
	for _, t := range list {
		k := deref(t.Key)
		switch v := deref(t.Value); {
		case len(k) > 128:
			return nil, constraint(k, "tags.member.key", "have length less than or equal to 128")
		case len(v) > 256:
			return nil, constraint(v, "tags.member.value", "have length less than or equal to 256")
		}
		if k == "" || strings.HasPrefix(k, "aws:") {
			return nil, invalid("Tag keys must not be empty or begin with aws:. [%s]", k)
		}
		if out == nil {
			out = map[string]string{}
		}
		if _, twice := out[k]; twice {
			return nil, invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		out[k] = deref(t.Value)
	}
	return out, nil
}

// checkAllowed holds a template against the request's ResourceTypes.
func checkAllowed(t *template, allowed []string) error {
	if len(allowed) == 0 {
		return nil
	}
	for _, id := range keys(t.Resources) {
		typeName := t.Resources[id].Type
		if !slices.ContainsFunc(allowed, func(a string) bool {
			return a == typeName || strings.HasSuffix(a, "::*") && strings.HasPrefix(typeName, strings.TrimSuffix(a, "*")) || a == "AWS::*" || a == "*"
		}) {
			return invalid("Resource type %s is not allowed by parameter ResourceTypes [%s]", typeName, strings.Join(allowed, ", "))
		}
	}
	return nil
}

// claim notes a client request token. repeated is true when the same request
// was served before: the answer is the same and nothing happens. A token that
// was used for something else is refused (B26).
func (e *Engine) claim(token *string, op, stack, digest string) (repeated bool, id string, err error) {
	if token == nil {
		return false, "", nil
	}
	if err := checkToken(token); err != nil {
		return false, "", err
	}
	have, ok := e.State.Tokens[*token]
	if !ok {
		return false, "", nil
	}
	if have.Op == op && have.Stack == stack && have.Digest == digest {
		return true, have.ID, nil
	}
	return false, "", &Error{Code: "TokenAlreadyExistsException", Message: "A client request token already exists.", Status: 400}
}

func (e *Engine) keepToken(token *string, op, stack, digest, id string) {
	if token != nil {
		e.State.Tokens[*token] = Token{Op: op, Stack: stack, Digest: digest, ID: id}
	}
}
