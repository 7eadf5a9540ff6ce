package cloud

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/dev"
	"reconcile/pkg/plan"
)

const (
	agentSeen    = 3 * time.Minute // until an agent that just booted has registered
	commandSeen  = time.Minute     // until a command that was just sent is shown
	commandFirst = 2 * time.Second
	commandMax   = 30 * time.Second
	commandTold  = time.Minute // between two lines of progress
)

// DevApply is a bundle on its way to an instance.
type DevApply struct {
	Account  string
	Instance dev.Instance
	Bundle   dev.Bundle
	// Again sends a new command where an earlier one's end was not kept yet.
	Again bool
}

// DevApplied is how it ended.
type DevApplied struct {
	Command dev.Command
	// Earlier tells that the command is one that an earlier call sent.
	Earlier bool
	Key     string // of the log object; see Kept
	Kept    error  // why there is none
}

// DevBundle reads which bundle is active for an instance's fleet.
func (c *Cloud) DevBundle(ctx context.Context, f dev.Fleet) (dev.Bundle, error) {
	found, err := c.parametersChunk(ctx, []string{f.BucketParameter(), f.BundleParameter()})
	if err != nil {
		return dev.Bundle{}, err
	}
	for _, p := range []struct{ name, what, next string }{
		{f.BucketParameter(), "the models bucket", "reconcile apply --stack " + f.Platform + "-data"},
		{f.BundleParameter(), "the active bundle", "reconcile apply --fleet " + f.ID()},
	} {
		if found[p.name].Value == "" {
			return dev.Bundle{}, dev.NoParameter(p.name, p.what, p.next)
		}
	}
	return dev.BundleOf(f, found[f.BucketParameter()].Value, found[f.BundleParameter()].Value)
}

// ApplyDevBundle runs the commands on the instance and waits. A command of an
// earlier call that still runs is waited for, and one that ended unseen is taken
// for this call's: nothing is installed twice. say hears of the progress.
func (c *Cloud) ApplyDevBundle(ctx context.Context, a DevApply, say func(string)) (DevApplied, error) {
	var out DevApplied
	if err := c.awaitAgent(ctx, a.Instance, say); err != nil {
		return out, err
	}
	sent, err := c.sentBefore(ctx, a)
	if err != nil {
		return out, err
	}
	last := ""
	if sent != nil && sent.Done() && (a.Again || c.kept(ctx, a, *sent)) {
		last, sent = sent.ID, nil
	}
	out.Earlier = sent != nil
	if sent == nil {
		if sent, err = c.sendBundle(ctx, a, last); err != nil {
			return out, err
		}
		say("command " + sent.ID + " is sent: " + a.Bundle.Prefix + " to " + a.Instance.ID)
	} else {
		say(fmt.Sprintf("command %s, which an earlier call sent at %s, is %s; it is waited for, and none is sent", sent.ID, sent.Sent.UTC().Format("15:04 MST"), sent.Status))
	}
	if out.Command, err = c.awaitCommand(ctx, a, *sent, say); err != nil {
		return out, err
	}
	out.Key = dev.LogKey(a.Instance.Fleet, a.Bundle, a.Instance.ID, sent.Sent)
	body, err := dev.Log(a.Instance.Fleet, a.Bundle, a.Instance.ID, out.Command)
	if err == nil {
		err = c.Bucket(a.Account, dev.LogsBucket(a.Instance.Fleet.Platform, a.Account)).Put(ctx, out.Key, body)
	}
	if isCanceled(err) {
		return out, c.readError("keep the output of "+sent.ID, err)
	}
	out.Kept = err
	return out, nil
}

// kept tells whether a command's output is in the logs bucket; what may not be
// looked at counts as kept, so that it stands in nobody's way.
func (c *Cloud) kept(ctx context.Context, a DevApply, sent dev.Command) bool {
	log, err := c.asset(ctx, a.Account, plan.Object{Bucket: dev.LogsBucket(a.Instance.Fleet.Platform, a.Account), Key: dev.LogKey(a.Instance.Fleet, a.Bundle, a.Instance.ID, sent.Sent)})
	return log.Exists || err != nil
}

// ping is what Systems Manager says of an instance's agent; empty when it does
// not manage the instance.
func (c *Cloud) ping(ctx context.Context, id string) (string, error) {
	out, err := c.ssm.DescribeInstanceInformation(ctx, &ssm.DescribeInstanceInformationInput{
		Filters: []types.InstanceInformationStringFilter{{Key: aws.String("InstanceIds"), Values: []string{id}}}})
	if err != nil {
		return "", c.readError("ask Systems Manager about "+id, err)
	}
	for _, i := range out.InstanceInformationList {
		if aws.ToString(i.InstanceId) == id {
			return string(i.PingStatus), nil
		}
	}
	return "", nil
}

func (c *Cloud) awaitAgent(ctx context.Context, i dev.Instance, say func(string)) error {
	for p, told := patienceFor(agentSeen), false; ; told = true {
		status, err := c.ping(ctx, i.ID)
		if err != nil {
			return err
		}
		switch status {
		case string(types.PingStatusOnline):
			return nil
		case "":
		default:
			return &dev.Refusal{Message: fmt.Sprintf("the agent of %s is %s: it takes no command", i.ID, status),
				Next: fmt.Sprintf("aws ec2 reboot-instances --instance-ids %s --region %s, then the same command again", i.ID, c.region)}
		}
		if !told {
			say(i.ID + " is not managed by Systems Manager yet; its agent registers after the boot")
		}
		more, err := c.pauseFor(ctx, p)
		if err != nil {
			return c.readError("wait for the agent of "+i.ID, err)
		}
		if !more {
			return &dev.Refusal{Message: fmt.Sprintf("%s is not managed by Systems Manager after %v: DescribeInstanceInformation does not have it", i.ID, agentSeen),
				Next: "see that its profile has AmazonSSMManagedInstanceCore and its image an agent, then the same command again"}
		}
	}
}

// sentBefore finds the newest command with the same content for the instance.
func (c *Cloud) sentBefore(ctx context.Context, a DevApply) (*dev.Command, error) {
	var found *dev.Command
	err := pages(func(token *string) (*string, error) {
		out, err := c.ssm.ListCommands(ctx, &ssm.ListCommandsInput{InstanceId: aws.String(a.Instance.ID), NextToken: token, MaxResults: aws.Int32(50)})
		if err != nil {
			return nil, err
		}
		for _, cmd := range out.Commands {
			if aws.ToString(cmd.DocumentName) != dev.Document || !slices.Equal(cmd.Parameters["commands"], a.Bundle.Commands()) {
				continue
			}
			one := dev.Command{ID: aws.ToString(cmd.CommandId), Status: string(cmd.Status), Details: aws.ToString(cmd.StatusDetails), Sent: aws.ToTime(cmd.RequestedDateTime)}
			if found == nil || one.Sent.After(found.Sent) {
				found = &one
			}
		}
		return out.NextToken, nil
	})
	if err != nil {
		return nil, c.readError("look for commands of "+a.Instance.ID, err)
	}
	return found, nil
}

// sendBundle sends the commands. Systems Manager has no token for that, so a
// lost answer is looked for before anybody sends again; last is the command that
// was the newest before.
func (c *Cloud) sendBundle(ctx context.Context, a DevApply, last string) (*dev.Command, error) {
	seconds := int(dev.RunTimeout.Seconds())
	out, err := c.ssm.SendCommand(ctx, &ssm.SendCommandInput{
		DocumentName: aws.String(dev.Document), InstanceIds: []string{a.Instance.ID},
		Comment: aws.String("reconcile dev apply-bundle"), TimeoutSeconds: aws.Int32(int32(seconds)),
		// The document's own limit, of the script, would be an hour.
		Parameters: map[string][]string{"commands": a.Bundle.Commands(), "executionTimeout": {strconv.Itoa(seconds)}},
	})
	if err == nil {
		return &dev.Command{ID: aws.ToString(out.Command.CommandId), Status: string(out.Command.Status), Sent: aws.ToTime(out.Command.RequestedDateTime)}, nil
	}
	if !isTransient(err) {
		return nil, c.devTrouble("send the commands to "+a.Instance.ID, err, a.Instance.Fleet, "")
	}
	for p := patienceFor(devSeen); ; {
		more, waited := c.pauseFor(ctx, p)
		if waited != nil {
			return nil, c.readError("look whether the commands were sent", waited)
		}
		now, lookErr := c.sentBefore(ctx, a)
		if lookErr != nil {
			return nil, lookErr
		}
		if now != nil && now.ID != last {
			return now, nil
		}
		if !more {
			return nil, &dev.Trouble{Doing: "send the commands to " + a.Instance.ID, Message: errorMessage(err) + "; none of them is there", Next: "run the same command again"}
		}
	}
}

// awaitCommand looks at a command until it ends, for six hours at most.
func (c *Cloud) awaitCommand(ctx context.Context, a DevApply, sent dev.Command, say func(string)) (dev.Command, error) {
	p := &patience{left: dev.RunTimeout, wait: backoff{first: commandFirst, max: commandMax}}
	last, told := "", dev.RunTimeout
	for {
		now, err := c.commandNow(ctx, a, sent, dev.RunTimeout-p.left)
		if err != nil || now.Done() {
			return now, err
		}
		if now.Status != last || told-p.left >= commandTold {
			line := fmt.Sprintf("%s, for %v", now.Status, (dev.RunTimeout - p.left).Round(time.Second))
			if last != "" {
				status, err := c.ping(ctx, a.Instance.ID)
				if err != nil {
					return now, err
				}
				if status != string(types.PingStatusOnline) {
					line += "; the agent is not online (" + orText(status, "not managed") + "), and what it does is not seen"
				}
			}
			say(line)
			last, told = now.Status, p.left
		}
		more, err := c.pauseFor(ctx, p)
		if err != nil {
			return now, c.readError("wait for command "+sent.ID, err)
		}
		if !more {
			return now, &dev.Refusal{Message: fmt.Sprintf("command %s on %s is %s after %v", sent.ID, a.Instance.ID, now.Status, dev.RunTimeout),
				Next: "the same command goes on waiting; reconcile dev stop " + a.Instance.Fleet.ID() + " ends the instance"}
		}
	}
}

// commandNow is the command as it is. Just sent, it is not shown for a moment.
func (c *Cloud) commandNow(ctx context.Context, a DevApply, sent dev.Command, waited time.Duration) (dev.Command, error) {
	out, err := c.ssm.GetCommandInvocation(ctx, &ssm.GetCommandInvocationInput{CommandId: aws.String(sent.ID), InstanceId: aws.String(a.Instance.ID)})
	if errorCode(err) == "InvocationDoesNotExist" && waited < commandSeen {
		sent.Status = "Pending"
		return sent, nil
	}
	if err != nil {
		return sent, c.readError("look at command "+sent.ID, err)
	}
	sent.Status, sent.Details, sent.Code = string(out.Status), aws.ToString(out.StatusDetails), int(out.ResponseCode)
	sent.Output, sent.Errors = aws.ToString(out.StandardOutputContent), aws.ToString(out.StandardErrorContent)
	return sent, nil
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
