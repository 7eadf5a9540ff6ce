package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Limits that CloudFormation has for one template.
const (
	maxResources  = 500
	maxParameters = 200
	maxOutputs    = 200
)

// template is a user's CloudFormation template, as far as the rules need it.
type template struct {
	body       json.RawMessage
	parameters map[string]bool // whether each has a Default
	hidden     map[string]bool // those that are NoEcho
	outputs    []string
	iam        string // logical id of an IAM resource, if any
	namedIAM   string // logical id of one with a name of its own
	macros     bool
}

// loadTemplate reads and checks the template file of a stack; nil after
// reporting what is wrong.
func (l *loader) loadTemplate(s *Stack) *template {
	const path = "spec.template"
	at := s.At(path)
	name, problem := l.entry(at.File, s.Template)
	if problem != "" {
		l.issues.add(at, path, "template-path", problem)
		return nil
	}
	if !l.isEntry[name] {
		l.issues.suggest(at, path, "template-file", fmt.Sprintf("there is no file %s", l.shown(name)), didYouMean(s.Template, l.relatives(at.File)))
		return nil
	}
	before := len(l.issues)
	text, err := l.templateText(name)
	if err != nil {
		l.issues.add(at, path, "template-file", err.Error())
		return nil
	}
	if text == nil {
		return nil
	}
	root := l.parseTemplate(l.shown(name), text)
	if root == nil || len(l.issues) > before {
		return nil
	}
	t := l.checkTemplate(root)
	if len(l.issues) > before {
		return nil
	}
	if t.body, err = canonical(root.templateValue()); err != nil {
		l.issues.add(root.at, "", "template-body", err.Error())
		return nil
	}
	return t
}

// templateText reads a file once, however many stacks name it.
func (l *loader) templateText(name string) ([]byte, error) {
	if data, ok := l.read[name]; ok {
		text, issues := checkText(l.shown(name), data)
		if len(issues) > 0 {
			l.issues = append(l.issues, issues...)
			return nil, nil
		}
		return text, nil
	}
	return l.readFile(name)
}

// relatives are the folder's files as a spec file would write them.
func (l *loader) relatives(from string) []string {
	dir := l.inFolder(from)
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	var names []string
	for _, e := range l.entries {
		if rest, ok := strings.CutPrefix(e, dir); ok && !isCUEName(e) {
			names = append(names, rest)
			names = append(names, "./"+rest)
		}
	}
	return names
}

func (l *loader) parseTemplate(file string, text []byte) *node {
	if strings.HasSuffix(strings.ToLower(file), ".json") || looksLikeJSON(text) {
		root, issues := parseJSON(file, text)
		l.issues = append(l.issues, issues...)
		return root
	}
	docs, issues := parseYAML(file, text)
	l.issues = append(l.issues, issues...)
	switch {
	case len(issues) > 0:
		return nil
	case len(docs) != 1:
		l.issues.add(Source{File: file}, "", "template-body", fmt.Sprintf("holds %d YAML documents; a template is one", len(docs)))
		return nil
	}
	r := templateReader{yamlReader{file: file}}
	root := r.read(docs[0], "", 1)
	l.issues = append(l.issues, r.issues...)
	return root
}

func looksLikeJSON(text []byte) bool {
	return strings.HasPrefix(strings.TrimLeft(string(text[:min(len(text), 1000)]), " \t\r\n"), "{")
}

func templateSections() []string {
	return []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Transform", "Resources", "Outputs", "Globals"}
}

var logicalID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// checkTemplate judges the form of a template: its sections, counts, and that
// every resource has a type. What is in the resources is judged against AWS's
// schemas elsewhere.
func (l *loader) checkTemplate(root *node) *template {
	t := &template{parameters: map[string]bool{}, hidden: map[string]bool{}}
	if root.kind != nodeObject {
		l.issues.add(root.at, "", "template-body", "is no template: it is "+root.kind.String())
		return t
	}
	misspelt := false
	for i := range root.members {
		m := &root.members[i]
		if near := nearest(m.key, templateSections()); near != m.key {
			l.issues.suggest(m.at, m.key, "template-section", "is no section of a template", didYouMean(m.key, templateSections()))
			misspelt = misspelt || near == "Resources"
		}
	}
	for _, section := range []struct {
		name string
		most int
		each func(m *member)
	}{
		{"Resources", maxResources, func(m *member) { l.checkResource(t, m) }},
		{"Parameters", maxParameters, func(m *member) { l.checkParameter(t, m) }},
		{"Outputs", maxOutputs, func(m *member) { t.outputs = append(t.outputs, m.key) }},
	} {
		if section.name != "Resources" || !misspelt {
			l.checkSection(root, section.name, section.most, section.each)
		}
	}
	t.macros = root.get("Transform") != nil
	root.visit("", root.at, func(path string, key Source, n *node) {
		if n.kind == nodeNull {
			l.issues.add(n.at, path, "template-null", "is null, which CloudFormation refuses")
		}
		for i := range n.members {
			if n.members[i].key == "Reconcile::Ref" {
				l.issues.suggest(n.members[i].at, joinPath(path, n.members[i].key), "template-reference", "is for the platform's own templates", "declare a parameter, and give it {stack, output} under spec.parameters")
			}
		}
	})
	return t
}

func (l *loader) checkSection(root *node, name string, most int, each func(*member)) {
	s := root.get(name)
	switch {
	case s == nil && name == "Resources":
		l.issues.add(root.at, name, "template-body", "is missing: a template has at least one resource")
		return
	case s == nil:
		return
	case s.kind != nodeObject:
		l.issues.add(s.at, name, "template-body", "is "+s.kind.String()+"; it must be an object")
		return
	case len(s.members) == 0 && name == "Resources":
		l.issues.add(s.at, name, "template-body", "is empty: a template has at least one resource")
	case len(s.members) > most:
		l.issues.add(s.at, name, "template-limit", fmt.Sprintf("has %d entries; CloudFormation takes at most %d", len(s.members), most))
		return
	}
	for i := range s.members {
		m := &s.members[i]
		if (len(m.key) > 255 || !logicalID.MatchString(m.key)) && !strings.HasPrefix(m.key, "Fn::") {
			l.issues.add(m.at, name+"."+m.key, "template-name", "is no logical id: letters and digits only")
			continue
		}
		each(m)
	}
}

// checkParameter remembers a parameter, and refuses a secret that is written
// down as its default.
func (l *loader) checkParameter(t *template, m *member) {
	t.parameters[m.key] = m.value.get("Default") != nil
	t.hidden[m.key] = strings.EqualFold(m.value.scalar("NoEcho"), "true")
	if v := m.value.scalar("Default"); t.hidden[m.key] && v != "" && !strings.HasPrefix(v, "{{resolve:") {
		l.issues.suggest(m.value.get("Default").at, "Parameters."+m.key+".Default", RuleSecret,
			"is the value of a NoEcho parameter, which would stand in git and in every plan", secretHint)
	}
}

// RuleSecret is the rule of an issue whose line holds a secret: the line is not
// to be shown.
const RuleSecret = "stack-secret"

const secretHint = "keep it in Secrets Manager, and write {{resolve:secretsmanager:NAME}} where the template needs it"

func (l *loader) checkResource(t *template, m *member) {
	path := "Resources." + m.key
	if strings.HasPrefix(m.key, "Fn::") {
		return // Fn::ForEach, expanded by a transform
	}
	if m.value.kind != nodeObject {
		l.issues.add(m.at, path, "template-resource", "is "+m.value.kind.String()+"; a resource is an object with Type and Properties")
		return
	}
	typ := m.value.get("Type")
	if typ == nil || typ.kind != nodeText || typ.text == "" {
		l.issues.suggest(m.at, path+".Type", "template-resource", "is missing: every resource has one", "for example Type: AWS::SQS::Queue")
		return
	}
	if strings.HasPrefix(typ.text, "AWS::IAM::") && t.iam == "" {
		t.iam = m.key
	}
	names := map[string]string{"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName",
		"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName"}
	if property := names[typ.text]; property != "" && m.value.get("Properties").get(property) != nil && t.namedIAM == "" {
		t.namedIAM = m.key
	}
}
