package plan

import (
	"sort"
	"strings"

	"reconcile/pkg/cfn"
)

// ReadSet says what to read of AWS. Lists are sorted, each name once.
type ReadSet struct {
	// StackOutputs are stacks to describe: outputs, tags, parameters, protection.
	StackOutputs []string
	// Stacks are stacks to describe and whose template and resources are needed too.
	Stacks          []string
	Parameters      []string // by name, without decryption
	Secrets         []string // DescribeSecret only
	LogGroups       []string
	Groups          []string // Auto Scaling groups
	LaunchTemplates []string // by name
	AMIs            []string // by id
	Images          []Image
	Manifests       []Object // of bundles
	Assets          []Object // in the models bucket
	Copied          []Object // what bundles copy from; perhaps somebody else's
	Certificate     string   // ARN, or empty
	// Named are names that resources to be created would get, of types in
	// NamedTypes: is there something that has them already?
	Named []NamedResource
	// Remains are ARNs of deleted stacks whose resources are wanted, as far as AWS
	// still tells of them.
	Remains []string
	// ParameterPath is the path below which parameters are listed by name, to tell
	// of fleets that the specs do not know ("/bp/fleets/"); empty: not wanted.
	// Their values are not needed.
	ParameterPath string
	// OwnedBy asks for every parameter that carries the tag reconcile:owner with
	// this value, with LiveParameter.Owner filled in; empty: not wanted.
	OwnedBy string
}

// Empty tells whether there is nothing to read.
func (r ReadSet) Empty() bool {
	return len(r.StackOutputs)+len(r.Stacks)+len(r.Parameters)+len(r.Secrets)+len(r.LogGroups)+len(r.Groups)+
		len(r.LaunchTemplates)+len(r.AMIs)+len(r.Images)+len(r.Manifests)+len(r.Assets)+len(r.Copied)+len(r.Named)+len(r.Remains) == 0 && r.Certificate+r.ParameterPath+r.OwnedBy == ""
}

// Reads says what to read at first, beside the index of all stacks: all that
// follows from the specs alone. Afterwards ask More.
func Reads(d Desired, sel Selection) (ReadSet, error) {
	g, err := newGraph(&d)
	if err != nil {
		return ReadSet{}, err
	}
	wanted, err := g.selected(&d, sel)
	if err != nil {
		return ReadSet{}, err
	}
	all := g.closure(wanted)
	c := newCollector()
	for i := range d.Stacks {
		s := &d.Stacks[i]
		if id := ID(KindStack, s.Name); all[id] {
			c.stack(s)
			c.refs(g.nodes[id].refs)
		}
	}
	for _, f := range d.Fleets {
		if all[ID(KindStack, f.Stack)] {
			c.fleet(f)
		}
	}
	for _, i := range d.Images {
		if all[ID(KindStack, i.Stack)] {
			c.images[i] = true
		}
	}
	for _, p := range d.Parameters {
		if id := ID(KindParameter, p.Name); all[id] {
			c.parameters[p.Name] = true
			c.refs(g.nodes[id].refs)
		}
	}
	for _, b := range d.Bundles {
		if all[ID(KindBundle, b.Name)] {
			c.manifests[b.Object()] = true
		}
	}
	for _, s := range d.Secrets {
		if all[ID(KindSecret, s.Name)] {
			c.secrets[s.Name] = true
		}
	}
	for _, l := range d.LogGroups {
		if all[ID(KindLogGroup, l.Name)] {
			c.logGroups[l.Name] = true
		}
	}
	r := c.set()
	if d.Certificate != nil && all[ID(KindStack, d.Certificate.Stack)] {
		r.Certificate = d.Certificate.ARN
	}
	c.parameters[RevisionParameter(d.Target.Platform)] = true
	r.Parameters = sortedKeys(c.parameters)
	if sel.All() {
		r.ParameterPath = fleetPath(d.Target)
	}
	return r, nil
}

// Referenced lists the stacks that Reads wants described: those whose outputs
// others need, and those that should be protected from termination.
func Referenced(d Desired, sel Selection) ([]string, error) {
	r, err := Reads(d, sel)
	return r.StackOutputs, err
}

// fleetPath is the folder of the fleets' contract parameters.
func fleetPath(t Target) string { return "/" + t.Platform + "/fleets/" }

// collector gathers names once each.
type collector struct {
	outputs, templates, parameters, secrets, logGroups, groups, launchTemplates, amis, remains map[string]bool
	images                                                                                     map[Image]bool
	manifests, assets, copied                                                                  map[Object]bool
	named                                                                                      map[NamedResource]bool
}

func newCollector() *collector {
	return &collector{
		outputs: map[string]bool{}, templates: map[string]bool{}, parameters: map[string]bool{}, secrets: map[string]bool{},
		logGroups: map[string]bool{}, groups: map[string]bool{}, launchTemplates: map[string]bool{}, amis: map[string]bool{}, remains: map[string]bool{},
		images: map[Image]bool{}, manifests: map[Object]bool{}, assets: map[Object]bool{}, copied: map[Object]bool{}, named: map[NamedResource]bool{},
	}
}

func (c *collector) stack(s *Stack) {
	if s.Protect {
		c.outputs[s.Name] = true
	}
	for _, r := range s.Template.Resources {
		if name, ok := groupName(r); ok {
			c.groups[name] = true
		}
		if name, ok := r.Properties["LaunchTemplateName"].(string); ok && r.Type == typeLaunchTemplate {
			c.launchTemplates[name] = true
		}
	}
}

func (c *collector) fleet(f Fleet) {
	if f.Group != "" {
		c.groups[f.Group] = true
	}
	if f.AMIParameter != "" {
		c.parameters[f.AMIParameter] = true
	}
}

func (c *collector) refs(refs []cfn.Ref) {
	for _, r := range refs {
		if r.Stack != "" {
			c.outputs[r.Stack] = true
		} else {
			c.parameters[r.Parameter] = true
		}
	}
}

func (c *collector) set() ReadSet {
	r := ReadSet{
		StackOutputs: sortedKeys(c.outputs), Stacks: sortedKeys(c.templates), Parameters: sortedKeys(c.parameters), Secrets: sortedKeys(c.secrets),
		LogGroups: sortedKeys(c.logGroups), Groups: sortedKeys(c.groups), LaunchTemplates: sortedKeys(c.launchTemplates), AMIs: nilIfNone(sortedKeys(c.amis)),
	}
	for i := range c.images {
		r.Images = append(r.Images, i)
	}
	sort.Slice(r.Images, func(a, b int) bool {
		return imageKey(r.Images[a])+" "+r.Images[a].Stack < imageKey(r.Images[b])+" "+r.Images[b].Stack
	})
	r.Manifests, r.Assets, r.Copied = sortedObjects(c.manifests), sortedObjects(c.assets), sortedObjects(c.copied)
	for n := range c.named {
		r.Named = append(r.Named, n)
	}
	sort.Slice(r.Named, func(a, b int) bool { return r.Named[a].Key() < r.Named[b].Key() })
	r.Remains = nilIfNone(sortedKeys(c.remains))
	return r
}

func nilIfNone(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return names
}

// imageKey is the key of Live.Images.
func imageKey(i Image) string { return i.Repository + ":" + i.Tag }

func sortedObjects(set map[Object]bool) []Object {
	var out []Object
	for o := range set {
		out = append(out, o)
	}
	sort.Slice(out, func(a, b int) bool { return objectKey(out[a]) < objectKey(out[b]) })
	return out
}

// objectKey is the key of Live.Bundles and Live.Assets.
func objectKey(o Object) string { return o.Bucket + "/" + o.Key }

const (
	typeGroup          = "AWS::AutoScaling::AutoScalingGroup"
	typeLaunchTemplate = "AWS::EC2::LaunchTemplate"
)

// groupName is the explicit name of an Auto Scaling group resource.
func groupName(r cfn.Resource) (string, bool) {
	if r.Type != typeGroup {
		return "", false
	}
	name, ok := r.Properties["AutoScalingGroupName"].(string)
	return name, ok && !strings.Contains(name, "${")
}
