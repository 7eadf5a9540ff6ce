package stackengine

import (
	"slices"
	"sort"
	"strings"
)

// program is a template with its parameters and conditions decided: what is
// left to evaluate are references to resources and imports.
type program struct {
	t          *template
	params     map[string]any // what Ref of a parameter gives
	masked     map[string]any // the same with NoEcho hidden; nil when nothing is hidden
	pseudo     map[string]any
	conditions map[string]verdict
	deciding   map[string]bool  // conditions that are being decided
	nodes      map[string]*node // resources whose condition holds
	order      []string         // logical ids, each after what it needs
	outputs    map[string]outputDef
	zones      func(region string) []string
}

// node is a resource of a program.
type node struct {
	resource
	props map[string]any // Properties with Fn::If decided
	needs []string       // logical ids, sorted
	open  bool           // whether it exists shows in the execution
}

// compile decides conditions, checks references and orders the resources.
func (e *Engine) compile(t *template, d *Deployment, stackName, stackID string) (*program, error) {
	p := &program{
		t:       t,
		params:  t.parameterValues(d, false),
		pseudo:  e.pseudo(d, stackName, stackID),
		nodes:   map[string]*node{},
		outputs: map[string]outputDef{},
		zones:   e.zones,
	}
	if t.hasNoEcho() {
		p.masked = t.parameterValues(d, true)
	}
	for _, name := range t.Transforms {
		if name != languageExtensions {
			return nil, invalid("No transform named %s found.", name)
		}
	}
	if t.deferred {
		var err error
		if p.t, err = p.unroll(); err != nil {
			return nil, err
		}
	}
	if err := p.decideConditions(); err != nil {
		return nil, err
	}
	if err := p.checkRules(); err != nil {
		return nil, err
	}
	if err := p.collect(); err != nil {
		return nil, err
	}
	return p, p.sort()
}

func (e *Engine) pseudo(d *Deployment, stackName, stackID string) map[string]any {
	notify := make([]any, len(d.Notify))
	for i, n := range d.Notify {
		notify[i] = n
	}
	suffix := "amazonaws.com"
	if strings.HasPrefix(e.State.Region, "cn-") {
		suffix = "amazonaws.com.cn"
	}
	return map[string]any{
		"AWS::AccountId":        e.State.Account,
		"AWS::Region":           e.State.Region,
		"AWS::Partition":        partition(e.State.Region),
		"AWS::URLSuffix":        suffix,
		"AWS::StackName":        stackName,
		"AWS::StackId":          stackID,
		"AWS::NotificationARNs": notify,
		"AWS::NoValue":          noValue{},
	}
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (e *Engine) zones(region string) []string {
	if region == "" {
		region = e.State.Region
	}
	if e.Zones != nil {
		return e.Zones(region)
	}
	return []string{region + "a", region + "b", region + "c"}
}

// collect prunes dead branches, keeps what its condition allows and checks
// that every reference has a target.
func (p *program) collect() error {
	for _, id := range keys(p.t.Resources) {
		r := p.t.Resources[id]
		open := false
		if r.Condition != "" {
			v, ok := p.conditions[r.Condition]
			if !ok {
				return invalid("Template format error: Unresolved condition dependency %s in the Resources block of the template", r.Condition)
			}
			if v == verdictNo {
				continue
			}
			open = v == verdictOpen
		}
		v, err := p.prune(r.Properties)
		if err != nil {
			return err
		}
		props, _ := v.(map[string]any)
		p.nodes[id] = &node{resource: r, props: props, open: open}
	}
	for _, id := range keys(p.nodes) {
		n := p.nodes[id]
		refs, err := p.references(n.props, "Resources")
		if err != nil {
			return err
		}
		for _, d := range n.DependsOn {
			if _, declared := p.t.Resources[d]; !declared {
				return invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", d)
			}
			if _, alive := p.nodes[d]; alive {
				refs = append(refs, reference{logical: d})
			}
		}
		for _, r := range refs {
			n.needs = append(n.needs, r.logical)
		}
		sort.Strings(n.needs)
		n.needs = slices.Compact(n.needs)
	}
	return p.collectOutputs()
}

func (p *program) collectOutputs() error {
	for _, key := range keys(p.t.Outputs) {
		o := p.t.Outputs[key]
		if o.Condition != "" {
			v, ok := p.conditions[o.Condition]
			if !ok {
				return invalid("Template format error: Unresolved condition dependency %s in the Outputs block of the template", o.Condition)
			}
			if v == verdictNo {
				continue
			}
		}
		var err error
		if o.Value, err = p.prune(o.Value); err != nil {
			return err
		}
		if o.Export != nil {
			if o.Export, err = p.prune(o.Export); err != nil {
				return err
			}
		}
		if _, err = p.references(o.Value, "Outputs"); err != nil {
			return err
		}
		p.outputs[key] = o
	}
	return nil
}

// sort orders the resources; ties by name.
func (p *program) sort() error {
	waiting := map[string]int{}
	users := map[string][]string{}
	for id, n := range p.nodes {
		waiting[id] = len(n.needs)
		for _, need := range n.needs {
			users[need] = append(users[need], id)
		}
	}
	var ready []string
	for _, id := range keys(p.nodes) {
		if waiting[id] == 0 {
			ready = append(ready, id)
		}
	}
	for len(ready) > 0 {
		id := ready[0]
		ready = ready[1:]
		p.order = append(p.order, id)
		var freed []string
		for _, user := range users[id] {
			if waiting[user]--; waiting[user] == 0 {
				freed = append(freed, user)
			}
		}
		sort.Strings(freed)
		ready = append(ready, freed...)
	}
	if len(p.order) == len(p.nodes) {
		return nil
	}
	var stuck []string
	for _, id := range keys(p.nodes) {
		if waiting[id] > 0 {
			stuck = append(stuck, id)
		}
	}
	return invalid("Circular dependency between resources: [%s]", strings.Join(stuck, ", "))
}

// reference is a Ref or Fn::GetAtt of a resource.
type reference struct {
	logical   string
	attribute string // empty for Ref
}

// references lists the resources and attributes that v refers to, in the order
// of v's keys. It fails for what is not declared or switched off.
func (p *program) references(v any, block string) ([]reference, error) {
	var out []reference
	err := walkReferences(v, func(r reference, isGetAtt bool) error {
		if _, ok := p.params[r.logical]; ok && !isGetAtt {
			return nil
		}
		if strings.HasPrefix(r.logical, "AWS::") && !isGetAtt {
			if _, ok := p.pseudo[r.logical]; ok {
				return nil
			}
		}
		n, ok := p.nodes[r.logical]
		if !ok && isGetAtt {
			return invalid("Template error: instance of Fn::GetAtt references undefined resource %s", r.logical)
		}
		if !ok {
			return invalid("Template format error: Unresolved resource dependencies [%s] in the %s block of the template", r.logical, block)
		}
		if isGetAtt && !hasAttribute(n.Type, r.attribute) {
			return invalid("Template error: resource %s does not support attribute type %s in Fn::GetAtt", r.logical, r.attribute)
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// walkReferences calls f for every Ref, Fn::GetAtt and ${} of v.
func walkReferences(v any, f func(r reference, isGetAtt bool) error) error {
	if name, arg, ok := function(v); ok {
		switch name {
		case "Ref":
			s, ok := arg.(string)
			if !ok {
				return invalid("Template error: every Ref object must have a single String value.")
			}
			return f(reference{logical: s}, false)
		case "Fn::GetAtt":
			logical, attribute, ok := getAttArgs(arg)
			if !ok {
				return invalid("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
			}
			return f(reference{logical, attribute}, true)
		case "Fn::Sub":
			return walkSub(arg, f)
		}
		return walkReferences(arg, f)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			if err := walkReferences(v[k], f); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := walkReferences(e, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func walkSub(arg any, f func(r reference, isGetAtt bool) error) error {
	body, vars, err := subArgs(arg)
	if err != nil {
		return err
	}
	if err := walkReferences(vars, f); err != nil {
		return err
	}
	for _, part := range splitSub(body) {
		if !part.variable {
			continue
		}
		if _, local := vars[part.text]; local {
			continue
		}
		logical, attribute, isGetAtt := strings.Cut(part.text, ".")
		if err := f(reference{logical, attribute}, isGetAtt); err != nil {
			return err
		}
	}
	return nil
}

func getAttArgs(arg any) (logical, attribute string, ok bool) {
	switch arg := arg.(type) {
	case string:
		logical, attribute, ok = strings.Cut(arg, ".")
		return logical, attribute, ok && logical != "" && attribute != ""
	case []any:
		if len(arg) != 2 {
			return "", "", false
		}
		logical, _ = arg[0].(string)
		attribute, ok = arg[1].(string)
		return logical, attribute, ok && logical != "" && attribute != ""
	}
	return "", "", false
}
