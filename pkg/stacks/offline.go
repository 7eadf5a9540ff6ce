package stacks

import (
	"strings"

	"reconcile/pkg/cfn"
)

// Offline replaces the open references of a template by placeholders, for
// reading and for cfn-lint where nothing of AWS is known. A placeholder has the
// form of what it stands for and is recognizable by its zeros:
//
//	…SecurityGroup   sg-00000000000000000
//	…Subnet1         subnet-00000000000000001
//	VpcId            vpc-00000000000000000
//	NatGateway1      nat-00000000000000001
//	…TopicArn        arn:aws:sns:REGION:ACCOUNT:placeholder
//	…BucketArn       arn:aws:s3:::placeholder-STACK-OUTPUT
//	…Arn             arn:aws:secretsmanager:REGION:ACCOUNT:secret:placeholder-000000
//	…RepoUri         ACCOUNT.dkr.ecr.REGION.amazonaws.com/placeholder
//	an AMI parameter ami-00000000000000000
//	anything else    placeholder-STACK-OUTPUT, in lower case
func Offline(t cfn.Template, account, region string) cfn.Template {
	p := &platform{}
	p.Account, p.Region = account, region
	return cfn.ResolveTemplate(t, func(r cfn.Ref) (string, bool) { return p.placeholder(r), true })
}

func (p *platform) placeholder(r cfn.Ref) string {
	const zeros = "00000000000000000"
	if r.Parameter != "" {
		if strings.Contains(r.Parameter, "/ami/") {
			return "ami-" + zeros
		}
		return "placeholder" + strings.ToLower(strings.ReplaceAll(r.Parameter, "/", "-"))
	}
	name := strings.TrimRight(r.Output, "0123456789")
	number := strings.TrimPrefix(r.Output, name)
	other := "placeholder-" + strings.ToLower(r.Stack+"-"+r.Output)
	switch {
	case strings.HasSuffix(name, "SecurityGroup"):
		return "sg-" + zeros
	case strings.HasSuffix(name, "Subnet"):
		return "subnet-" + zeros[len(number):] + number
	case name == "VpcId":
		return "vpc-" + zeros
	case name == "NatGateway":
		return "nat-" + zeros[len(number):] + number
	case strings.HasSuffix(name, "TopicArn"):
		return p.arn("sns", "placeholder")
	case strings.HasSuffix(name, "BucketArn"):
		return "arn:" + p.partition() + ":s3:::" + other
	case strings.HasSuffix(name, "Arn"):
		return p.arn("secretsmanager", "secret:placeholder-000000")
	case strings.HasSuffix(name, "RepoUri"):
		return p.Account + ".dkr.ecr." + p.Region + "." + p.urlSuffix() + "/placeholder"
	}
	return other
}
