// Package permission says what IAM has to allow: to each command, for the calls
// that it makes of AWS (calls.go), and to CloudFormation, for the resources that
// it makes for us (resources.go). It holds tables and nothing that acts, and it
// must not allow what nobody calls: a test holds the table against the calls in
// pkg/cloud, another one against what each command calls on the sandbox.
// Start with calls.go.
package permission

import (
	"maps"
	"slices"
	"strings"
)

// Command is a command of the program, as it is typed.
type Command string

// The commands that call AWS.
const (
	Plan      Command = "plan"
	Comment   Command = "comment"
	Status    Command = "status"
	Apply     Command = "apply"
	Destroy   Command = "destroy"
	Bootstrap Command = "bootstrap"
	History   Command = "history"
	Unlock    Command = "unlock"
	Drift     Command = "drift"
	Rollout   Command = "rollout"
	// EmptyBucket is a destroy that names a bucket with --resource. No role of a
	// workflow has it.
	EmptyBucket Command = "destroy --resource"
	// Dev makes and removes dev instances. No role of a workflow has it.
	Dev    Command = "dev"
	Bundle Command = "bundle" // a person's: no workflow runs it
	// What makes images is run by a person, or by a role of somebody's own that
	// Packer's rights belong to as well; no role of ours has it.
	AMIList  Command = "ami list"
	AMIBuild Command = "ami build"
	AMIBake  Command = "ami bake"
	AMIUse   Command = "ami use"
)

// Call is one operation of AWS's API by the names that the SDK has for service
// and operation, what IAM must allow for it, and which commands make it.
type Call struct {
	Service   string // "CloudFormation"
	Operation string // "ListStacks"
	Actions   []string
	// Resources are ARNs with places in braces, see Place.
	Resources []string
	// Conditions are by operator and key, as in a policy, with places in braces.
	Conditions map[string]map[string]string
	Commands   []Command
}

// Role is what a workflow assumes.
type Role string

// The roles of workflows (facts: security 3.3).
const (
	RolePlan  Role = "plan"
	RoleApply Role = "apply"
	RoleDrift Role = "drift"
)

// Commands are what the workflows of a role run.
func (r Role) Commands() []Command {
	switch r {
	case RolePlan:
		return []Command{Plan, Comment}
	case RoleApply:
		return []Command{Apply, Destroy, Plan, Status, History, Unlock, Rollout}
	case RoleDrift:
		return []Command{Drift, Plan, Status}
	}
	return nil
}

// Place is what the names in braces stand for: {partition}, {region},
// {account}, {platform}, {bucket}, {exec}; and {stack} for each pattern of
// names of stacks that the program keeps, its own stack not among them.
type Place struct {
	Partition, Region, Account, Platform string
	Bucket                               string // the program's own
	Exec                                 string // ARN of CloudFormation's role
	Stacks                               []string
}

// Statement is one "Allow" of a policy; lists are sorted.
type Statement struct {
	Actions    []string
	Resources  []string
	Conditions map[string]map[string]string
}

// Of is what a role must be allowed, calls with the same resources and
// conditions in one statement.
func Of(role Role, place Place) []Statement {
	var wanted []grant
	for _, c := range Calls() {
		if slices.ContainsFunc(role.Commands(), func(cmd Command) bool { return slices.Contains(c.Commands, cmd) }) {
			wanted = append(wanted, grant{c.Actions, c.Resources, c.Conditions})
		}
	}
	return merge(wanted, place)
}

// grant is a row of a table on its way to a statement.
type grant struct {
	actions, resources []string
	conditions         map[string]map[string]string
}

func merge(rows []grant, place Place) []Statement {
	byKey := map[string]*Statement{}
	for _, row := range rows {
		if len(row.actions) == 0 {
			continue
		}
		s := Statement{Resources: place.expand(row.resources...)}
		key := strings.Join(s.Resources, " ")
		for _, operator := range slices.Sorted(maps.Keys(row.conditions)) {
			for _, name := range slices.Sorted(maps.Keys(row.conditions[operator])) {
				value := place.fill(row.conditions[operator][name])
				key += " " + operator + " " + name + " " + value
				s.condition(operator, name, value)
			}
		}
		if byKey[key] == nil {
			byKey[key] = &s
		}
		byKey[key].Actions = append(byKey[key].Actions, row.actions...)
	}
	out := make([]Statement, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		s := *byKey[key]
		s.Actions = covered(s.Actions)
		out = append(out, s)
	}
	return out
}

func (s *Statement) condition(operator, key, value string) {
	if s.Conditions == nil {
		s.Conditions = map[string]map[string]string{}
	}
	if s.Conditions[operator] == nil {
		s.Conditions[operator] = map[string]string{}
	}
	s.Conditions[operator][key] = value
}

// covered sorts actions and leaves out those that another one includes.
func covered(actions []string) []string {
	slices.Sort(actions)
	actions = slices.Compact(actions)
	all := slices.Clone(actions)
	return slices.DeleteFunc(actions, func(a string) bool {
		return slices.ContainsFunc(all, func(b string) bool { return a != b && Matches(b, a) })
	})
}

func (p Place) fill(text string) string {
	return strings.NewReplacer("{partition}", p.Partition, "{region}", p.Region, "{account}", p.Account,
		"{platform}", p.Platform, "{bucket}", p.Bucket, "{exec}", p.Exec).Replace(text)
}

func (p Place) expand(resources ...string) []string {
	var out []string
	for _, r := range resources {
		r = p.fill(r)
		if !strings.Contains(r, "{stack}") {
			out = append(out, r)
			continue
		}
		for _, stack := range p.Stacks {
			out = append(out, strings.ReplaceAll(r, "{stack}", stack))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Matches tells whether a pattern of IAM, in which * stands for any text,
// matches an action or an ARN. IAM ignores the case of actions; we write them as
// AWS does.
func Matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

// Allows tells whether any of the statements allows an action, on whatever.
func Allows(statements []Statement, action string) bool {
	return slices.ContainsFunc(statements, func(s Statement) bool {
		return slices.ContainsFunc(s.Actions, func(a string) bool { return Matches(a, action) })
	})
}
