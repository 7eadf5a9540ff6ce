package drift

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// Compare sorts the differences between AWS and what was deployed.
func Compare(in Input) Report {
	c := comparison{in: in, stacks: map[string]plan.Deployment{}, missing: map[string]bool{}}
	for _, d := range in.Deployments {
		c.stacks[d.Stack.Name] = d
	}
	for _, s := range in.Subjects {
		c.subject(s)
	}
	c.detected()
	c.parameters()
	c.newlyKnown()
	r := Report{FormatVersion: FormatVersion, Target: in.Target, Expected: c.expected, New: c.fresh, Coverage: coverage(in, c.open, c.missing)}
	r.Hand, r.Ignored, r.Notes = ignored(c.hand, in.Ignore, in.Now)
	for _, list := range []*[]Finding{&r.Hand, &r.Ignored, &r.Expected, &r.New} {
		sort.SliceStable(*list, func(i, j int) bool { return order((*list)[i]) < order((*list)[j]) })
		if *list == nil {
			*list = []Finding{}
		}
	}
	return r
}

func order(f Finding) string {
	return strings.Join([]string{f.Stack, f.Resource, f.Path, f.Rule}, "\x00")
}

type comparison struct {
	in                    Input
	stacks                map[string]plan.Deployment
	hand, expected, fresh []Finding
	open                  int
	missing               map[string]bool
}

func (c *comparison) finding(s Subject, path string) Finding {
	d := c.stacks[s.Stack]
	return Finding{
		Stack: s.Stack, Resource: s.Resource, Type: s.Type, Physical: s.ID, Fleet: d.Stack.Fleet, Kind: Modified, Path: path,
		Source: d.Stack.SourceOf(s.Resource, path),
	}
}

// subject compares one resource.
func (c *comparison) subject(s Subject) {
	found, read := c.in.Live.Found[s.Key]
	if !read {
		return
	}
	if !found.Exists {
		f := c.finding(s, "")
		f.Kind = Deleted
		c.hand = append(c.hand, f)
		return
	}
	c.owned(s, found)
	names, _ := Compared(s.Type)
	live, deployed := map[string]any{}, map[string]any{}
	for name, value := range s.Properties {
		if !slices.Contains(names, name) {
			if name != "Tags" || s.Type != "AWS::SSM::Parameter" {
				c.missing[s.Type+"."+name] = true
			}
			continue
		}
		deployed[name] = value
		if v, ok := found.Properties[name]; ok {
			live[name] = v
		}
	}
	unset := c.alsoUnset(s, found, live, deployed)
	p := pruner{stackTags: s.StackTags}
	l, d := p.maps(live, deployed)
	c.open += p.open
	for _, diff := range difference(s, l, d) {
		f := c.finding(s, diff.Path)
		f.Live, f.Deployed, f.Document, f.Sensitive, f.Replace = diff.Before, diff.After, diff.Document, diff.Sensitive, plan.Replace(diff.Replace)
		f.Stays = stays(f, unset[topOf(diff.Path)])
		c.sort(f, found)
	}
}

// stays tells why CloudFormation does not put a difference back; "" if it does.
func stays(f Finding, unset bool) string {
	switch {
	case unset:
		return "the template does not set it, so CloudFormation does not see it: take it away where it was made"
	case f.Type == "AWS::EC2::LaunchTemplate" && topOf(f.Path) == "LaunchTemplateData":
		return "it is a newer version beside the one that was deployed, which stays and is what the group names: delete it with aws ec2 delete-launch-template-versions --launch-template-name " + f.Physical
	}
	return ""
}

// alsoUnset adds what a template need not set to be told of when somebody adds
// it: rules of a security group. It gives the names of such properties.
func (c *comparison) alsoUnset(s Subject, found Found, live, deployed map[string]any) map[string]bool {
	unset := map[string]bool{}
	if s.Type != "AWS::EC2::SecurityGroup" {
		return unset
	}
	const name = "SecurityGroupIngress"
	if rules, _ := found.Properties[name].([]any); deployed[name] == nil && len(rules) > 0 {
		live[name], deployed[name], unset[name] = rules, []any{}, true
	}
	return unset
}

func difference(s Subject, live, deployed map[string]any) []cfn.Difference {
	one := func(p map[string]any) cfn.Template {
		return cfn.Template{Resources: map[string]cfn.Resource{s.Resource: {Type: s.Type, Properties: p}}}
	}
	return cfn.Diff(one(live), one(deployed))
}

// sort puts a difference into its bucket.
func (c *comparison) sort(f Finding, found Found) {
	if rule, reason := expectedRule(f, found); rule != "" {
		f.Rule, f.Reason = rule, reason
		c.expected = append(c.expected, f)
		return
	}
	c.hand = append(c.hand, f)
}

// owned lists what the autoscaler and the services set.
func (c *comparison) owned(s Subject, found Found) {
	for _, name := range sortedKeys(found.Owned) {
		if _, declared := s.Properties[name]; declared {
			continue // compared like everything else, and expectedRule decides
		}
		f := c.finding(s, "Properties."+name)
		f.Live = found.Owned[name]
		f.Rule, f.Reason = ownedRule(name)
		c.expected = append(c.expected, f)
	}
}

// detected adds what only CloudFormation's own detection found.
func (c *comparison) detected() {
	place := func(stack, resource, path string) string {
		return strings.Join([]string{stack, resource, topOf(path)}, "\x00")
	}
	known, seen := map[string]bool{}, map[string]bool{}
	for _, f := range slices.Concat(c.hand, c.expected) {
		known[place(f.Stack, f.Resource, f.Path)] = true
	}
	for _, d := range c.in.Live.Detected {
		if at := place(d.Stack, d.Resource, d.Path); known[at] {
			seen[at] = true
			continue
		}
		f := c.finding(Subject{Key: d.Key, Type: d.Type, ID: d.Physical}, d.Path)
		f.By, f.Live, f.Deployed = "cloudformation", d.Live, d.Deployed
		if d.Deleted {
			f.Kind = Deleted
		}
		c.sort(f, Found{})
	}
	for i, f := range c.hand { // what CloudFormation sees, it puts back
		if seen[place(f.Stack, f.Resource, f.Path)] {
			c.hand[i].Stays = ""
		}
	}
}

// parameters are the program's own, which no stack has: the plan's step says
// what they should be.
func (c *comparison) parameters() {
	for _, s := range c.in.Parameters {
		f := Finding{Resource: s.Target, Type: "AWS::SSM::Parameter", Physical: s.Target, Kind: Modified, Path: "Value", Source: s.Source, Fleet: c.in.ParameterFleets[s.Target]}
		if len(s.Changes) > 0 {
			f.Live, f.Deployed, f.Document, f.Sensitive = s.Changes[0].Before, s.Changes[0].After, s.Changes[0].Document, s.Changes[0].Sensitive
		}
		c.hand = append(c.hand, f)
	}
}

// newlyKnown lists properties that the specs set by now, by this version of
// the program, and that the deployed template does not.
func (c *comparison) newlyKnown() {
	subjects := map[Key]Subject{}
	for _, s := range c.in.Subjects {
		subjects[s.Key] = s
	}
	for _, name := range sortedKeys(c.stacks) {
		d := c.stacks[name]
		if !d.Changes {
			continue
		}
		for _, diff := range cfn.Diff(d.Template, d.Wanted) {
			if diff.Kind != cfn.Add || !strings.HasPrefix(diff.Path, "Properties.") {
				continue
			}
			s, ok := subjects[Key{name, diff.Resource}]
			if !ok {
				continue
			}
			f := c.finding(s, diff.Path)
			f.Deployed, f.Sensitive = diff.After, diff.Sensitive
			if found, read := c.in.Live.Found[s.Key]; read && diff.Path == "Properties."+topOf(diff.Path) {
				f.Live = found.Properties[topOf(diff.Path)]
			}
			f.Rule, f.Reason = "not-deployed-yet", "the deployed template does not set it; this version of the program, or the specs as they are now, do: the next apply sets it"
			c.fresh = append(c.fresh, f)
		}
	}
}

// topOf is "MaxSize" of "Properties.MaxSize.X".
func topOf(path string) string {
	path = strings.TrimPrefix(path, "Properties.")
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// Edits are what a plan that reverts puts back, by stack, and the names of the
// parameters in no stack; left are the findings that it cannot put back.
func Edits(hand []Finding) (edits map[string][]plan.Change, parameters map[string]bool, left []Finding) {
	edits, parameters = map[string][]plan.Change{}, map[string]bool{}
	for _, f := range hand {
		switch {
		case f.Stack == "":
			parameters[f.Resource] = true
		case f.Stays != "":
			left = append(left, f)
		default:
			edits[f.Stack] = append(edits[f.Stack], f.change())
		}
	}
	return edits, parameters, left
}

func (f Finding) change() plan.Change {
	ch := plan.Change{
		Stack: f.Stack, Resource: f.Resource, Type: f.Type, Physical: f.Physical, Action: plan.ActionUpdate, Path: f.Path,
		Before: f.Live, After: f.Deployed, Document: f.Document, Sensitive: f.Sensitive, Replace: f.Replace, Source: f.Source,
	}
	if f.Kind == Deleted {
		ch.Action = plan.ActionCreate
	} else if ch.Replace == plan.ReplaceYes {
		ch.Action = plan.ActionReplace
	}
	return ch
}

// Name is how people call the place of a finding: "bp-network/Vpc MaxSize".
func (f Finding) Name() string {
	name := f.Resource
	if f.Stack != "" {
		name = f.Stack + "/" + f.Resource
	}
	if f.Path == "" || f.Stack == "" {
		return name
	}
	return fmt.Sprintf("%s %s", name, strings.TrimPrefix(f.Path, "Properties."))
}
