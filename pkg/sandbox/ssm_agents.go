package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// AgentState says how an instance's agent answers Systems Manager.
type AgentState string

// The states that SetAgent can give an agent.
const (
	AgentOnline AgentState = "online"
	AgentLost   AgentState = "lost" // ConnectionLost: it takes no command, and what runs never reports
	AgentSlow   AgentState = "slow" // commands are delivered late
)

// Agent is what an instance's agent does. Nothing runs in the sandbox, so what
// the next commands print and how they end is said here. The zero value is an
// agent that is online and whose commands succeed at once and print nothing.
type Agent struct {
	State   AgentState `json:"state,omitempty"`
	Output  string     `json:"output,omitempty"`
	Error   string     `json:"error,omitempty"`
	Code    int        `json:"code,omitempty"`    // other than 0: the command fails
	Seconds float64    `json:"seconds,omitempty"` // that a command takes; 0 means 2
}

// agentChange is SetAgent's line in the journal.
type agentChange struct {
	Instance string `json:"instance"`
	Agent    Agent  `json:"agent"`
}

// SetAgent sets what the agent of an instance does from now on. Commands that
// are under way feel it. An empty region is the account's own.
func (s *Sandbox) SetAgent(region, instanceID string, a Agent) error {
	switch a.State {
	case "", AgentOnline, AgentLost, AgentSlow:
	default:
		return fmt.Errorf("agent state %q: it is online, lost or slow", a.State)
	}
	_, err := s.admin(region, adminChange{Agent: &agentChange{instanceID, a}})
	return err
}

func (c *call) setAgent(change agentChange) error {
	if _, err := c.machine(change.Instance); err != nil {
		return err
	}
	a := change.Agent
	c.region.Agents[change.Instance] = &a
	for _, id := range sortedKeys(c.region.Commands) {
		cmd := c.region.Commands[id]
		for i := range cmd.Invocations {
			if v := &cmd.Invocations[i]; v.Instance == change.Instance && c.now.Before(v.End) {
				c.reroute(cmd, v, &a)
			}
		}
	}
	return nil
}

func (c *call) agent(instanceID string) Agent {
	if a := c.region.Agents[instanceID]; a != nil {
		return *a
	}
	return Agent{}
}

// agentSeconds is how long an instance's agent takes to register after boot.
const agentSeconds = 30

// managed tells whether Systems Manager knows an instance: it runs, has a
// profile, and its agent had the time to register.
func (c *call) managed(i *instance) bool {
	s := i.state(c.now)
	return s.code == runningCode && i.Profile != "" && c.now.Sub(s.at) >= c.takes(agentSeconds)
}

// ping is the agent's PingStatus.
func (c *call) ping(instanceID string) string {
	if c.agent(instanceID).State == AgentLost {
		return "ConnectionLost"
	}
	return "Online"
}

func describeInstanceInformation(c *call, in props) (doc, error) {
	var list []*instance
	for _, i := range c.instances() {
		ok, err := c.informationMatches(in, i)
		if err != nil {
			return nil, err
		}
		if ok && c.managed(i) {
			list = append(list, i)
		}
	}
	list, next, err := pageOf(in, "NextToken", "MaxResults", 50, 50, list, func(i *instance) string { return i.ID })
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range list {
		at := c.now
		if c.ping(i.ID) != "Online" {
			at = c.now.Add(-c.takes(600))
		}
		out = append(out, doc{
			"InstanceId": i.ID, "PingStatus": c.ping(i.ID), "LastPingDateTime": at, "AgentVersion": "3.3.987.0", "IsLatestVersion": true, "PlatformType": "Linux",
			"PlatformName": "Ubuntu", "PlatformVersion": "22.04", "ResourceType": "EC2Instance", "IPAddress": c.address(i, "private"), "ComputerName": "ip-" + strings.ReplaceAll(c.address(i, "private"), ".", "-"),
		})
	}
	return doc{"InstanceInformationList": out, "NextToken": next}, nil
}

// informationMatches applies both forms of the filters.
func (c *call) informationMatches(in props, i *instance) (bool, error) {
	have := map[string]string{"InstanceIds": i.ID, "PingStatus": c.ping(i.ID), "PlatformTypes": "Linux", "ResourceType": "EC2Instance", "AgentVersion": "3.3.987.0"}
	check := func(key string, values []string) (bool, error) {
		if tag, ok := strings.CutPrefix(key, "tag:"); ok {
			v, has := i.Tags[tag]
			return has && slices.Contains(values, v), nil
		}
		if key == "tag-key" {
			return slices.ContainsFunc(values, func(v string) bool { _, has := i.Tags[v]; return has }), nil
		}
		if v, ok := have[key]; ok {
			return slices.Contains(values, v), nil
		}
		return false, fail("InvalidInstanceInformationFilterValue", "The filter %.80s is not valid.", key)
	}
	for _, f := range in.list("Filters") {
		if ok, err := check(f.text("Key"), f.texts("Values")); !ok || err != nil {
			return false, err
		}
	}
	for _, f := range in.list("InstanceInformationFilterList") {
		if ok, err := check(f.text("key"), f.texts("valueSet")); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// invocation is a command on one instance. What it is at some moment follows
// from the times.
type invocation struct {
	Instance string    `json:"instance"`
	Queued   time.Time `json:"queued"` // its turn, under MaxConcurrency
	Start    time.Time `json:"start"`  // delivered
	End      time.Time `json:"end"`
	Status   string    `json:"status"` // from End on
	Details  string    `json:"details"`
	Code     int       `json:"code,omitempty"`
	Output   string    `json:"output,omitempty"`
	Error    string    `json:"error,omitempty"`
	Slow     bool      `json:"slow,omitempty"`
}

// plan says how an invocation goes that has its turn at a moment.
func (c *call) plan(cmd *command, instanceID string, turn time.Time) invocation {
	a := c.agent(instanceID)
	v := invocation{Instance: instanceID, Queued: turn}
	if i, err := c.machine(instanceID); err != nil || !c.managed(i) { // by tag
		v.undelivered(turn)
		return v
	}
	if a.State == AgentLost {
		v.Slow, v.End, v.Status, v.Details, v.Code = true, c.deliveryEnds(cmd, &v), "TimedOut", "Delivery Timed Out", -1
		return v
	}
	wait := 1.0
	if a.State == AgentSlow {
		v.Slow, wait = true, 60
	}
	c.run(cmd, &v, a, turn.Add(c.takes(wait)))
	return v
}

// run lets an invocation be delivered at start.
func (c *call) run(cmd *command, v *invocation, a Agent, start time.Time) {
	seconds := a.Seconds
	if seconds <= 0 {
		seconds = 2
	}
	v.Start, v.End = start, start.Add(c.takes(seconds))
	v.Status, v.Details, v.Code, v.Output, v.Error = "Success", "Success", a.Code, a.Output, a.Error
	if a.Code != 0 {
		v.Status, v.Details = "Failed", "Failed"
		v.Error += fmt.Sprintf("failed to run commands: exit status %d", a.Code)
	}
	if limit := start.Add(c.takes(cmd.Execution)); v.End.After(limit) {
		v.End, v.Status, v.Details, v.Code = limit, "TimedOut", "Execution Timed Out", -1
	}
	if deadline := c.deliveryEnds(cmd, v); start.After(deadline) {
		v.Start, v.End, v.Status, v.Details, v.Code = time.Time{}, deadline, "TimedOut", "Delivery Timed Out", -1
	}
}

// deliveryEnds is until when an agent may take a command: the timeout of the
// command and that of its execution together (user guide, "Understanding
// command statuses", Pending and Delivery Timed Out).
func (c *call) deliveryEnds(cmd *command, v *invocation) time.Time {
	return v.Queued.Add(c.takes(cmd.Timeout + cmd.Execution))
}

// undeliverable is what becomes of commands for an instance that is gone: what
// was not delivered never will be, what ran never reports (user guide,
// "Understanding command statuses", Undeliverable).
func (c *call) undeliverable(instanceID string) {
	for _, id := range sortedKeys(c.region.Commands) {
		cmd := c.region.Commands[id]
		for i := range cmd.Invocations {
			v := &cmd.Invocations[i]
			if v.Instance != instanceID || !c.now.Before(v.End) {
				continue
			}
			if !v.Start.IsZero() && !c.now.Before(v.Start) {
				c.reroute(cmd, v, &Agent{State: AgentLost})
				continue
			}
			v.undelivered(c.now)
		}
	}
}

func (v *invocation) undelivered(now time.Time) {
	v.Start, v.End, v.Status, v.Details, v.Code, v.Output, v.Error = time.Time{}, now, "Failed", "Undeliverable", -1, "", ""
}

// reroute is what another agent state does to an invocation under way.
func (c *call) reroute(cmd *command, v *invocation, a *Agent) {
	delivered := !v.Start.IsZero() && !c.now.Before(v.Start)
	switch {
	case a.State == AgentLost && delivered:
		v.End, v.Status, v.Details, v.Code, v.Output, v.Error = v.Start.Add(c.takes(cmd.Execution)), "TimedOut", "Execution Timed Out", -1, "", ""
	case a.State == AgentLost:
		v.Start, v.End, v.Status, v.Details, v.Code, v.Output, v.Error = time.Time{}, c.deliveryEnds(cmd, v), "TimedOut", "Delivery Timed Out", -1, "", ""
	case delivered:
		c.run(cmd, v, *a, v.Start)
		v.End = later(v.End, c.now)
	default:
		wait := 1.0
		if a.State == AgentSlow {
			v.Slow, wait = true, 60
		}
		c.run(cmd, v, *a, later(c.now, v.Queued).Add(c.takes(wait)))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
