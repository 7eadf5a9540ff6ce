package permission

// Denial is a "Deny" of a policy.
type Denial struct {
	Statement
	Sid string
}

// Unbounded are the services that the boundary allows nothing of as a whole;
// what of IAM is allowed follows from Bounded.
func Unbounded() []string {
	return []string{"account:*", "iam:*", "organizations:*", "sts:*"}
}

// Bounded is what the permissions boundary allows of the services in
// Unbounded: to see, and to make roles that have the same boundary.
func Bounded(boundary string, place Place) []Statement {
	return merge([]grant{
		{[]string{"iam:Get*", "iam:List*", "iam:CreateServiceLinkedRole", "sts:GetCallerIdentity"}, []string{anything}, nil},
		{[]string{"iam:PassRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole"}, []string{roles}, nil},
		{[]string{"iam:*InstanceProfile*"}, []string{profiles}, nil},
		{bounded(), []string{roles}, map[string]map[string]string{"StringEquals": {"iam:PermissionsBoundary": boundary}}},
	}, place)
}

// Denied is what the boundary denies whatever else allows it: to blind the
// account, and to touch the program's own stack, bucket and roles, through
// which all of this could be lifted.
func Denied(place Place) []Denial {
	sid := func(name string, actions []string, resources ...string) Denial {
		return Denial{Sid: name, Statement: Statement{Actions: actions, Resources: place.expand(resources...)}}
	}
	return []Denial{
		sid("AuditStays", []string{"cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors", "cloudtrail:PutInsightSelectors", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail",
			"config:DeleteConfigurationRecorder", "config:StopConfigurationRecorder", "guardduty:DeleteDetector"}, anything),
		sid("OwnStackStays", []string{"cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback", "cloudformation:Create*", "cloudformation:Delete*", "cloudformation:Execute*",
			"cloudformation:Rollback*", "cloudformation:Set*", "cloudformation:Update*"}, "arn:{partition}:cloudformation:{region}:{account}:stack/{platform}-reconcile/*"),
		sid("OwnRolesStay", []string{"iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Remove*", "iam:Set*", "iam:Tag*", "iam:Untag*", "iam:Update*"},
			"arn:{partition}:iam::{account}:role/{platform}-reconcile-*", "arn:{partition}:iam::{account}:policy/{platform}-reconcile-*"),
		sid("OwnBucketStays", []string{"s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"},
			"arn:{partition}:s3:::{bucket}", "arn:{partition}:s3:::{bucket}/*"),
	}
}
