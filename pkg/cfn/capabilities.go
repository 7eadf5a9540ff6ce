package cfn

import "sort"

// namedIAM lists the IAM types whose explicit name needs CAPABILITY_NAMED_IAM,
// with the property that gives it. (AWS CloudFormation User Guide,
// "Acknowledging IAM resources in CloudFormation templates".)
var namedIAM = map[string]string{
	"AWS::IAM::Group":           "GroupName",
	"AWS::IAM::InstanceProfile": "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":   "ManagedPolicyName",
	"AWS::IAM::Role":            "RoleName",
	"AWS::IAM::User":            "UserName",
}

// plainIAM lists the further types that need CAPABILITY_IAM.
var plainIAM = map[string]bool{
	"AWS::IAM::AccessKey":           true,
	"AWS::IAM::Policy":              true,
	"AWS::IAM::UserToGroupAddition": true,
}

// Capabilities lists what CloudFormation wants acknowledged before it creates
// or updates a stack from t, sorted; nil when there is nothing. A nested
// stack's own needs are not visible here.
func Capabilities(t Template) []string {
	var iam, named bool
	for _, r := range t.Resources {
		property, ok := namedIAM[r.Type]
		if ok {
			iam = true
			_, set := r.Properties[property]
			named = named || set
		}
		iam = iam || plainIAM[r.Type]
	}
	var out []string
	switch {
	case named:
		out = append(out, "CAPABILITY_NAMED_IAM")
	case iam:
		out = append(out, "CAPABILITY_IAM")
	}
	if t.Transform != nil {
		out = append(out, "CAPABILITY_AUTO_EXPAND")
	}
	sort.Strings(out)
	return out
}
