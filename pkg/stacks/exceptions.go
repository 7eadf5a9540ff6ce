package stacks

import (
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// Rules that a Platform's exceptions may turn off. Each is a security default
// that changes nothing about what the platform does.
const (
	RuleFlowLog            = "vpc-flow-log"
	RuleScanOnPush         = "ecr-scan-on-push"
	RuleALBAccessLogs      = "alb-access-logs"
	RuleDropInvalidHeaders = "alb-drop-invalid-headers"
	RuleS3AccessLogs       = "s3-access-logs"
	RuleDatabaseIAM        = "rds-iam-authentication"
	RuleDatabaseLogs       = "rds-error-log"
	RuleContainerInsights  = "ecs-container-insights"
	RuleTopicTLS           = "sns-tls-only"
)

// RuleRedisEncryption is off unless spec.cache.encryption is set: a spec may
// name it to record why it stays off.
const RuleRedisEncryption = "redis-encryption"

var switchable = []string{
	RuleALBAccessLogs, RuleDropInvalidHeaders, RuleScanOnPush, RuleContainerInsights, RuleDatabaseLogs,
	RuleDatabaseIAM, RuleS3AccessLogs, RuleTopicTLS, RuleFlowLog,
}

// Rules lists the names that an exception may have, sorted.
func Rules() []string {
	names := append([]string{RuleRedisEncryption}, switchable...)
	slices.Sort(names)
	return names
}

// wants tells whether a security default is on. Where the spec turns it off,
// that line of the spec is what decides the targets.
func (p *platform) wants(s *stack, rule string, targets ...string) bool {
	i, off := p.off[rule]
	if off {
		s.cause(indexed("spec.exceptions", i), targets...)
	}
	return !off
}

// exceptionNotes show each exception in every plan. One that names no rule is
// an error: it looks as if something were decided.
func (p *platform) exceptionNotes() []plan.Finding {
	var notes []plan.Finding
	for i, e := range p.Exceptions {
		source := p.At(indexed("spec.exceptions", i))
		if !slices.Contains(Rules(), e.Rule) {
			notes = append(notes, plan.Finding{
				Severity: plan.SeverityError, Code: "unknown-rule", Target: e.Rule, Source: source,
				Message: "no security default has this name; there are " + strings.Join(Rules(), ", "),
			})
			continue
		}
		message := "security default off: " + e.Reason
		if e.Expires != "" {
			message += " (until " + e.Expires + ")"
		}
		notes = append(notes, plan.Finding{
			Severity: plan.SeverityNote, Code: "security-exception", Target: e.Rule, Message: message, Source: source,
		})
	}
	return notes
}
