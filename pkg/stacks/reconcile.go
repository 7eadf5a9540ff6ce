package stacks

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// Prefixes in this program's own bucket.
const (
	LockPrefix     = plan.LockPrefix
	JournalPrefix  = "journal/"
	PlanPrefix     = "plans/"
	TemplatePrefix = "templates/"
)

// reconcileStack holds what this program needs for itself: the bucket of lock,
// journal, saved plans and large templates. It is created before anything else
// and deleted after everything else.
func (p *platform) reconcileStack(others []plan.Stack) plan.Stack {
	s := p.stack(p.reconcile(), "reconcile", "Lock, journal, plans and large templates of reconcile")
	properties := p.bucketProperties("reconcile", list{
		props{"Id": "abort-multipart", "Status": "Enabled", "AbortIncompleteMultipartUpload": props{"DaysAfterInitiation": 1}},
		// Each renewal of the lock leaves a version behind.
		lapse("locks", LockPrefix, 0, 1),
		lapse("plans", PlanPrefix, 90, 7),
		// CloudFormation reads a template once, when the change set is made.
		lapse("templates", TemplatePrefix, 30, 7),
		lapse("journal", JournalPrefix, 400, 30),
	})
	properties["VersioningConfiguration"] = props{"Status": "Enabled"}
	p.addBucket(s, "", properties)
	s.output("BucketName", "Bucket of lock, journal, plans and large templates", cfn.LogicalRef("Bucket"))
	p.reconcileRoles(s, others)
	return s.finish()
}

// lapse is a lifecycle rule: days after which an object goes (0: it stays),
// and after which a version goes that was replaced.
func lapse(id, prefix string, days, old int) props {
	rule := props{
		"Id": id, "Status": "Enabled", "Prefix": prefix,
		"NoncurrentVersionExpiration": props{"NoncurrentDays": old},
	}
	if days > 0 {
		rule["ExpirationInDays"] = days
	} else {
		rule["ExpiredObjectDeleteMarker"] = true
	}
	return rule
}
