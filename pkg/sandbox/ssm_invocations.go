package sandbox

import (
	"slices"
	"time"
	"unicode/utf8"
)

// How much of what a command prints the API gives back, in characters.
const (
	stdoutChars = 24_000
	stderrChars = 8_000
	pluginChars = 2_500
)

// head is the first n characters.
func head(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

func getCommandInvocation(c *call, in props) (doc, error) {
	cmd := c.visible(in.text("CommandId"))
	if cmd == nil {
		return nil, fail("InvocationDoesNotExist", "")
	}
	i := slices.IndexFunc(cmd.Invocations, func(v invocation) bool { return v.Instance == in.text("InstanceId") })
	if i < 0 {
		return nil, fail("InvocationDoesNotExist", "The command ID and instance ID you specified did not match any invocations. Verify the command ID and the instance ID and try again.")
	}
	v := &cmd.Invocations[i]
	if plugin := in.text("PluginName"); plugin != "" && plugin != "aws:runShellScript" {
		return nil, fail("InvalidPluginName", "The plugin name isn't valid.")
	}
	status, details := v.status(c.now)
	out := doc{
		"CommandId": cmd.ID, "InstanceId": v.Instance, "Comment": cmd.Comment, "DocumentName": cmd.Document, "DocumentVersion": "$DEFAULT", "PluginName": "aws:runShellScript",
		"Status": status, "StatusDetails": details, "ResponseCode": -1, "StandardOutputContent": "", "StandardOutputUrl": "", "StandardErrorContent": "", "StandardErrorUrl": "",
		"ExecutionStartDateTime": "", "ExecutionElapsedTime": "", "ExecutionEndDateTime": "", "CloudWatchOutputConfig": doc{"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
	}
	if !v.Start.IsZero() && !c.now.Before(v.Start) {
		out["ExecutionStartDateTime"] = v.Start.Format(time.RFC3339)
	}
	if !c.now.Before(v.End) {
		out["ResponseCode"] = v.Code
		if !v.Start.IsZero() {
			out["ExecutionEndDateTime"], out["ExecutionElapsedTime"] = v.End.Format(time.RFC3339), "PT"+plainText(v.End.Sub(v.Start).Seconds())+"S"
		}
		if status == "Success" || status == "Failed" {
			out["StandardOutputContent"], out["StandardErrorContent"] = head(v.Output, stdoutChars), head(v.Error, stderrChars)
		}
	}
	return out, nil
}

func listCommandInvocations(c *call, in props) (doc, error) {
	commands, err := c.commandsAsked(props{"CommandId": in.text("CommandId"), "InstanceId": in.text("InstanceId"), "Filters": in["Filters"]})
	if err != nil {
		return nil, err
	}
	all := []doc{}
	for _, cmd := range commands {
		for i := range cmd.Invocations {
			if v := &cmd.Invocations[i]; in.text("InstanceId") == "" || v.Instance == in.text("InstanceId") {
				all = append(all, c.invocationDoc(cmd, v, in.flag("Details")))
			}
		}
	}
	list, next, err := numbered(in, all)
	return doc{"CommandInvocations": append([]doc{}, list...), "NextToken": next}, err
}

func (c *call) invocationDoc(cmd *command, v *invocation, details bool) doc {
	status, why := v.status(c.now)
	out := doc{
		"CommandId": cmd.ID, "InstanceId": v.Instance, "InstanceName": "", "Comment": cmd.Comment, "DocumentName": cmd.Document, "DocumentVersion": "$DEFAULT",
		"RequestedDateTime": cmd.Sent, "Status": status, "StatusDetails": why, "StandardOutputUrl": "", "StandardErrorUrl": "", "CommandPlugins": []doc{}, "ServiceRole": "",
	}
	if !details {
		return out
	}
	plugin := doc{"Name": "aws:runShellScript", "Status": status, "StatusDetails": why, "ResponseCode": -1, "Output": "", "StandardOutputUrl": "", "StandardErrorUrl": ""}
	if !v.Start.IsZero() && !c.now.Before(v.Start) {
		plugin["ResponseStartDateTime"] = v.Start
	}
	if !c.now.Before(v.End) {
		plugin["ResponseCode"], plugin["ResponseFinishDateTime"] = v.Code, v.End
		text := v.Output
		if v.Error != "" {
			text += "\n----------ERROR-------\n" + v.Error
		}
		if plugin["Output"] = text; utf8.RuneCountInString(text) > pluginChars {
			plugin["Output"] = head(text, pluginChars-len("\n---Output truncated---")) + "\n---Output truncated---"
		}
	}
	out["CommandPlugins"] = []doc{plugin}
	return out
}

// cancelCommand tries: what has not begun never will, what runs is stopped.
func cancelCommand(c *call, in props) (doc, error) {
	cmd := c.region.Commands[in.text("CommandId")]
	if cmd == nil {
		return nil, fail("InvalidCommandId", "")
	}
	ids := in.texts("InstanceIds")
	for _, id := range ids {
		if !slices.ContainsFunc(cmd.Invocations, func(v invocation) bool { return v.Instance == id }) {
			return nil, fail("InvalidInstanceId", "Instances [[%s]] not in a valid state for account %s", id, c.account.ID)
		}
	}
	for i := range cmd.Invocations {
		v := &cmd.Invocations[i]
		if len(ids) > 0 && !slices.Contains(ids, v.Instance) || !c.now.Before(v.End) {
			continue
		}
		running := !v.Start.IsZero() && !c.now.Before(v.Start)
		v.End, v.Status, v.Details, v.Code = c.now, "Cancelled", "Cancelled", -1
		if running { // the agent needs a moment
			v.End = c.now.Add(c.takes(2))
		}
		cmd.Cancelled = c.now
	}
	return doc{}, nil
}
