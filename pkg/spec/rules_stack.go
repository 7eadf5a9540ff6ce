package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// ruleStackNames refuses two stacks of one name: whichever deployed last would
// win, again and again.
func (l *loader) ruleStackNames(set *Set, p *Platform) {
	fleets := map[string]Source{}
	for i := range set.Fleets {
		f := &set.Fleets[i]
		fleets[FleetStack(p.Name, f.Stage, f.Name)] = f.Source
	}
	first := map[string]Source{}
	for i := range set.Stacks {
		s := &set.Stacks[i]
		at := s.At("metadata.name")
		refuse := func(format string, args ...any) {
			l.issues.suggest(at, "metadata.name", "stack-name", fmt.Sprintf("%s ", quote(s.Name))+fmt.Sprintf(format, args...), "choose another name")
		}
		switch {
		case slices.Contains(ReservedStacks(p.Name), s.Name):
			refuse("is the platform's own stack (%s)", lineOf(p.Source))
		case fleets[s.Name].Line > 0:
			refuse("is the stack of the fleet at %s", lineOf(fleets[s.Name]))
		case strings.HasPrefix(s.Name, p.Name+"-gpu-fleet-"):
			refuse("looks like a fleet's stack: those begin with %s-gpu-fleet-", p.Name)
		case first[s.Name].Line > 0:
			refuse("is declared already, at %s", lineOf(first[s.Name]))
		}
		if first[s.Name].Line == 0 {
			first[s.Name] = at
		}
	}
}

// stackRules are the rules of the users' own stacks: their template, what they
// refer to, and that no reference comes back to where it began.
func (l *loader) stackRules(set *Set) {
	known := ReservedStacks(set.Platform.Name)
	for i := range set.Fleets {
		known = append(known, FleetStack(set.Platform.Name, set.Fleets[i].Stage, set.Fleets[i].Name))
	}
	byName := map[string]*Stack{}
	for i := range set.Stacks {
		s := &set.Stacks[i]
		known = append(known, s.Name)
		if byName[s.Name] == nil {
			byName[s.Name] = s
		}
	}
	exists := map[string]bool{}
	for _, name := range known {
		exists[name] = true
	}
	templates := map[string]*template{}
	for i := range set.Stacks {
		s := &set.Stacks[i]
		t := l.loadTemplate(s)
		if t == nil {
			continue
		}
		s.Body = t.body
		templates[s.Name] = t
		l.checkParameters(s, t)
		l.checkCapabilities(s, t)
	}
	for i := range set.Stacks {
		l.checkReferences(&set.Stacks[i], known, exists, templates)
	}
	l.checkCycles(set, byName)
	l.checkTags(set)
}

// maxOwnTags leaves room for the tags that every stack of ours has; AWS takes
// 50 in all.
const maxOwnTags = 40

func (l *loader) checkTags(set *Set) {
	for i := range set.Stacks {
		s := &set.Stacks[i]
		if len(s.Tags) > maxOwnTags {
			l.issues.add(s.At("spec.tags"), "spec.tags", "stack-tags", fmt.Sprintf("has %d tags; AWS takes 50, and %d of them are kept for ours", len(s.Tags), 50-maxOwnTags))
		}
		for _, key := range sortedKeys(s.Tags) {
			if strings.HasPrefix(strings.ToLower(key), "aws:") {
				l.issues.add(s.At("spec.tags."+key), "spec.tags."+key, "stack-tags", "begins with aws:, which AWS keeps for itself")
			}
			if strings.HasPrefix(key, "reconcile:") {
				l.issues.add(s.At("spec.tags."+key), "spec.tags."+key, "stack-tags", "begins with reconcile:, which says whose a resource is")
			}
		}
	}
}

func (l *loader) checkParameters(s *Stack, t *template) {
	var meant []string // by misspelt names: one finding is enough
	for _, name := range sortedKeys(s.Parameters) {
		path := "spec.parameters." + name
		if _, ok := t.parameters[name]; !ok {
			meant = append(meant, nearest(name, sortedKeys(t.parameters)))
			l.issues.suggest(s.At(path), path, "stack-parameter", fmt.Sprintf("is no parameter of %s", s.Template), orList(didYouMean(name, sortedKeys(t.parameters)), "parameters", sortedKeys(t.parameters)))
		}
		switch v := s.Parameters[name]; {
		case v.Stack == s.Name:
			l.issues.add(s.At(path), path, "stack-cycle", "is an output of the stack itself")
		case t.hidden[name] && v.Stack == "" && v.Value != "":
			l.issues.suggest(s.At(path), path, RuleSecret,
				fmt.Sprintf("is the value of a NoEcho parameter of %s, which would stand in git and in every plan", s.Template), secretHint)
		}
	}
	for _, name := range sortedKeys(t.parameters) {
		if _, given := s.Parameters[name]; !given && !t.parameters[name] && !slices.Contains(meant, name) {
			l.issues.add(s.At("spec.parameters"), "spec.parameters."+name, "stack-parameter", fmt.Sprintf("is missing: %s declares it without a Default", s.Template))
		}
	}
}

func (l *loader) checkCapabilities(s *Stack, t *template) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s.Capabilities, n) })
	}
	at := s.At("spec.capabilities")
	switch {
	case t.namedIAM != "" && !has("CAPABILITY_NAMED_IAM"):
		l.issues.add(at, "spec.capabilities", "stack-capability", fmt.Sprintf("must hold CAPABILITY_NAMED_IAM: resource %s gives an IAM name", t.namedIAM))
	case t.iam != "" && !has("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"):
		l.issues.add(at, "spec.capabilities", "stack-capability", fmt.Sprintf("must hold CAPABILITY_IAM: resource %s is of IAM", t.iam))
	}
	if t.macros && !has("CAPABILITY_AUTO_EXPAND") {
		l.issues.add(at, "spec.capabilities", "stack-capability", "must hold CAPABILITY_AUTO_EXPAND: the template has a Transform")
	}
}

func (l *loader) checkReferences(s *Stack, known []string, exists map[string]bool, templates map[string]*template) {
	for i, name := range s.DependsOn {
		path := fmt.Sprintf("spec.dependsOn[%d]", i)
		if !exists[name] {
			l.issues.suggest(s.At(path), path, "stack-reference", fmt.Sprintf("there is no stack %s", quote(name)), orList(didYouMean(name, known), "stacks", known))
		}
	}
	for _, name := range sortedKeys(s.Parameters) {
		v := s.Parameters[name]
		if v.Stack == "" {
			continue
		}
		path := "spec.parameters." + name
		if !exists[v.Stack] {
			l.issues.suggest(s.At(path+".stack"), path+".stack", "stack-reference", fmt.Sprintf("there is no stack %s", quote(v.Stack)), orList(didYouMean(v.Stack, known), "stacks", known))
			continue
		}
		t := templates[v.Stack]
		if t != nil && !slices.Contains(t.outputs, v.Output) {
			l.issues.suggest(s.At(path+".output"), path+".output", "stack-output", fmt.Sprintf("stack %s has no output %s", v.Stack, quote(v.Output)), orList(didYouMean(v.Output, t.outputs), "outputs", t.outputs))
		}
	}
}

// edges are the stacks that a stack waits for, sorted.
func (s *Stack) edges() []string {
	names := slices.Clone(s.DependsOn)
	for _, key := range sortedKeys(s.Parameters) {
		if v := s.Parameters[key]; v.Stack != "" {
			names = append(names, v.Stack)
		}
	}
	sort.Strings(names)
	return slices.Compact(names)
}

// checkCycles reports each cycle once, at its first stack by name. Only users'
// stacks can form one: the platform's never wait for them.
func (l *loader) checkCycles(set *Set, byName map[string]*Stack) {
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	var trail []string
	var visit func(name string)
	visit = func(name string) {
		s := byName[name]
		if s == nil || state[name] == done {
			return
		}
		if state[name] == open {
			cycle := append(slices.Clone(trail[slices.Index(trail, name):]), name)
			l.issues.add(s.At("spec"), "spec", "stack-cycle", "waits for itself: "+strings.Join(cycle, " → "))
			return
		}
		state[name] = open
		trail = append(trail, name)
		for _, next := range s.edges() {
			if next != name || !s.reportsSelf() {
				visit(next)
			}
		}
		trail = trail[:len(trail)-1]
		state[name] = done
	}
	for i := range set.Stacks { // sorted by name
		visit(set.Stacks[i].Name)
	}
}

// reportsSelf tells whether checkParameters has reported the stack's reference
// to itself already.
func (s *Stack) reportsSelf() bool {
	for _, v := range s.Parameters {
		if v.Stack == s.Name {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// canonical is JSON with sorted keys and without HTML escapes.
func canonical(v any) (json.RawMessage, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n")), nil
}
