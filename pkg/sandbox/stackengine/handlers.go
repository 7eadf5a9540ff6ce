package stackengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"reconcile/pkg/awstype"
)

// reason is how an event shows the refusal of a handler: as CloudFormation
// wraps it (aws-samples/bedrock-chat #794, stratospheric #204).
func (h *HandlerError) reason(e *Engine, s *Stack, r *StackResource) string {
	if h.Code == "" {
		return h.Message
	}
	return fmt.Sprintf("Resource handler returned message: %q (RequestToken: %s, HandlerErrorCode: %s)",
		h.Message, e.uuid(s.ID, r.LogicalID, itoa(len(s.Events))), h.Code)
}

// Error codes of handlers.
const (
	codeAlreadyExists  = "AlreadyExists"
	codeNotFound       = "NotFound"
	codeInvalidRequest = "InvalidRequest"
	codeGeneral        = "GeneralServiceException"
	codeInternal       = "InternalFailure"
)

func handlerError(err error) *HandlerError {
	if err == nil {
		return nil
	}
	var h *HandlerError
	if errors.As(err, &h) {
		return h
	}
	return &HandlerError{Code: codeInternal, Message: err.Error()}
}

func (e *Engine) provider(typeName string) Provider {
	if p, ok := e.Providers[typeName]; ok {
		return p
	}
	return generic{e}
}

// view is what a provider is told of a resource.
func (e *Engine) view(s *Stack, r *StackResource) Resource {
	serial := itoa(r.Serial)
	random := func(label, alphabet string, n int) string {
		return e.random(alphabet, n, s.ID, r.LogicalID, serial, label)
	}
	tags := map[string]string{
		"aws:cloudformation:stack-name": s.Name,
		"aws:cloudformation:stack-id":   s.ID,
		"aws:cloudformation:logical-id": r.LogicalID,
	}
	maps.Copy(tags, r.Tags)
	now := e.now()
	if s.Op != nil {
		now = s.Op.At // a step works at the time it was due
	}
	var signals Signals
	if r.Signals != nil {
		signals = *r.Signals
	}
	var policy map[string]any
	if len(r.Policy) > 0 {
		policy = decode(r.Policy)
	}
	return Resource{
		UpdatePolicy: policy, Signals: signals, Rollback: s.Op != nil && s.Op.Phase == phaseUpdateRollback,
		Now:     now,
		Account: e.State.Account, Region: e.State.Region,
		Stack: s.Name, StackID: s.ID, LogicalID: r.LogicalID, Type: r.Type, PhysicalID: r.PhysicalID,
		Properties: e.plain(r.Properties), Attributes: maps.Clone(r.Attributes), Tags: tags,
		GeneratedName: e.generatedName(r.Type, s.Name, r.LogicalID, random("name", mixedAlnum, 12)),
		Random:        random,
	}
}

var dynamicSSM = regexp.MustCompile(`\{\{resolve:ssm:([a-zA-Z0-9_./-]+)(?::(\d+))?\}\}`)

// plain decodes properties for a provider: numbers as float64, dynamic
// references to SSM resolved. Those to secrets stay text.
func (e *Engine) plain(raw json.RawMessage) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		m = map[string]any{}
	}
	resolved, _ := e.resolveText(m).(map[string]any)
	return resolved
}

func (e *Engine) resolveText(v any) any {
	switch v := v.(type) {
	case string:
		if !strings.Contains(v, "{{resolve:ssm:") || e.Parameter == nil {
			return v
		}
		return dynamicSSM.ReplaceAllStringFunc(v, func(ref string) string {
			m := dynamicSSM.FindStringSubmatch(ref)
			if value, ok := e.Parameter(m[1], m[2]); ok {
				return value
			}
			return ref
		})
	case map[string]any:
		for k, x := range v {
			v[k] = e.resolveText(x)
		}
	case []any:
		for i, x := range v {
			v[i] = e.resolveText(x)
		}
	}
	return v
}

// make creates the physical resource of r. old is the one that it replaces.
func (e *Engine) make(ctx context.Context, s *Stack, r, old *StackResource) *HandlerError {
	if err := e.checkProperties(r); err != nil {
		return err
	}
	props := decode(r.Properties)
	name, explicit := e.takenName(r.Type, props)
	if explicit {
		if err := e.checkName(r, name); err != nil {
			return err
		}
	}
	view := e.view(s, r)
	if err := e.check(ctx, PhaseCreate, view); err != nil {
		return err
	}
	p, err := e.provider(r.Type).Create(ctx, view)
	if err != nil {
		return handlerError(err)
	}
	key := r.Type + "|" + p.ID
	switch other := e.State.Items[key]; {
	case other == nil:
	case other.Owner == "" && e.Providers[r.Type] != nil:
		// Somebody deleted through the service what a stack had left behind.
		e.load().dropItem(key, other)
	default:
		return e.exists(other, r.Type, p.ID)
	}
	r.PhysicalID, r.Attributes = p.ID, p.Attributes
	item := &Item{Type: r.Type, PhysicalID: p.ID, Owner: s.ID, LogicalID: r.LogicalID, Attributes: p.Attributes}
	if explicit {
		item.Name = name
	}
	e.State.Items[key] = item
	e.load().addItem(key, item)
	return nil
}

// change updates the physical resource in place; next gets its attributes.
func (e *Engine) change(ctx context.Context, s *Stack, r, next *StackResource) *HandlerError {
	if err := e.checkProperties(next); err != nil {
		return err
	}
	old := e.view(s, r)
	view := e.view(s, next)
	view.PhysicalID = r.PhysicalID
	if err := e.check(ctx, PhaseUpdate, view); err != nil {
		return err
	}
	p, err := e.provider(r.Type).Update(ctx, old, view)
	if err != nil {
		return handlerError(err)
	}
	next.Attributes = p.Attributes
	key := r.Type + "|" + r.PhysicalID
	if item := e.State.Items[key]; item != nil {
		e.load().dropItem(key, item)
		item.Attributes = p.Attributes
		item.Properties = overlay(item.Properties, r.Properties, next.Properties)
		item.forgetHand(r.Properties, next.Properties)
		if name, ok := e.takenName(r.Type, decode(next.Properties)); ok {
			item.Name = name
		}
		e.load().addItem(key, item)
	}
	return nil
}

// overlay writes a template's change over a live document that somebody
// changed by hand: an update sends only what changed in the template.
func overlay(live, before, after json.RawMessage) json.RawMessage {
	if live == nil {
		return nil
	}
	doc, old, next := decode(live), decode(before), decode(after)
	for _, k := range keys(old) {
		if _, still := next[k]; !still {
			delete(doc, k)
		}
	}
	for _, k := range keys(next) {
		if !equal(old[k], next[k]) {
			doc[k] = next[k]
		}
	}
	return compact(doc)
}

// unmake deletes the physical resource of r.
func (e *Engine) unmake(ctx context.Context, s *Stack, r *StackResource) *HandlerError {
	key := r.Type + "|" + r.PhysicalID
	item := e.State.Items[key]
	if err := e.occupied(r); err != nil {
		return err
	}
	if item != nil {
		if err := e.check(ctx, PhaseDelete, e.view(s, r)); err != nil {
			return err
		}
	}
	if err := handlerError(e.provider(r.Type).Delete(ctx, e.view(s, r))); err != nil && err.Code != codeNotFound {
		return err
	}
	if item != nil {
		e.load().dropItem(key, item)
		delete(e.State.Items, key)
	}
	return nil
}

// strike takes what somebody deleted past the engine off its list.
func (e *Engine) strike(r *StackResource) {
	key := r.Type + "|" + r.PhysicalID
	if item := e.State.Items[key]; item != nil {
		e.load().dropItem(key, item)
		delete(e.State.Items, key)
	}
}

// orphan leaves the physical resource of r behind: it exists and belongs to no
// stack.
func (e *Engine) orphan(r *StackResource) {
	if item := e.State.Items[r.Type+"|"+r.PhysicalID]; item != nil {
		item.Owner, item.LogicalID = "", ""
		if item.Properties == nil {
			item.Properties = r.Properties
		}
	}
}

// checkProperties refuses what the type's schema does not allow, in the words
// of CloudFormation (cloudformation-coverage-roadmap #1005).
func (e *Engine) checkProperties(r *StackResource) *HandlerError {
	problems := awstype.Validate(r.Type, decode(r.Properties))
	if len(problems) > 0 {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = schemaLine(p)
		}
		return &HandlerError{Message: fmt.Sprintf("Properties validation failed for resource %s with message:\n%s", r.LogicalID, strings.Join(lines, "\n"))}
	}
	return e.checkSecrets(decode(r.Properties))
}

// schemaLine writes a problem as the schema validator of CloudFormation does.
func schemaLine(p awstype.Problem) string {
	parent, name := splitProblem(p)
	message := p.Message
	switch {
	case name != "" && strings.HasPrefix(p.Message, "no such property"):
		message = "extraneous key [" + name + "] is not permitted"
	case strings.HasSuffix(p.Message, " is required"):
		parent = difference{path: p.Path}.pointer()
		message = "required key [" + strings.TrimSuffix(p.Message, " is required") + "] not found"
	default:
		parent = difference{path: p.Path}.pointer()
	}
	return "#" + strings.TrimPrefix(parent, "/Properties") + ": " + message
}

// splitProblem gives the pointer of the object that a problem's path is in, and
// the last key.
func splitProblem(p awstype.Problem) (parent, name string) {
	pointer := difference{path: p.Path}.pointer()
	i := strings.LastIndexByte(pointer, '/')
	return pointer[:i], pointer[i+1:]
}

// takenName is the key under which an explicit name is unique.
func (e *Engine) takenName(typeName string, props map[string]any) (string, bool) {
	n, ok := explicitName(typeName, props)
	return typeName + "|" + scopeOf(typeName, props) + "|" + n, ok
}

func (e *Engine) checkName(r *StackResource, taken string) *HandlerError {
	name := taken[strings.LastIndexByte(taken, '|')+1:]
	item := e.State.Items[e.load().taken[taken]]
	special := e.Providers[r.Type] != nil
	if item != nil && (item.Owner != "" || !special) {
		return e.exists(item, r.Type, name)
	}
	if !special && e.Exists != nil && e.Exists(r.Type, name) {
		return e.exists(nil, r.Type, name)
	}
	return nil
}

// exists is the refusal of a name that is taken: by a stack or by nobody's.
// Texts: aws-samples/eb-php-wordpress #25 and bedrock-chat #794.
func (e *Engine) exists(item *Item, typeName, name string) *HandlerError {
	if item != nil && item.Owner != "" {
		return &HandlerError{Message: fmt.Sprintf("%s already exists in stack %s", name, item.Owner)}
	}
	return &HandlerError{Code: codeAlreadyExists, Message: fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", typeName, name)}
}

// idPattern matches ids of EC2 that must exist when a resource refers to them.
var idPattern = regexp.MustCompile(`^(vpc|subnet|sg|rtb|igw|nat|lt|eipalloc)-[0-9a-f]{8,17}$`)

var idTypes = map[string]struct{ typeName, refusal string }{
	"vpc":      {"AWS::EC2::VPC", "The vpc ID '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"subnet":   {"AWS::EC2::Subnet", "The subnet ID '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"sg":       {"AWS::EC2::SecurityGroup", "The security group '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"rtb":      {"AWS::EC2::RouteTable", "The routeTable ID '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"igw":      {"AWS::EC2::InternetGateway", "The internetGateway ID '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"nat":      {"AWS::EC2::NatGateway", "The NatGateway '%s' does not exist (Service: Ec2, Status Code: 400)"},
	"lt":       {"AWS::EC2::LaunchTemplate", "The specified launch template, with template ID %s, does not exist. (Service: Ec2, Status Code: 400)"},
	"eipalloc": {"AWS::EC2::EIP", "The allocation ID '%s' does not exist (Service: Ec2, Status Code: 400)"},
}

// checkReferences refuses ids of EC2 that nothing has. Texts: EC2's error code
// reference; the words around them differ by handler.
func (e *Engine) checkReferences(v any) *HandlerError {
	switch v := v.(type) {
	case string:
		m := idPattern.FindStringSubmatch(v)
		if m == nil || e.load().ids[v] > 0 || e.Exists != nil && e.Exists(idTypes[m[1]].typeName, v) {
			return nil
		}
		return &HandlerError{Code: codeNotFound, Message: fmt.Sprintf(idTypes[m[1]].refusal, v)}
	case map[string]any:
		for _, k := range keys(v) {
			if err := e.checkReferences(v[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, x := range v {
			if err := e.checkReferences(x); err != nil {
				return err
			}
		}
	}
	return nil
}

// identifiers are the ids that an item answers to.
func identifiers(item *Item) []string {
	var out []string
	if idPattern.MatchString(item.PhysicalID) {
		out = append(out, item.PhysicalID)
	}
	for _, k := range keys(item.Attributes) {
		if v := item.Attributes[k]; v != item.PhysicalID && idPattern.MatchString(v) {
			out = append(out, v)
		}
	}
	return out
}
