package sandbox

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run Command. States and texts: Systems Manager's "Understanding command
// statuses" and the API reference (facts: failure-modes F17 to F20).

// A command's own status counts neither what is undeliverable nor, against
// MaxErrors, what was not delivered in time.

// command is a command that was sent.
type command struct {
	ID          string         `json:"id"`
	Document    string         `json:"document"`
	Comment     string         `json:"comment,omitempty"`
	Parameters  map[string]any `json:"parameters,omitempty"`
	Targets     []any          `json:"targets,omitempty"`
	Instances   []string       `json:"instances,omitempty"` // as asked by id
	Concurrency string         `json:"maxConcurrency"`
	MaxErrors   string         `json:"maxErrors"`
	Timeout     float64        `json:"timeout"`   // seconds until it must be delivered
	Execution   float64        `json:"execution"` // seconds that it may run
	Sent        time.Time      `json:"sent"`
	Cancelled   time.Time      `json:"cancelled,omitzero"`
	Invocations []invocation   `json:"invocations,omitempty"`
}

// visibleSeconds is how long a read does not yet find what was just sent.
const visibleSeconds = 1

func sendCommand(c *call, in props) (doc, error) {
	cmd, err := c.commandAsked(in)
	if err != nil {
		return nil, err
	}
	targets, err := c.commandTargets(in)
	if err != nil {
		return nil, err
	}
	if err := c.schedule(cmd, targets); err != nil {
		return nil, err
	}
	cmd.ID = uuid(c.account.draw("command"))
	c.region.Commands[cmd.ID] = cmd
	return doc{"Command": c.commandDoc(cmd)}, nil
}

func (c *call) commandAsked(in props) (*command, error) {
	cmd := &command{
		Document: in.text("DocumentName"), Comment: in.text("Comment"), Parameters: in.sub("Parameters"), Instances: in.texts("InstanceIds"),
		Concurrency: "50", MaxErrors: "0", Timeout: 3600, Execution: 3600, Sent: c.now,
	}
	cmd.Targets, _ = in["Targets"].([]any)
	name := tail(cmd.Document)
	_, ours := c.thing("AWS::SSM::Document", name)
	switch {
	case name != "AWS-RunShellScript" && name != "AWS-RunPowerShellScript" && !ours:
		return nil, fail("InvalidDocument", "document %.80s does not exist", cmd.Document)
	case len(cmd.Comment) > 100:
		return nil, fail("ValidationException", "1 validation error detected: Value at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100")
	case name == "AWS-RunPowerShellScript":
		return nil, fail("InvalidPlatformType", "The document does not support the platform of the instances.")
	case !ours && len(props(cmd.Parameters).texts("commands")) == 0:
		return nil, fail("InvalidParameters", "Parameter \"commands\" is required.")
	}
	for k := range cmd.Parameters {
		if !ours && !slices.Contains([]string{"commands", "workingDirectory", "executionTimeout"}, k) {
			return nil, fail("InvalidParameters", "Parameter \"%.40s\" is not defined in the document.", k)
		}
	}
	if v := in.text("TimeoutSeconds"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 30 || n > 2592000 {
			return nil, fail("ValidationException", "1 validation error detected: Value '%.20s' at 'timeoutSeconds' failed to satisfy constraint: Member must have value between 30 and 2592000", v)
		}
		cmd.Timeout = float64(n)
	}
	if list := props(cmd.Parameters).texts("executionTimeout"); len(list) > 0 {
		n, err := strconv.Atoi(list[0])
		if err != nil || n < 1 || n > 172800 {
			return nil, fail("InvalidParameters", "Parameter \"executionTimeout\" has value \"%.20s\" not matching (([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)).", list[0])
		}
		cmd.Execution = float64(n)
	}
	if v := in.text("MaxConcurrency"); v != "" {
		cmd.Concurrency = v
	}
	if v := in.text("MaxErrors"); v != "" {
		cmd.MaxErrors = v
	}
	return cmd, nil
}

// commandTargets are the instances by id, each of which must be able to take a
// command, or those that targets match and that can.
func (c *call) commandTargets(in props) ([]string, error) {
	ids, targets := in.texts("InstanceIds"), in.list("Targets")
	switch {
	case len(ids) > 0 && len(targets) > 0:
		return nil, fail("InvalidParameters", "InstanceIds and Targets cannot be specified at the same time.")
	case len(ids) == 0 && len(targets) == 0:
		return nil, fail("ValidationException", "You must specify InstanceIds or Targets.")
	case len(ids) > 50:
		return nil, fail("ValidationException", "1 validation error detected: Value at 'instanceIds' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	able, tagged := map[string]*instance{}, map[string]*instance{}
	for _, i := range c.instances() {
		if c.managed(i) && c.ping(i.ID) == "Online" {
			able[i.ID] = i
		}
		if i.Profile != "" && i.state(c.now).code != terminatedCode { // a tag also finds what does not answer
			tagged[i.ID] = i
		}
	}
	for _, t := range targets {
		if t.text("Key") == "InstanceIds" {
			ids = append(ids, t.texts("Values")...)
		}
	}
	var out []string
	for _, id := range ids {
		if able[id] == nil {
			return nil, fail("InvalidInstanceId", "Instances [[%s]] not in a valid state for account %s", id, c.account.ID)
		}
		out = append(out, id)
	}
	for _, id := range sortedKeys(tagged) {
		ok := len(ids) == 0
		for _, t := range targets {
			tag, byTag := strings.CutPrefix(t.text("Key"), "tag:")
			v, has := tagged[id].Tags[tag]
			ok = ok && byTag && has && slices.Contains(t.texts("Values"), v)
		}
		if ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// share reads "50" or "10%" of n.
func share(s string, n int, least int) (int, error) {
	percent, isPercent := strings.CutSuffix(s, "%")
	v, err := strconv.Atoi(percent)
	if err != nil || v < least || isPercent && v > 100 {
		return 0, fail("ValidationException", "1 validation error detected: Value '%.20s' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%%|[0-9]%%|100%%)$", s)
	}
	if isPercent {
		return int(math.Floor(float64(n) * float64(v) / 100)), nil
	}
	return v, nil
}

// schedule gives each instance its turn: so many at a time, and none any more
// once more have failed than MaxErrors allows.
func (c *call) schedule(cmd *command, targets []string) error {
	slots, err := share(cmd.Concurrency, len(targets), 1)
	if err != nil {
		return err
	}
	allowed, err := share(cmd.MaxErrors, len(targets), 0)
	if err != nil {
		return err
	}
	free := make([]time.Time, max(1, min(slots, len(targets))))
	for i := range free {
		free[i] = c.now
	}
	for _, id := range targets {
		turn := 0
		for i := range free {
			if free[i].Before(free[turn]) {
				turn = i
			}
		}
		at, failed := free[turn], 0
		for _, v := range cmd.Invocations {
			if v.Status != "Success" && v.Details != "Undeliverable" && v.Details != "Delivery Timed Out" && !v.End.After(at) {
				failed++
			}
		}
		if failed > allowed {
			cmd.Invocations = append(cmd.Invocations, invocation{Instance: id, Queued: at, End: at, Status: "Cancelled", Details: "Terminated", Code: -1})
			continue
		}
		v := c.plan(cmd, id, at)
		free[turn] = v.End
		cmd.Invocations = append(cmd.Invocations, v)
	}
	return nil
}

// status of an invocation at the call's time.
func (v *invocation) status(now time.Time) (status, details string) {
	switch {
	case !now.Before(v.End):
		return v.Status, v.Details
	case !v.Start.IsZero() && !now.Before(v.Start):
		return "InProgress", "InProgress"
	case v.Slow && now.After(v.Queued):
		return "Delayed", "Delayed"
	}
	return "Pending", "Pending"
}

// commandStatus is the command's as a whole.
func (c *call) commandStatus(cmd *command) (status, details string, done, failed, late int) {
	running, cancelled, nowhere := false, false, 0
	for i := range cmd.Invocations {
		v := &cmd.Invocations[i]
		s, d := v.status(c.now)
		switch {
		case c.now.Before(v.End):
			running = running || s == "InProgress" || s == "Delayed" || c.now.After(cmd.Sent)
			continue
		case d == "Undeliverable": // counts for nothing, unless all are
			nowhere++
		case d == "Delivery Timed Out":
			late++
		case s == "Failed" || s == "TimedOut":
			failed++
		case s == "Cancelled":
			cancelled = true
		}
		done++
	}
	allowed, _ := share(cmd.MaxErrors, len(cmd.Invocations), 0) // it was read when the command came
	switch {
	case len(cmd.Invocations) == 0:
		return "Success", "NoInstancesInTag", 0, 0, 0
	case done < len(cmd.Invocations) && !cmd.Cancelled.IsZero():
		return "Cancelling", "Cancelling", done, failed, late
	case done < len(cmd.Invocations) && running:
		return "InProgress", "InProgress", done, failed, late
	case done < len(cmd.Invocations):
		return "Pending", "Pending", done, failed, late
	case !cmd.Cancelled.IsZero() && cancelled:
		return "Cancelled", "Cancelled", done, failed, late
	case failed > allowed || nowhere == len(cmd.Invocations):
		return "Failed", "Failed", done, failed, late
	case late == len(cmd.Invocations):
		return "TimedOut", "DeliveryTimedOut", done, failed, late
	case failed+late > 0:
		return "Failed", "Incomplete", done, failed, late
	}
	return "Success", "Success", done, failed, late
}

func (c *call) commandDoc(cmd *command) doc {
	status, details, done, failed, late := c.commandStatus(cmd)
	return doc{
		"CommandId": cmd.ID, "DocumentName": cmd.Document, "DocumentVersion": "$DEFAULT", "Comment": cmd.Comment, "Parameters": cmd.Parameters, "InstanceIds": append([]string{}, cmd.Instances...),
		"Targets": cmd.Targets, "RequestedDateTime": cmd.Sent, "ExpiresAfter": cmd.Sent.Add(c.takes(cmd.Timeout + cmd.Execution)), "Status": status, "StatusDetails": details,
		"MaxConcurrency": cmd.Concurrency, "MaxErrors": cmd.MaxErrors, "TargetCount": len(cmd.Invocations), "CompletedCount": done, "ErrorCount": failed, "DeliveryTimedOutCount": late,
		"TimeoutSeconds": int(cmd.Timeout), "OutputS3BucketName": "", "OutputS3KeyPrefix": "", "ServiceRole": "",
	}
}

// visible finds a command that was not sent just now.
func (c *call) visible(id string) *command {
	cmd := c.region.Commands[id]
	if cmd == nil || c.now.Sub(cmd.Sent) < c.takes(visibleSeconds) {
		return nil
	}
	return cmd
}

// commandsAsked are the commands of a listing, the newest first.
func (c *call) commandsAsked(in props) ([]*command, error) {
	id := in.text("CommandId")
	if len(id) > 0 && len(id) != 36 {
		return nil, fail("ValidationException", "1 validation error detected: Value '%.40s' at 'commandId' failed to satisfy constraint: Member must have length greater than or equal to 36", id)
	}
	var out []*command
	for _, key := range sortedKeys(c.region.Commands) {
		cmd := c.visible(key)
		if cmd == nil || id != "" && id != key {
			continue
		}
		if i := in.text("InstanceId"); i != "" && !slices.ContainsFunc(cmd.Invocations, func(v invocation) bool { return v.Instance == i }) {
			continue
		}
		ok, err := c.commandMatches(cmd, in.list("Filters"))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, cmd)
		}
	}
	slices.SortStableFunc(out, func(a, b *command) int { return b.Sent.Compare(a.Sent) })
	return out, nil
}

func (c *call) commandMatches(cmd *command, filters []props) (bool, error) {
	for _, f := range filters {
		status, _, _, _, _ := c.commandStatus(cmd)
		value := f.text("value")
		at, _ := props{"t": value}.moment("t")
		ok := false
		switch f.text("key") {
		case "Status":
			ok = status == value
		case "DocumentName":
			ok = cmd.Document == value
		case "InvokedAfter":
			ok = cmd.Sent.After(at)
		case "InvokedBefore":
			ok = cmd.Sent.Before(at)
		default:
			return false, fail("InvalidFilterKey", "The specified key isn't valid.")
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

// numbered pages through a list that is not sorted by its keys.
func numbered[T any](in props, list []T) ([]T, any, error) { return numberedUpTo(in, list, 50) }

func numberedUpTo[T any](in props, list []T, most int) ([]T, any, error) {
	at, limit := 0, most
	if token := in.text("NextToken"); token != "" {
		last, err := openToken(token)
		n, bad := strconv.Atoi(last)
		if err != nil || bad != nil || n > len(list) {
			return nil, nil, fail("InvalidNextToken", "The specified token isn't valid.")
		}
		at = n
	}
	if n, ok := in.number("MaxResults"); ok && n >= 1 && int(n) <= most {
		limit = int(n)
	}
	if at+limit >= len(list) {
		return list[at:], nil, nil
	}
	return list[at : at+limit], *sealToken(strconv.Itoa(at + limit)), nil
}

func listCommands(c *call, in props) (doc, error) {
	all, err := c.commandsAsked(in)
	if err != nil {
		return nil, err
	}
	list, next, err := numbered(in, all)
	out := []doc{}
	for _, cmd := range list {
		out = append(out, c.commandDoc(cmd))
	}
	return doc{"Commands": out, "NextToken": next}, err
}
