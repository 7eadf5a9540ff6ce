package sandbox

import (
	"strings"
)

// definition finds a task definition by ARN, "family:revision" or family.
func (c *call) definition(ref string) (networkItem, bool) {
	var best networkItem
	newest := -1
	for _, i := range c.items("AWS::ECS::TaskDefinition") {
		name := tail(i.id)
		family, revision, _ := strings.Cut(name, ":")
		n, _ := props{"n": revision}.number("n")
		if i.id == ref || name == ref {
			return i, true
		}
		if family == ref && int(n) > newest {
			best, newest = i, int(n)
		}
	}
	return best, newest >= 0
}

func lowerKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[lowerFirst(k)] = lowerKeys(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = lowerKeys(e)
		}
		return out
	}
	return v
}

func describeTaskDefinition(c *call, in props) (doc, error) {
	i, ok := c.definition(in.text("taskDefinition"))
	if !ok {
		return nil, fail("ClientException", "Unable to describe task definition.")
	}
	family, revision, _ := strings.Cut(tail(i.id), ":")
	n, _ := props{"n": revision}.number("n")
	out := doc{"taskDefinitionArn": i.id, "family": family, "revision": n, "status": "ACTIVE", "volumes": []doc{}, "placementConstraints": []doc{}, "compatibilities": []string{"EC2", "FARGATE"}, "registeredAt": i.created}
	containers := []any{}
	for _, p := range i.props.list("ContainerDefinitions") {
		containers = append(containers, container(p))
	}
	out["containerDefinitions"] = containers
	for _, name := range []string{"Cpu", "Memory", "NetworkMode", "TaskRoleArn", "ExecutionRoleArn"} {
		out[lowerFirst(name)] = opt(i.props.text(name))
	}
	for _, name := range []string{"RequiresCompatibilities", "RuntimePlatform", "Volumes", "EphemeralStorage"} {
		if v, ok := i.props[name]; ok {
			out[lowerFirst(name)] = lowerKeys(v)
		}
	}
	tags := []doc{}
	for _, k := range sortedKeys(i.tags()) {
		tags = append(tags, doc{"key": k, "value": i.tags()[k]})
	}
	return doc{"taskDefinition": out, "tags": tags}, nil
}

// container is a definition in the wire's names; the keys of maps keep theirs.
func container(p props) map[string]any {
	out, _ := lowerKeys(map[string]any(p)).(map[string]any)
	if l := p.sub("LogConfiguration"); l != nil {
		out["logConfiguration"] = doc{"logDriver": l.text("LogDriver"), "options": toJSON(l["Options"])}
		out["logConfiguration"] = toJSON(out["logConfiguration"])
	}
	if labels, ok := p["DockerLabels"]; ok {
		out["dockerLabels"] = labels
	}
	for _, name := range []string{"cpu", "memory", "memoryReservation", "startTimeout", "stopTimeout"} {
		if n, ok := props(out).number(name); ok {
			out[name] = n
		}
	}
	if _, ok := p["Essential"]; !ok {
		out["essential"] = true
	} else {
		out["essential"] = p.flag("Essential")
	}
	return out
}
