package drift

import (
	"encoding/base64"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// Unnamed lists the stacks whose resources must be listed before Subjects
// knows every physical id.
func Unnamed(deployments []plan.Deployment) []string {
	var out []string
	for _, d := range deployments {
		if d.Live.Resources != nil {
			continue
		}
		for _, r := range d.Template.Resources {
			if _, read := Compared(r.Type); read && literalID(r) == "" {
				out = append(out, d.Stack.Name)
				break
			}
		}
	}
	return out
}

// nameOf is the property that is a type's physical id.
func nameOf(resourceType string) string {
	return map[string]string{
		"AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
		"AWS::EC2::LaunchTemplate":           "LaunchTemplateName",
		"AWS::CloudWatch::Alarm":             "AlarmName",
		"AWS::SSM::Parameter":                "Name",
		"AWS::S3::Bucket":                    "BucketName",
	}[resourceType]
}

func literalID(r cfn.Resource) string {
	if strings.HasPrefix(r.Type, "AWS::EC2::SecurityGroup") && r.Type != "AWS::EC2::SecurityGroup" {
		return "rule" // found by what it says
	}
	s, _ := r.Properties[nameOf(r.Type)].(string)
	return s
}

// Subjects lists the deployed resources, by stack and logical id, with what is
// known put into their properties.
func Subjects(deployments []plan.Deployment, target plan.Target) []Subject {
	var out []Subject
	for _, d := range deployments {
		v := values{deployment: d, target: target}
		for _, id := range d.Template.LogicalIDs() {
			r := d.Template.Resources[id]
			s := Subject{Key: Key{d.Stack.Name, id}, Type: r.Type, ID: v.physical(id), StackTags: d.Stack.Tags}
			if p, ok := v.of(r.Properties).(map[string]any); ok {
				s.Properties = p
			}
			if literal := literalID(r); literal != "" {
				s.ID = literal
			}
			out = append(out, s)
		}
	}
	return out
}

// values puts into property trees what is known without asking the service.
type values struct {
	deployment plan.Deployment
	target     plan.Target
}

// physical is what Ref gives of a resource: its physical id.
func (v values) physical(id string) string {
	if p := v.deployment.Live.Resources[id].PhysicalID; p != "" {
		return p
	}
	r := v.deployment.Template.Resources[id]
	if r.Type == "AWS::EC2::LaunchTemplate" {
		return "" // its Ref is its id
	}
	s, _ := r.Properties[nameOf(r.Type)].(string)
	return s
}

// of resolves a value; what stays unknown is an Open.
func (v values) of(value any) any {
	switch t := value.(type) {
	case map[string]any:
		if len(t) == 1 {
			for k, arg := range t {
				if k == "Ref" || k == "Condition" || strings.HasPrefix(k, "Fn::") || strings.HasPrefix(k, "Reconcile::") {
					return v.function(k, arg)
				}
			}
		}
		out := make(map[string]any, len(t))
		for k, e := range t {
			if isNoValue(e) {
				continue
			}
			out[k] = v.of(e)
		}
		return out
	case []any:
		out := make([]any, 0, len(t))
		for _, e := range t {
			if !isNoValue(e) {
				out = append(out, v.of(e))
			}
		}
		return out
	case string:
		if strings.Contains(t, "{{resolve:") {
			return Open{}
		}
	}
	return value
}

func isNoValue(value any) bool {
	m, ok := value.(map[string]any)
	return ok && len(m) == 1 && m["Ref"] == "AWS::NoValue"
}

func (v values) function(name string, arg any) any {
	switch name {
	case "Ref":
		id, _ := arg.(string)
		return orOpen(v.ref(id))
	case "Fn::GetAtt":
		id, attribute := attributeOf(arg)
		return orOpen(v.attribute(id, attribute))
	case "Fn::Join":
		return v.join(arg)
	case "Fn::Base64":
		if s, ok := v.of(arg).(string); ok {
			return base64.StdEncoding.EncodeToString([]byte(s))
		}
	case "Fn::Sub":
		if s, ok := arg.(string); ok {
			return v.substitute(s)
		}
	}
	return Open{}
}

func orOpen(s string) any {
	if s == "" {
		return Open{}
	}
	return s
}

func (v values) ref(id string) string {
	switch id {
	case "AWS::Region":
		return v.target.Region
	case "AWS::AccountId":
		return v.target.Account
	case "AWS::Partition":
		return v.partition()
	case "AWS::StackName":
		return v.deployment.Stack.Name
	case "AWS::StackId":
		return v.deployment.Live.ID
	}
	if _, parameter := v.deployment.Template.Parameters[id]; parameter {
		return v.deployment.Live.Parameters[id]
	}
	return v.physical(id)
}

func (v values) partition() string {
	switch {
	case strings.HasPrefix(v.target.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(v.target.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// attribute knows the attributes that follow from a physical id.
func (v values) attribute(id, attribute string) string {
	p := v.physical(id)
	r := v.deployment.Template.Resources[id]
	if p == "" {
		return ""
	}
	switch r.Type + " " + attribute {
	case "AWS::EC2::SecurityGroup GroupId", "AWS::EC2::VPC VpcId":
		return p
	case "AWS::S3::Bucket Arn":
		return "arn:" + v.partition() + ":s3:::" + p
	case "AWS::ECS::Service Name":
		return p[strings.LastIndexByte(p, '/')+1:]
	case "AWS::IAM::Role Arn":
		if _, path := r.Properties["Path"]; !path {
			return "arn:" + v.partition() + ":iam::" + v.target.Account + ":role/" + p
		}
	case "AWS::IAM::InstanceProfile Arn":
		if _, path := r.Properties["Path"]; !path {
			return "arn:" + v.partition() + ":iam::" + v.target.Account + ":instance-profile/" + p
		}
	}
	return ""
}

func attributeOf(arg any) (id, attribute string) {
	switch a := arg.(type) {
	case string:
		id, attribute, _ = strings.Cut(a, ".")
	case []any:
		if len(a) == 2 {
			id, _ = a[0].(string)
			attribute, _ = a[1].(string)
		}
	}
	return id, attribute
}

func (v values) join(arg any) any {
	parts, ok := arg.([]any)
	if !ok || len(parts) != 2 {
		return Open{}
	}
	separator, _ := parts[0].(string)
	list, ok := v.of(parts[1]).([]any)
	if !ok {
		return Open{}
	}
	texts := make([]string, len(list))
	for i, e := range list {
		if texts[i], ok = e.(string); !ok {
			return Open{}
		}
	}
	return strings.Join(texts, separator)
}

func (v values) substitute(text string) any {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return Open{}
		}
		text = after
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			b.WriteString("${" + literal + "}")
			continue
		}
		id, attribute, dotted := strings.Cut(name, ".")
		value := v.ref(name)
		if dotted {
			value = v.attribute(id, attribute)
		}
		if value == "" {
			return Open{}
		}
		b.WriteString(value)
	}
}
