package plan_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// deployed is the AWS account in which everything of d was applied: each
// stack carries our mark and its digest, outputs have values, parameters,
// secrets, log groups, images and objects are there.
func deployed(t testing.TB, d plan.Desired) plan.Live {
	t.Helper()
	l := empty(d)
	for _, p := range d.Parameters {
		version := int64(1)
		live := plan.LiveParameter{Type: p.Type, DataType: "text", Version: version}
		if p.DataType != "" {
			live.DataType = p.DataType
		}
		if s, ok := p.Value.(string); ok && p.Type != "SecureString" {
			live.Value = s
		}
		l.Parameters[p.Name] = live
	}
	for _, f := range d.Fleets {
		if f.AMIParameter != "" {
			l.Parameters[f.AMIParameter] = plan.LiveParameter{Type: "String", DataType: "aws:ec2:image", Value: "ami-1", Version: 1}
		}
	}
	for _, s := range d.Secrets {
		l.Secrets[s.Name] = plan.LiveSecret{ARN: "arn:secret:" + s.Name, HasCurrent: true, Versions: 2}
	}
	for _, g := range d.LogGroups {
		l.LogGroups[g.Name] = plan.LiveLogGroup{RetentionDays: g.RetentionDays}
	}
	for _, i := range d.Images {
		l.Images[i.Repository+":"+i.Tag] = plan.LiveImage{Exists: true, Digest: "sha256:1"}
	}
	for _, b := range d.Bundles {
		o := b.Object()
		l.Bundles[o.Bucket+"/"+o.Key] = plan.LiveBundle{Exists: true, Manifest: &b.Manifest}
	}
	if d.Certificate != nil {
		l.Certificates[d.Certificate.ARN] = plan.LiveCertificate{Exists: true, Status: "ISSUED", Domain: d.Certificate.Domain}
	}
	todo := append([]plan.Stack(nil), d.Stacks...)
	sort.Slice(todo, func(i, j int) bool { return todo[i].Name < todo[j].Name })
	for round := 0; len(todo) > 0 && round < len(d.Stacks)+1; round++ {
		var later []plan.Stack
		for _, s := range todo {
			if !deploy(t, &l, d, s) {
				later = append(later, s)
			}
		}
		todo = later
	}
	if len(todo) > 0 {
		t.Fatalf("cannot deploy %s: its references do not resolve", todo[0].Name)
	}
	return l
}

func empty(d plan.Desired) plan.Live {
	return plan.Live{
		Account: d.Target.Account, Region: d.Target.Region,
		Stacks: map[string]plan.LiveStack{}, Parameters: map[string]plan.LiveParameter{},
		Secrets: map[string]plan.LiveSecret{}, LogGroups: map[string]plan.LiveLogGroup{},
		Groups: map[string]plan.LiveGroup{}, LaunchTemplates: map[string]plan.LiveLaunchTemplate{},
		Images: map[string]plan.LiveImage{}, Bundles: map[string]plan.LiveBundle{}, Assets: map[string]plan.LiveAsset{}, Certificates: map[string]plan.LiveCertificate{},
		NotRead: []string{"hand edits inside stacks"},
	}
}

// deploy puts one stack into l; false while a reference has no value yet.
func deploy(t testing.TB, l *plan.Live, d plan.Desired, s plan.Stack) bool {
	t.Helper()
	lookup := func(r cfn.Ref) (string, bool) {
		if r.Stack != "" {
			v, ok := l.Stacks[r.Stack].Outputs[r.Output]
			return v, ok
		}
		if v, ok := l.Parameters[r.Parameter]; ok {
			return v.Value, true
		}
		return "", false
	}
	template := cfn.ResolveTemplate(s.Template, lookup)
	parameters := map[string]string{}
	for k, v := range s.Parameters {
		text, ok := cfn.Resolve(v, lookup).(string)
		if !ok {
			return false
		}
		parameters[k] = text
	}
	tags := s.Tags
	if len(tags) == 0 {
		tags = nil
	}
	digest, err := cfn.DigestOf(template, tags, parameters)
	if err != nil {
		return false
	}
	if len(s.DependsOn) > 0 || s.Fleet != "" {
		needs := []any{}
		for _, n := range s.DependsOn {
			needs = append(needs, n)
		}
		template.Metadata = map[string]any{"Reconcile": map[string]any{"DependsOn": needs, "Fleet": s.Fleet}}
	}
	template = cfn.Seal(template, d.Target.Platform, digest, "r1")
	live := plan.LiveStack{
		Name: s.Name, ID: "arn:stack/" + s.Name, Status: "CREATE_COMPLETE", Description: template.Description,
		Updated: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Marker:  cfn.Marker{Owner: d.Target.Platform, Digest: digest}, Owned: true,
		Described: true, Outputs: map[string]string{}, Tags: s.Tags, Parameters: parameters, Protected: s.Protect,
		Template: &template, Resources: map[string]plan.LiveResource{},
	}
	for id, r := range template.Resources {
		live.Resources[id] = plan.LiveResource{Type: r.Type, PhysicalID: "id-" + s.Name + "-" + id, Status: "CREATE_COMPLETE"}
		if name, ok := r.Properties["Name"].(string); ok && r.Type == "AWS::SSM::Parameter" {
			l.Parameters[name] = plan.LiveParameter{Type: "String", DataType: "text", Value: fmt.Sprint(r.Properties["Value"]), Version: 1}
		}
		deployGroup(l, r)
	}
	for name, o := range template.Outputs {
		live.Outputs[name] = outputValue(s.Name, live, o.Value)
	}
	l.Stacks[s.Name] = live
	return true
}

// outputValue is what AWS would say; attributes get a value of their own.
func outputValue(stack string, live plan.LiveStack, v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if m, ok := v.(map[string]any); ok {
		if id, ok := m["Ref"].(string); ok {
			if r, ok := live.Resources[id]; ok {
				return r.PhysicalID
			}
		}
	}
	return "value-of-" + stack + "-" + strings.ReplaceAll(fmt.Sprint(v), " ", ".")
}

func deployGroup(l *plan.Live, r cfn.Resource) {
	switch r.Type {
	case "AWS::AutoScaling::AutoScalingGroup":
		name, _ := r.Properties["AutoScalingGroupName"].(string)
		g := plan.LiveGroup{Max: atoi(r.Properties["MaxSize"]), Min: atoi(r.Properties["MinSize"])}
		if lt, ok := r.Properties["LaunchTemplateName"].(string); ok {
			g.LaunchTemplate = lt
		}
		l.Groups[name] = g
	case "AWS::EC2::LaunchTemplate":
		name, _ := r.Properties["LaunchTemplateName"].(string)
		data, _ := r.Properties["LaunchTemplateData"].(map[string]any)
		image, _ := data["ImageId"].(string)
		l.LaunchTemplates[name] = plan.LiveLaunchTemplate{ID: "lt-1", LatestVersion: 1, DefaultVersion: 1, ImageID: image}
	}
}

func atoi(v any) int {
	n := 0
	if v != nil {
		_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	}
	return n
}
