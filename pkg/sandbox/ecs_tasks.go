package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// TaskEnd says how a one-off task ends: no container runs in the sandbox. The
// next task of the family takes it; without one a task exits with 0 and prints nothing.
type TaskEnd struct {
	Family  string   `json:"family"` // of the task definition
	Code    int      `json:"code,omitempty"`
	Output  []string `json:"output,omitempty"` // lines of the log
	Seconds float64  `json:"seconds,omitempty"`
}

// SetTaskEnd says how the next task of a family ends. An empty region is the
// account's own.
func (s *Sandbox) SetTaskEnd(region string, e TaskEnd) error {
	_, err := s.admin(region, adminChange{TaskEnd: &e})
	return err
}

// ecsTask is a task that RunTask started. What it is at some moment follows
// from the times.
type ecsTask struct {
	ARN        string    `json:"arn"`
	Cluster    string    `json:"cluster"`
	Definition string    `json:"definition"`
	Group      string    `json:"group"`
	StartedBy  string    `json:"startedBy,omitempty"`
	LaunchType string    `json:"launchType,omitempty"`
	Overrides  props     `json:"overrides,omitempty"`
	Tags       []any     `json:"tags,omitempty"`
	Token      string    `json:"token,omitempty"`
	Created    time.Time `json:"created"`
	Started    time.Time `json:"started,omitzero"` // never, when it could not start
	Stopped    time.Time `json:"stopped,omitzero"` // never, for a service's
	Code       int       `json:"code,omitempty"`
	StopCode   string    `json:"stopCode,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Seconds that a task takes on Fargate.
const (
	taskStartSeconds = 25
	taskRunSeconds   = 5
)

func runTask(c *call, in props) (doc, error) {
	cluster := clusterOf(in)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	if token := in.text("clientToken"); token != "" {
		for _, arn := range sortedKeys(c.region.RunningTasks) {
			if t := c.region.RunningTasks[arn]; t.Token == token {
				return doc{"tasks": []doc{c.taskDoc(t)}, "failures": []doc{}}, nil
			}
		}
	}
	arn, err := c.runnable(in.text("taskDefinition"))
	if err != nil {
		return nil, err
	}
	definition := c.taskDefinition(arn)
	d := decodeProps(definition.Definition)
	count, ok := in.number("count")
	if !ok {
		count = 1
	}
	if count < 1 || count > 10 {
		return nil, fail("InvalidParameterException", "count must be between 1 and 10.")
	}
	if err := c.checkNetwork(in, d); err != nil {
		return nil, err
	}
	for _, o := range in.sub("overrides").list("containerOverrides") {
		if !slices.ContainsFunc(d.list("ContainerDefinitions"), func(p props) bool { return p.text("Name") == o.text("name") }) {
			return nil, fail("InvalidParameterException", "Override for container named %.80s is not a container in the TaskDefinition.", o.text("name"))
		}
	}
	out := []doc{}
	for range count {
		t := &ecsTask{
			ARN: c.arn("ecs", "task/"+cluster+"/"+c.account.draw("task")[:32]), Cluster: cluster, Definition: arn, Group: in.text("group"), StartedBy: in.text("startedBy"),
			LaunchType: in.text("launchType"), Overrides: in.sub("overrides"), Token: in.text("clientToken"), Created: c.now,
		}
		t.Tags, _ = in["tags"].([]any)
		if t.Group == "" {
			t.Group = "family:" + definition.Family
		}
		c.begin(t, d, definition.Family)
		c.region.RunningTasks[t.ARN] = t
		out = append(out, c.taskDoc(t))
	}
	return doc{"tasks": out, "failures": []doc{}}, nil
}

func clusterOf(in props) string {
	name := in.text("cluster")
	return clusterName(&name)
}

func (c *call) checkNetwork(in, d props) error {
	n := in.sub("networkConfiguration").sub("awsvpcConfiguration")
	if d.text("NetworkMode") != "awsvpc" {
		return nil
	}
	if n == nil {
		return fail("InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	for _, id := range n.texts("subnets") {
		if _, ok := c.subnet(id); !ok {
			return fail("InvalidParameterException", "Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: InvalidSubnetID.NotFound)", id, id)
		}
	}
	for _, id := range n.texts("securityGroups") {
		if _, ok := c.securityGroup(id); !ok {
			return fail("InvalidParameterException", "Error retrieving security group information for [%s]: The security group '%s' does not exist (ErrorCode: InvalidGroup.NotFound)", id, id)
		}
	}
	return nil
}

// begin decides how a task goes: what stops it from starting, or how it ends.
func (c *call) begin(t *ecsTask, d props, family string) {
	start := c.now.Add(c.takes(taskStartSeconds))
	if why := c.startFailure(t.Definition); why != "" {
		t.Stopped, t.StopCode, t.Reason = start, "TaskFailedToStart", why
		return
	}
	end := TaskEnd{Seconds: taskRunSeconds}
	if i := slices.IndexFunc(c.region.TaskEnds, func(e TaskEnd) bool { return e.Family == family }); i >= 0 {
		end = c.region.TaskEnds[i]
		c.region.TaskEnds = slices.Delete(c.region.TaskEnds, i, i+1)
	}
	t.Started, t.Stopped = start, start.Add(c.takes(max(1, end.Seconds)))
	t.StopCode, t.Reason, t.Code = "EssentialContainerExited", "Essential container in task exited", end.Code
	for i, p := range d.list("ContainerDefinitions") {
		o := p.sub("LogConfiguration").sub("Options")
		g := c.region.LogGroups[o.text("awslogs-group")]
		if g == nil {
			continue
		}
		s := g.stream(o.text("awslogs-stream-prefix")+"/"+p.text("Name")+"/"+tail(t.ARN), start)
		if i > 0 {
			continue // the output is the first container's
		}
		for _, line := range end.Output {
			s.Events = append(s.Events, logEvent{At: start, Message: line, Ingested: start})
		}
	}
}

// status of a task at the call's time.
func (t *ecsTask) status(now time.Time) string {
	switch {
	case !t.Stopped.IsZero() && !now.Before(t.Stopped):
		return "STOPPED"
	case !t.Started.IsZero() && !now.Before(t.Started):
		return "RUNNING"
	case now.Sub(t.Created) == 0:
		return "PROVISIONING"
	}
	return "PENDING"
}

func (c *call) taskDoc(t *ecsTask) doc {
	status := t.status(c.now)
	var d props
	if r := c.taskDefinition(t.Definition); r != nil {
		d = decodeProps(r.Definition)
	}
	out := doc{
		"taskArn": t.ARN, "clusterArn": c.clusterARN(t.Cluster), "taskDefinitionArn": t.Definition, "group": t.Group, "startedBy": opt(t.StartedBy), "lastStatus": status,
		"desiredStatus": "RUNNING", "createdAt": t.Created, "launchType": "FARGATE", "connectivity": "CONNECTED", "version": 1, "cpu": opt(d.text("Cpu")), "memory": opt(d.text("Memory")),
		"overrides": map[string]any(t.Overrides), "attachments": []doc{}, "tags": t.Tags, "availabilityZone": c.zones()[0],
	}
	if t.LaunchType != "" {
		out["launchType"] = t.LaunchType
	}
	if len(t.Overrides) == 0 {
		out["overrides"] = doc{"containerOverrides": []doc{}}
	}
	if status == "RUNNING" || status == "STOPPED" {
		out["startedAt"] = when(t.Started)
	}
	if status == "STOPPED" {
		out["desiredStatus"], out["stoppedAt"], out["stoppingAt"], out["stopCode"], out["stoppedReason"] = "STOPPED", t.Stopped, t.Stopped, t.StopCode, t.Reason
		out["connectivity"] = "DISCONNECTED"
	}
	containers := []doc{}
	for i, p := range d.list("ContainerDefinitions") {
		one := doc{
			"containerArn": c.arn("ecs", fmt.Sprintf("container/%s/%s/%s", t.Cluster, tail(t.ARN), uuid(hexOf("container", t.ARN, plainText(i))))), "taskArn": t.ARN, "name": p.text("Name"), "image": p.text("Image"),
			"lastStatus": status, "networkInterfaces": []doc{},
		}
		if status == "STOPPED" && !t.Started.IsZero() {
			one["exitCode"] = 0
			if i == 0 {
				one["exitCode"] = t.Code
			}
		} else if status == "STOPPED" {
			one["reason"] = t.Reason
		}
		containers = append(containers, one)
	}
	out["containers"] = containers
	return out
}

// tasks are those of RunTask, stopped ones for an hour, and those of services.
func (c *call) tasks(cluster string) []*ecsTask {
	var out []*ecsTask
	for _, arn := range sortedKeys(c.region.RunningTasks) {
		if t := c.region.RunningTasks[arn]; t.Cluster == cluster && (t.status(c.now) != "STOPPED" || c.now.Sub(t.Stopped) < time.Hour) {
			out = append(out, t)
		}
	}
	for _, key := range sortedKeys(c.region.Services) {
		s := c.region.Services[key]
		if s.Cluster != cluster || !s.Inactive.IsZero() {
			continue
		}
		for _, d := range s.deployments(c) {
			for n := range aws32(d.RunningCount) {
				out = append(out, &ecsTask{
					ARN: c.arn("ecs", "task/"+cluster+"/"+hexOf("service task", s.ARN, *d.Id, plainText(n))[:32]), Cluster: cluster, Definition: *d.TaskDefinition, Group: "service:" + s.Name,
					StartedBy: *d.Id, Created: *d.CreatedAt, Started: *d.CreatedAt,
				})
			}
		}
	}
	return out
}

func (c *call) task(cluster, ref string) *ecsTask {
	for _, t := range c.tasks(cluster) {
		if t.ARN == ref || tail(t.ARN) == ref {
			return t
		}
	}
	return nil
}

func describeTasks(c *call, in props) (doc, error) {
	cluster, refs := clusterOf(in), in.texts("tasks")
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	if len(refs) == 0 || len(refs) > 100 {
		return nil, fail("InvalidParameterException", "Tasks can have at most 100 items, and not be empty.")
	}
	out, failures := []doc{}, []doc{}
	for _, ref := range refs {
		if t := c.task(cluster, ref); t != nil {
			out = append(out, c.taskDoc(t))
			continue
		}
		arn := ref
		if !strings.HasPrefix(ref, "arn:") {
			arn = c.arn("ecs", "task/"+cluster+"/"+ref)
		}
		failures = append(failures, doc{"arn": arn, "reason": "MISSING"})
	}
	return doc{"tasks": out, "failures": failures}, nil
}

func listTasks(c *call, in props) (doc, error) {
	cluster := clusterOf(in)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	service := in.text("serviceName")
	if service != "" && c.ecsService(cluster, service) == nil {
		return nil, fail("ServiceNotFoundException", "Service not found.")
	}
	want := in.text("desiredStatus")
	if want == "" {
		want = "RUNNING"
	}
	var arns []string
	for _, t := range c.tasks(cluster) {
		desired := "RUNNING"
		if t.status(c.now) == "STOPPED" {
			desired = "STOPPED"
		}
		family, _, _ := strings.Cut(tail(t.Definition), ":")
		if desired == want && (service == "" || t.Group == "service:"+tail(service)) && (in.text("family") == "" || in.text("family") == family) && (in.text("startedBy") == "" || in.text("startedBy") == t.StartedBy) {
			arns = append(arns, t.ARN)
		}
	}
	slices.Sort(arns)
	arns, next, err := pageOf(in, "nextToken", "maxResults", 100, 100, arns, func(s string) string { return s })
	return doc{"taskArns": append([]string{}, arns...), "nextToken": next}, err
}

func stopTask(c *call, in props) (doc, error) {
	cluster := clusterOf(in)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	t := c.task(cluster, in.text("task"))
	if t == nil {
		return nil, fail("InvalidParameterException", "The referenced task was not found.")
	}
	if own := c.region.RunningTasks[t.ARN]; own != nil && own.status(c.now) != "STOPPED" {
		own.Stopped, own.StopCode, own.Reason, own.Code = c.now.Add(c.takes(2)), "UserInitiated", in.text("reason"), 143
		if own.Reason == "" {
			own.Reason = "Task stopped by user"
		}
	}
	return doc{"task": c.taskDoc(t)}, nil
}
