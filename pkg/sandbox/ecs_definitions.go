package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskRevision is a revision of a task definition. A family's revisions are
// numbered from 1 and a number is never used twice, deregistered or not.
type taskRevision struct {
	Family     string            `json:"family"`
	Number     int64             `json:"n"`
	Definition json.RawMessage   `json:"definition"` // in CloudFormation's property names
	Registered time.Time         `json:"registered"`
	Gone       time.Time         `json:"gone,omitzero"` // INACTIVE since
	Tags       map[string]string `json:"tags,omitempty"`
}

func (c *call) taskARN(family string, n int64) string {
	return c.arn("ecs", fmt.Sprintf("task-definition/%s:%d", family, n))
}

// taskDefinition finds a revision by ARN, by family:revision, or a family's
// newest active one; nil when there is none.
func (c *call) taskDefinition(ref string) *taskRevision {
	family, number, exact := strings.Cut(lastPart(ref, '/'), ":")
	all := c.region.Tasks[family]
	n, err := strconv.ParseInt(number, 10, 64)
	for i := len(all) - 1; i >= 0; i-- {
		if exact && err == nil && all[i].Number == n || !exact && all[i].Gone.IsZero() {
			return all[i]
		}
	}
	return nil
}

// register checks a definition and makes it the family's next revision.
// Texts: as RegisterTaskDefinition answers.
func (c *call) register(family string, p props) (*taskRevision, error) {
	containers := p.list("ContainerDefinitions")
	if len(containers) == 0 {
		return nil, fail("ClientException", "Container list cannot be empty.")
	}
	for _, container := range containers {
		if container.text("Image") == "" {
			return nil, fail("ClientException", "Container.image should not be null or empty.")
		}
		if container.text("Name") == "" {
			return nil, fail("ClientException", "Container.name should not be null or empty.")
		}
	}
	if slices.Contains(p.texts("RequiresCompatibilities"), "FARGATE") {
		if err := checkFargate(p); err != nil {
			return nil, err
		}
	}
	all := c.region.Tasks[family]
	t := &taskRevision{Family: family, Number: int64(len(all)) + 1, Definition: mustJSON(p), Registered: c.now}
	c.region.Tasks[family] = append(all, t)
	return t, nil
}

// mustJSON marshals evaluated properties, which are JSON.
func mustJSON(p props) json.RawMessage { return props{"x": map[string]any(p)}.raw("x") }

// fargateMemory is the memory in MiB that each CPU size allows: from, to and in
// steps of (ECS developer guide, "Task CPU and memory").
var fargateMemory = map[string][3]int{
	"256": {512, 2048, 512}, "512": {1024, 4096, 1024}, "1024": {2048, 8192, 1024}, "2048": {4096, 16384, 1024}, "4096": {8192, 30720, 1024},
	"8192": {16384, 61440, 4096}, "16384": {32768, 122880, 8192},
}

func checkFargate(p props) error {
	if p.text("NetworkMode") != "awsvpc" {
		return fail("ClientException", "Fargate only supports network mode ‘awsvpc’.")
	}
	cpu, memory := p.text("Cpu"), p.text("Memory")
	if cpu == "" || memory == "" {
		return fail("ClientException", "Fargate requires that 'cpu' be defined at the task level.")
	}
	size, known := fargateMemory[inUnits(cpu, " vcpu")]
	m, err := strconv.Atoi(inUnits(memory, " gb"))
	if !known || err != nil || m < size[0] || m > size[1] || m%size[2] != 0 {
		return fail("ClientException", "No Fargate configuration exists for given values: %.20s CPU, %.20s memory.", cpu, memory)
	}
	return nil
}

// inUnits turns "1 vCPU" and "2 GB" into 1024ths, and leaves numbers alone.
func inUnits(s, unit string) string {
	n, ok := strings.CutSuffix(strings.ToLower(s), unit)
	if !ok {
		n, ok = strings.CutSuffix(strings.ToLower(s), strings.TrimSpace(unit))
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	if !ok || err != nil {
		return s
	}
	return strconv.Itoa(int(f * 1024))
}

func (t *taskRevision) out(c *call) *types.TaskDefinition {
	out := &types.TaskDefinition{}
	if err := c.sandbox.fields.fill(t.Definition, out); err != nil {
		out = &types.TaskDefinition{} // the schema let through what ECS has no place for
	}
	for i := range out.ContainerDefinitions {
		if one := &out.ContainerDefinitions[i]; one.Essential == nil {
			one.Essential = aws.Bool(true)
		}
	}
	out.TaskDefinitionArn, out.Family, out.Revision = aws.String(c.taskARN(t.Family, t.Number)), &t.Family, int32(t.Number)
	out.RegisteredAt, out.Status = &t.Registered, types.TaskDefinitionStatusActive
	out.Compatibilities = []types.Compatibility{types.CompatibilityEc2}
	if slices.Contains(out.RequiresCompatibilities, types.CompatibilityFargate) {
		out.Compatibilities = append(out.Compatibilities, types.CompatibilityFargate)
	}
	if !t.Gone.IsZero() {
		out.Status, out.DeregisteredAt = types.TaskDefinitionStatusInactive, &t.Gone
	}
	return out
}

func registerTaskDefinition(c *call, in *ecs.RegisterTaskDefinitionInput) (*ecs.RegisterTaskDefinitionOutput, error) {
	family := aws.ToString(in.Family)
	if family == "" {
		return nil, fail("ClientException", "Family should not be null or empty.")
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return nil, err
	}
	delete(tree, "Tags")
	p, _ := withoutEmpty(tree).(map[string]any)
	t, err := c.register(family, p)
	if err != nil {
		return nil, err
	}
	t.Tags = map[string]string{}
	for _, tag := range in.Tags {
		t.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return &ecs.RegisterTaskDefinitionOutput{TaskDefinition: t.out(c), Tags: in.Tags}, nil
}

// deregisterTaskDefinition makes a revision INACTIVE: what runs with it goes
// on, and nothing new starts with it.
func deregisterTaskDefinition(c *call, in *ecs.DeregisterTaskDefinitionInput) (*ecs.DeregisterTaskDefinitionOutput, error) {
	ref := aws.ToString(in.TaskDefinition)
	t := c.taskDefinition(ref)
	if t == nil || !strings.Contains(lastPart(ref, '/'), ":") {
		return nil, fail("ClientException", "The specified task definition does not exist.")
	}
	if t.Gone.IsZero() {
		t.Gone = c.now
	}
	return &ecs.DeregisterTaskDefinitionOutput{TaskDefinition: t.out(c)}, nil
}

func describeTaskDefinition(c *call, in *ecs.DescribeTaskDefinitionInput) (*ecs.DescribeTaskDefinitionOutput, error) {
	t := c.taskDefinition(aws.ToString(in.TaskDefinition))
	if t == nil {
		return nil, fail("ClientException", "Unable to describe task definition.")
	}
	out := &ecs.DescribeTaskDefinitionOutput{TaskDefinition: t.out(c)}
	if slices.Contains(in.Include, types.TaskDefinitionFieldTags) {
		for _, k := range sortedKeys(t.Tags) {
			out.Tags = append(out.Tags, types.Tag{Key: aws.String(k), Value: aws.String(t.Tags[k])})
		}
	}
	return out, nil
}

func listTaskDefinitions(c *call, in *ecs.ListTaskDefinitionsInput) (*ecs.ListTaskDefinitionsOutput, error) {
	limit, err := pageSize(in.MaxResults, 100, 100)
	if err != nil {
		return nil, err
	}
	inactive := in.Status == types.TaskDefinitionStatusInactive
	var all []*taskRevision
	for _, family := range sortedKeys(c.region.Tasks) {
		if in.FamilyPrefix != nil && family != *in.FamilyPrefix {
			continue
		}
		for _, t := range c.region.Tasks[family] {
			if t.Gone.IsZero() != inactive {
				all = append(all, t)
			}
		}
	}
	key := func(t *taskRevision) string { return fmt.Sprintf("%s:%09d", t.Family, t.Number) }
	all, next, err := page(all, key, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &ecs.ListTaskDefinitionsOutput{TaskDefinitionArns: []string{}, NextToken: next}
	for _, t := range all {
		out.TaskDefinitionArns = append(out.TaskDefinitionArns, c.taskARN(t.Family, t.Number))
	}
	return out, nil
}
