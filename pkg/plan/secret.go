package plan

import "fmt"

// secret decides about a secret that is declared by a stack and has no value
// of its own. Only DescribeSecret's answer is known.
func (c *computation) secret(s *Secret, n *node) {
	live, exists := c.l.Secrets[s.Name]
	if s.Describe != "" && live.Versions <= 1 {
		c.find(Finding{Severity: SeverityNote, Code: "secret-unset", Target: s.Name, Message: s.Describe, Source: s.Source})
	}
	if exists && live.HasCurrent && !live.Deleting {
		return
	}
	step := Step{
		ID: n.id, Kind: KindSecret, Target: s.Name, Action: ActionCreate,
		Body: Body{Secret: &SecretBody{Name: s.Name, Generate: s.Generate}},
		Changes: []Change{{Resource: s.Name, Type: "AWS::SecretsManager::Secret", Action: ActionCreate,
			Unknown: true, Sensitive: true, Source: s.Source}},
		Reason:   "the secret has no value yet",
		Rollback: "write another value",
		Source:   s.Source,
	}
	var p *problem
	stack, planned := c.steps[ID(KindStack, s.Stack)]
	switch {
	case exists:
		step.Base = FingerprintSecret(&live)
	case planned:
		step.Base = BaseAfter(stack.ID)
	default:
		step.Base = FingerprintSecret(nil)
	}
	switch {
	case live.Deleting:
		p = &problem{code: "secret-deleting", target: s.Name,
			reason:  fmt.Sprintf("secret %s is scheduled for deletion; until it is restored or gone, neither can it be written nor made again", s.Name),
			command: "aws secretsmanager restore-secret --secret-id " + s.Name}
	case !exists && !planned:
		p = &problem{code: "secret-missing", target: s.Name,
			reason:  fmt.Sprintf("secret %s does not exist, although stack %s was deployed with it; somebody deleted it", s.Name, s.Stack),
			command: "aws secretsmanager describe-secret --secret-id " + s.Name}
	}
	if p != nil {
		step.Blocked = p.blocked()
		c.tell(p, s.Source)
	}
	c.add(n, step)
}

// logGroup decides about a log group that is written directly.
func (c *computation) logGroup(g *LogGroup, n *node) {
	live, exists := c.l.LogGroups[g.Name]
	if exists && live.RetentionDays == g.RetentionDays {
		return
	}
	step := Step{
		ID: n.id, Kind: KindLogGroup, Target: g.Name, Action: ActionCreate, Source: g.Source,
		Body:     Body{LogGroup: &LogGroupBody{Name: g.Name, RetentionDays: g.RetentionDays}},
		Base:     FingerprintLogGroup(nil),
		Reason:   "the log group does not exist",
		Rollback: "delete the log group",
	}
	ch := Change{Resource: g.Name, Type: "AWS::Logs::LogGroup", Action: ActionCreate, Source: g.Source}
	if exists {
		step.Action, step.Base = ActionUpdate, FingerprintLogGroup(&live)
		step.Reason, step.Rollback = "the retention differs", "set the retention back"
		ch.Action, ch.Path, ch.Before, ch.After = ActionUpdate, "RetentionInDays", retention(live.RetentionDays), retention(g.RetentionDays)
		if live.RetentionDays == 0 || g.RetentionDays != 0 && g.RetentionDays < live.RetentionDays {
			step.Risk = "log events older than the new retention are deleted"
			step.Rollback = "set the retention back; events that expired meanwhile are gone"
		}
	}
	step.Changes = []Change{ch}
	if exists {
		if after := c.writers(g.Name); after != nil {
			c.late = append(c.late, lateStep{step, after})
			return
		}
	}
	c.add(n, step)
}

func retention(days int) any {
	if days == 0 {
		return "never expires"
	}
	return days
}
