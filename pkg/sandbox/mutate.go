package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox/stackengine"
)

// Mutation is something that a person does by hand, behind the back of
// CloudFormation and of whoever plans. One of its parts is set. Target is
// STACK/LOGICALID, or TYPE/PHYSICALID like AWS::Logs::LogGroup//ecs/web.
type Mutation struct {
	Region string `json:"region,omitempty"` // "" is the account's own
	Target string `json:"target,omitempty"`
	// Pointer and Value set a live property of Target; a Value of null removes it.
	Pointer string          `json:"pointer,omitempty"` // RFC 6901: "/Tags/0/Value"
	Value   json.RawMessage `json:"value,omitempty"`
	Delete  bool            `json:"delete,omitempty"` // Target, behind the back of its stack

	Parameter string     `json:"parameter,omitempty"` // name; Text is its value
	Group     string     `json:"group,omitempty"`     // Size is its desired capacity
	Agent     string     `json:"agent,omitempty"`     // instance id; State is what its SSM agent does
	Publish   string     `json:"publish,omitempty"`   // REPOSITORY:TAG or ami-…
	Remove    string     `json:"remove,omitempty"`    // the same
	Text      string     `json:"text,omitempty"`
	Size      int32      `json:"size,omitempty"`
	State     AgentState `json:"state,omitempty"`
}

// AgentStates lists them.
func AgentStates() []AgentState { return []AgentState{AgentOnline, AgentLost, AgentSlow} }

// Mutate does it, and tells in a line what was done. An error names the
// nearest thing that there is.
func (s *Sandbox) Mutate(m Mutation) (string, error) {
	if len(m.Value) > 0 && !json.Valid(m.Value) {
		return "", fmt.Errorf("%s %s: the value is no JSON", m.Target, m.Pointer)
	}
	out, err := s.admin(m.Region, adminChange{Mutation: &m})
	if err != nil {
		return "", err
	}
	said, _ := out.(string)
	return said, nil
}

// Advance moves the account's clock; what falls due on the way happens.
func (s *Sandbox) Advance(d time.Duration) (time.Time, error) {
	if _, err := s.admin("", adminChange{Advance: d}); err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.Last, nil
}

func (c *call) mutate(m Mutation) (string, error) {
	switch {
	case m.Delete:
		return c.lose(m.Target)
	case m.Target != "":
		return c.edit(m)
	case m.Parameter != "":
		return c.setParameter(m.Parameter, m.Text)
	case m.Group != "":
		return c.setCapacity(m.Group, m.Size)
	case m.Agent != "":
		return c.agentByHand(m.Agent, m.State)
	case m.Publish != "":
		return c.publish(m.Publish)
	case m.Remove != "":
		return c.unpublish(m.Remove)
	}
	return "", errors.New("a mutation of nothing")
}

// edit sets a live property.
func (c *call) edit(m Mutation) (string, error) {
	l, err := c.target(m.Target)
	if err != nil {
		return "", err
	}
	live, err := c.engine.LiveProperties(c.ctx, l)
	if err != nil {
		return "", c.refusedByHand(m.Target, err)
	}
	path, err := splitPointer(m.Pointer)
	if err != nil {
		return "", err
	}
	if why := stackengine.Settable(l.Type, path[0]); why != "" {
		return "", fmt.Errorf("%s: %s of %s %s", m.Target, path[0], l.Type, why)
	}
	var value any
	if err := json.Unmarshal(m.Value, &value); err != nil {
		return "", fmt.Errorf("%s %s: the value is no JSON: %w", m.Target, m.Pointer, err)
	}
	next, err := setAt(live, path, value)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", m.Target, m.Pointer, err)
	}
	doc, ok := next.(map[string]any)
	if !ok {
		return "", fmt.Errorf("%s: properties are an object", m.Target)
	}
	if err := newProblems(l.Type, live, doc); err != nil {
		return "", fmt.Errorf("%s %s: AWS would refuse this: %w", m.Target, m.Pointer, err)
	}
	if err := c.engine.EditLive(c.ctx, l, doc); err != nil {
		return "", c.refusedByHand(m.Target, err)
	}
	return fmt.Sprintf("%s: %s of %s %s was set by hand", m.Target, m.Pointer, l.Type, l.PhysicalID), nil
}

// lose deletes a resource behind the back of its stack.
func (c *call) lose(target string) (string, error) {
	l, err := c.target(target)
	if err != nil {
		return "", err
	}
	if err := c.engine.LoseLive(c.ctx, l); err != nil {
		return "", c.refusedByHand(target, err)
	}
	of := ""
	if l.Stack != "" {
		of = "; stack " + l.Stack + " does not know"
	}
	return fmt.Sprintf("%s: %s %s was deleted by hand%s", target, l.Type, l.PhysicalID, of), nil
}

func (c *call) refusedByHand(target string, err error) error {
	if errors.Is(err, stackengine.ErrNoResource) {
		return fmt.Errorf("%s is gone: somebody deleted it", target)
	}
	return fmt.Errorf("%s: refused: %w", target, err)
}

func (c *call) setParameter(name, value string) (string, error) {
	in := &ssm.PutParameterInput{Name: &name, Value: &value, Overwrite: aws.Bool(true)}
	if v := c.parameter(name).latest(); v == nil {
		in.Type = "String"
	}
	out, err := putParameter(c, in)
	if err != nil {
		return "", fmt.Errorf("parameter %s: refused: %w", name, err)
	}
	return fmt.Sprintf("parameter %s has version %d", name, out.Version), nil
}

func (c *call) setCapacity(name string, size int32) (string, error) {
	if c.region.Groups[name] == nil {
		return "", fmt.Errorf("no Auto Scaling group %q%s", name, meant(name, sortedKeys(c.region.Groups)))
	}
	if _, err := setDesiredCapacity(c, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: &name, DesiredCapacity: &size}); err != nil {
		return "", fmt.Errorf("group %s: refused: %w", name, err)
	}
	return fmt.Sprintf("group %s wants %d instances", name, size), nil
}

func (c *call) agentByHand(id string, state AgentState) (string, error) {
	if !slices.Contains(AgentStates(), state) {
		return "", fmt.Errorf("an agent is online, lost or slow, not %q", state)
	}
	ids := c.instanceIDs()
	if !slices.Contains(ids, id) {
		return "", fmt.Errorf("no instance %q%s", id, meant(id, ids))
	}
	if err := c.setAgent(agentChange{id, Agent{State: state}}); err != nil {
		return "", fmt.Errorf("instance %s: refused: %w", id, err)
	}
	return fmt.Sprintf("the agent of %s is %s", id, state), nil
}

// instanceIDs are the instances that there are now.
func (c *call) instanceIDs() []string {
	ids := sortedKeys(c.region.Instances)
	for _, name := range sortedKeys(c.region.Groups) {
		for i := range c.region.Groups[name].Instances {
			if inst := &c.region.Groups[name].Instances[i]; inst.state(c.now) != "" {
				ids = append(ids, inst.ID)
			}
		}
	}
	return ids
}

// publish makes a container image or an AMI.
func (c *call) publish(what string) (string, error) {
	if strings.HasPrefix(what, "ami-") {
		if !imagePattern.MatchString(what) {
			return "", fmt.Errorf("%q is no AMI id; ami- and 17 hexadecimal digits", what)
		}
		if c.imageExists(what) {
			return "", fmt.Errorf("AMI %s exists", what)
		}
		c.settleImages()
		c.region.Images[what] = &image{ID: what, Name: "by-hand-" + what, Architecture: "x86_64", RootDevice: "/dev/sda1", Created: c.now}
		return "AMI " + what + " exists", nil
	}
	repo, tag, err := c.containerName(what)
	if err != nil {
		return "", err
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":1469,"digest":"sha256:%s"},"layers":[]}`, manifestType, c.account.draw("manifest"))
	out, err := putImage(c, &ecr.PutImageInput{RepositoryName: &repo, ImageTag: &tag, ImageManifest: &manifest})
	if err != nil {
		return "", fmt.Errorf("image %s: refused: %w", what, err)
	}
	return fmt.Sprintf("image %s is %s", what, aws.ToString(out.Image.ImageId.ImageDigest)), nil
}

// unpublish takes one away.
func (c *call) unpublish(what string) (string, error) {
	if strings.HasPrefix(what, "ami-") {
		if !c.imageExists(what) {
			return "", fmt.Errorf("no AMI %q%s", what, meant(what, sortedKeys(c.region.Images)))
		}
		c.settleImages()
		c.region.Images[what] = &image{ID: what, Gone: true, Created: c.now}
		return "AMI " + what + " is gone", nil
	}
	repo, tag, err := c.containerName(what)
	if err != nil {
		return "", err
	}
	out, err := batchDeleteImage(c, &ecr.BatchDeleteImageInput{RepositoryName: &repo, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}}})
	if err != nil {
		return "", fmt.Errorf("image %s: refused: %w", what, err)
	}
	if len(out.ImageIds) == 0 {
		return "", fmt.Errorf("repository %s has no tag %q", repo, tag)
	}
	return "image " + what + " is gone", nil
}

func (c *call) containerName(what string) (repo, tag string, err error) {
	repo, tag, ok := strings.Cut(what, ":")
	if !ok || repo == "" || tag == "" {
		return "", "", fmt.Errorf("%q names no image; write REPOSITORY:TAG or ami-…", what)
	}
	if _, err := c.repository(&repo); err != nil {
		return "", "", fmt.Errorf("no repository %q%s", repo, meant(repo, sortedKeys(c.region.Repositories)))
	}
	return repo, tag, nil
}
