package stacks

import (
	"strconv"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// stages are the fleet stages, in the order of their names.
var stages = [...]string{"production", "staging"}

func otherStage(stage string) string {
	if stage == stages[0] {
		return stages[1]
	}
	return stages[0]
}

// platform is what every stack is rendered from. Each name of a thing in AWS
// is derived here, from the platform's own name ("bp" in the comments).
type platform struct {
	spec.Platform
	set  spec.Set
	boot string         // the workers' boot script without its comments
	off  map[string]int // security rules that the spec turns off, by their place in its list
}

func (p *platform) network() string   { return p.Name + "-network" }
func (p *platform) data() string      { return p.Name + "-data" }
func (p *platform) compute() string   { return p.Name + "-compute" }
func (p *platform) gpuShared() string { return p.Name + "-gpu-shared" }
func (p *platform) cicd() string      { return p.Name + "-cicd" }
func (p *platform) reconcile() string { return p.Name + "-reconcile" }

func (p *platform) monitoring() string { return p.Name + "-monitoring" }

// monitoringShard names the stack of a further dashboard, see shards.
func (p *platform) monitoringShard(n int) string {
	return p.monitoring() + "-fleets-" + strconv.Itoa(n)
}

func (p *platform) fleetStack(f spec.Fleet) string {
	return p.Name + "-gpu-fleet-" + f.Stage + "-" + f.Name
}

// Names of fleets carry no platform name: the worker, the backend and people's
// alarm filters know them as they are (facts: contracts).
func groupName(f spec.Fleet) string          { return "asg-" + f.Stage + "-" + f.Name }
func launchTemplateName(f spec.Fleet) string { return "lt-" + f.Stage + "-" + f.Name }
func workerLogGroup(slug string) string      { return "/gpu-workers/" + slug }

// SSM parameters.
func (p *platform) fleetSecretParameter(stage string) string {
	return "/" + p.Name + "/fleets/" + stage + "/fleet-secret"
}

func (p *platform) fleetParameter(f spec.Fleet, key string) string {
	return "/" + p.Name + "/fleets/" + f.Stage + "/" + f.Name + "/" + key
}

func (p *platform) amiParameter(f spec.Fleet) string {
	return "/" + p.Name + "/ami/fleets/" + f.Stage + "/" + f.Name
}

// bucket names are unique in all of AWS, hence the account. They are known by
// name to workflows, workers and the backend.
func (p *platform) bucket(kind string) string {
	return p.Name + "-" + kind + "-" + p.Account
}

// identifier is the platform's name where only letters, digits and
// underscores are allowed: database and user names.
func (p *platform) identifier() string { return strings.ReplaceAll(p.Name, "-", "_") }

// databaseUser has at most 16 characters, RDS's limit for a MariaDB user.
func (p *platform) databaseUser() string {
	const suffix = "_admin"
	id := p.identifier()
	return id[:min(len(id), 16-len(suffix))] + suffix
}

// partition is fixed by the region, so that templates show whole ARNs.
func (p *platform) partition() string {
	switch {
	case strings.HasPrefix(p.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(p.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (p *platform) urlSuffix() string {
	if p.partition() == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// arn of a resource in the platform's account and region.
func (p *platform) arn(service, resource string) string {
	return "arn:" + p.partition() + ":" + service + ":" + p.Region + ":" + p.Account + ":" + resource
}

// globalARN is an ARN without a region: IAM.
func (p *platform) globalARN(service, resource string) string {
	return "arn:" + p.partition() + ":" + service + "::" + p.Account + ":" + resource
}

func (p *platform) bucketARN(kind string) string {
	return "arn:" + p.partition() + ":s3:::" + p.bucket(kind)
}

func (p *platform) parameterARN(name string) string {
	return p.arn("ssm", "parameter"+name)
}

// managedPolicy is one of AWS's own policies.
func (p *platform) managedPolicy(name string) string {
	return "arn:" + p.partition() + ":iam::aws:policy/" + name
}

// subnetIDs are the open references to one kind of subnet. The list is
// derived from the spec on both sides, because an output holds one string.
func (p *platform) subnetIDs(kind spec.SubnetKind) []any {
	var ids []any
	for i := range p.Network.AvailabilityZones {
		ids = append(ids, cfn.StackOutput(p.network(), subnetOutput(kind, i+1)))
	}
	return ids
}

// subnetOutput is "PublicSubnet1", also the logical id of the subnet.
func subnetOutput(kind spec.SubnetKind, number int) string {
	return capital(string(kind)) + "Subnet" + strconv.Itoa(number)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func decimal(n int) string { return strconv.Itoa(n) }

// indexed is the path of a list's element.
func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func (p *platform) backendName() string  { return p.Name + "-backend" }
func (p *platform) frontendName() string { return p.Name + "-frontend" }
