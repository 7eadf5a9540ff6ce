package stacks

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// Limits of CloudFormation (facts: aws-limits 4.1), and ours below them.
const (
	maxResources   = 500
	maxOutputs     = 200
	maxParameters  = 200
	maxTags        = 50
	maxStackName   = 128
	maxLogicalID   = 255
	maxDescription = 1024
	// maxBody leaves room for what a seal and the resolved references add to a
	// body of 1 MB, the most that CloudFormation reads from a bucket; maxInline
	// does for the 51,200 bytes of a request, which has to do for the stack that
	// makes the bucket.
	maxBody   = 1_000_000
	maxInline = 48_000
	// sealOutputs are the outputs that a deployed template gets on top.
	sealOutputs = 2
)

// Problem is something in a rendered stack that AWS would refuse.
type Problem struct {
	Source   spec.Source // the spec line that decides it
	Stack    string
	Resource string // logical id; empty for the stack itself
	Path     string // of the property, "BucketName"; empty for the resource itself
	Message  string
}

// String is "stack/Resource.Path: message".
func (p Problem) String() string {
	s := p.Stack
	if p.Resource != "" {
		s += "/" + p.Resource
	}
	if p.Path != "" {
		s += "." + p.Path
	}
	return s + ": " + p.Message
}

// Check holds every rendered resource against AWS's resource schemas and every
// stack against CloudFormation's limits, and every desired_config against its
// contract with the backend, and returns all problems, sorted by
// place. It is the last pass of validation.
func Check(d plan.Desired) []Problem {
	outputs := make(map[string]map[string]cfn.Output, len(d.Stacks))
	for _, s := range d.Stacks {
		outputs[s.Name] = s.Template.Outputs
	}
	found := make([][]Problem, len(d.Stacks))
	each(len(d.Stacks), func(i int) {
		c := checker{stack: d.Stacks[i], owner: d.Target.Platform, own: d.Own.Stack, revision: d.Target.Revision, outputs: outputs}
		c.check()
		found[i] = c.problems
	})
	problems := append(slices.Concat(found...), parameters(d)...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Source.File, b.Source.File), cmp.Compare(a.Source.Line, b.Source.Line),
			cmp.Compare(a.Source.Column, b.Source.Column), cmp.Compare(a.String(), b.String()))
	})
	return problems
}

// each calls do for 0 to n-1, on every processor: a platform of a thousand
// fleets has fifteen thousand resources.
func each(n int, do func(int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

type checker struct {
	stack    plan.Stack
	owner    string
	own      string // the stack of this program's own bucket
	revision string
	outputs  map[string]map[string]cfn.Output // of every stack
	problems []Problem
}

func (c *checker) check() {
	c.limits()
	c.references()
	for _, id := range c.stack.Template.LogicalIDs() {
		c.resource(id, c.stack.Template.Resources[id])
	}
}

func (c *checker) add(resource, path, format string, args ...any) {
	at := path
	if at != "" {
		at = "Properties." + at
	}
	c.problems = append(c.problems, Problem{
		Source: c.stack.SourceOf(resource, at), Stack: c.stack.Name, Resource: resource, Path: path,
		Message: fmt.Sprintf(format, args...),
	})
}

var (
	stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	logicalID = regexp.MustCompile(`^[a-zA-Z0-9]+$`)
)

func (c *checker) limits() {
	s, t := c.stack, c.stack.Template
	over := func(what string, have, most int) {
		if have > most {
			c.add("", "", "%d %s, CloudFormation allows %d", have, what, most)
		}
	}
	if !stackName.MatchString(s.Name) {
		c.add("", "", "a stack name has letters, digits and hyphens, and starts with a letter")
	}
	over("characters in the name", len(s.Name), maxStackName)
	over("resources", len(t.Resources), maxResources)
	over("outputs with our own", len(t.Outputs)+sealOutputs, maxOutputs)
	over("parameters", len(t.Parameters), maxParameters)
	over("tags", len(s.Tags), maxTags)

	sealed := cfn.Seal(t, c.owner, cfn.Digest(strings.Repeat("0", 64)), c.revision)
	over("bytes of description with our marker", len(sealed.Description), maxDescription)
	if s.Name != c.own && cfn.SurelyWithin(sealed, maxBody) {
		// Most are far below: nobody needs the exact number.
	} else if size, err := cfn.Size(sealed); err != nil {
		c.add("", "", "%v", err)
	} else if size > maxBody {
		c.add("", "", "the template has %d bytes, more than the %d that CloudFormation takes", size, maxBody)
	} else if s.Name == c.own && size > maxInline {
		c.add("", "", "the template has %d bytes, more than the %d that are sent without a bucket", size, maxInline)
	}
	for _, id := range t.LogicalIDs() {
		if !logicalID.MatchString(id) || len(id) > maxLogicalID {
			c.add(id, "", "a logical id has up to %d letters and digits", maxLogicalID)
		}
	}
	for _, name := range []string{cfn.DigestOutput, cfn.RevisionOutput} {
		if _, taken := t.Outputs[name]; taken {
			c.add("", "", "the output %s is ours: a template must not have it", name)
		}
	}
}

// references must lead to an output that exists, and never back.
func (c *checker) references() {
	refs := cfn.Refs(c.stack.Template)
	for _, name := range sortedKeys(c.stack.Parameters) {
		refs = append(refs, cfn.Refs(c.stack.Parameters[name])...)
	}
	for _, r := range refs {
		if r.Stack == "" {
			continue
		}
		outputs, ok := c.outputs[r.Stack]
		if !ok {
			c.add("", "", "reads %s, but there is no stack %s", r, r.Stack)
		} else if _, ok := outputs[r.Output]; !ok {
			c.add("", "", "reads %s, but stack %s has no output %s", r, r.Stack, r.Output)
		}
	}
	for _, name := range c.stack.DependsOn {
		if _, ok := c.outputs[name]; !ok {
			c.add("", "", "depends on %s, which is no stack of these specs", name)
		}
	}
}

func (c *checker) resource(id string, r cfn.Resource) {
	for _, p := range awstype.Validate(r.Type, r.Properties) {
		c.add(id, p.Path, "%s", p.Message)
	}
}

// parameters have 4 KB in SSM's standard tier, and names of up to 15 levels.
func parameters(d plan.Desired) []Problem {
	const maxValue, maxName, maxLevels = 4096, 1011, 15
	var problems []Problem
	contract, err := spec.OpenContract("desired-config")
	if err != nil {
		return []Problem{{Message: err.Error()}}
	}
	for _, p := range d.Parameters {
		add := func(format string, args ...any) {
			problems = append(problems, Problem{Source: p.Source, Stack: p.Name, Message: fmt.Sprintf(format, args...)})
		}
		if len(p.Name) > maxName || strings.Count(p.Name, "/") > maxLevels {
			add("a parameter name has up to %d characters in %d levels", maxName, maxLevels)
		}
		v, ok := p.Value.(string)
		if ok && len(v) > maxValue {
			add("%d bytes, a standard parameter holds %d", len(v), maxValue)
		}
		if ok && isDesiredConfig(p) {
			if err := contract.Check(p.Name, []byte(v)); err != nil {
				add("the value breaks its contract with the backend: %v", err)
			}
		}
	}
	return problems
}

func isDesiredConfig(p plan.Parameter) bool {
	return p.Contract && strings.HasSuffix(p.Name, "/desired_config")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
