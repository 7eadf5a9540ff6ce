package spec

import (
	"fmt"
	"path"
	"sort"

	"go.yaml.in/yaml/v3"
)

// yamlFile is a YAML file whose documents are still the library's nodes.
type yamlFile struct {
	name string // in the folder
	docs []*yaml.Node
}

// syntax is pass 1: every spec file read and parsed into documents. The
// second result is fleet-templates.json, nil without one.
func (l *loader) syntax() ([]*document, *node, error) {
	files, err := l.specFiles()
	if err != nil {
		return nil, nil, err
	}
	var yamls []yamlFile
	var cues []cueFile
	var templates *node
	for _, name := range files {
		if err := l.ctx.Err(); err != nil {
			return nil, nil, err
		}
		text, err := l.readFile(name)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case text == nil:
		case name == fleetTemplates:
			var issues Issues
			templates, issues = parseJSON(l.shown(name), text)
			l.issues = append(l.issues, issues...)
		case isCUEName(name):
			cues = append(cues, cueFile{Folder: path.Dir(name), Name: l.shown(name), Text: string(text)})
		default:
			docs, issues := parseYAML(l.shown(name), text)
			l.issues = append(l.issues, issues...)
			yamls = append(yamls, yamlFile{name, docs})
		}
	}
	docs, issues, err := evaluateCUE(l.ctx, cues)
	if err != nil {
		return nil, nil, err
	}
	l.issues = append(l.issues, issues...)
	docs = append(docs, l.yamlDocuments(yamls, l.stackTemplates(yamls, docs))...)
	sort.SliceStable(docs, func(a, b int) bool {
		x, y := docs[a].root.at, docs[b].root.at
		if x.File != y.File {
			return x.File < y.File
		}
		if x.Line != y.Line {
			return x.Line < y.Line
		}
		return x.Column < y.Column
	})
	if len(docs) > maxDocuments {
		return nil, nil, fmt.Errorf("specs folder %s holds %d documents; at most %d are read", l.name, len(docs), maxDocuments)
	}
	return docs, templates, nil
}

// stackTemplates are the files that Stack documents name as their templates:
// they are no documents, whatever their ending.
func (l *loader) stackTemplates(yamls []yamlFile, cueDocs []*document) map[string]bool {
	named := map[string]bool{}
	note := func(from, written string) {
		if name, problem := l.entry(from, written); problem == "" {
			named[name] = true
		}
	}
	for _, d := range cueDocs {
		if d.kind == KindStack {
			note(d.at("spec.template").File, d.root.scalar("spec", "template"))
		}
	}
	for _, f := range yamls {
		for _, n := range f.docs {
			if scalarAt(n, "kind") == string(KindStack) {
				note(l.shown(f.name), scalarAt(n, "spec", "template"))
			}
		}
	}
	return named
}

// scalarAt reads a scalar of the library's nodes without judging the rest.
func scalarAt(n *yaml.Node, keys ...string) string {
	for _, key := range keys {
		var next *yaml.Node
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
				break
			}
		}
		if next == nil {
			return ""
		}
		n = next
	}
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// yamlDocuments reads the documents of the files that are no templates.
func (l *loader) yamlDocuments(yamls []yamlFile, templates map[string]bool) []*document {
	var docs []*document
	for _, f := range yamls {
		if templates[f.name] {
			continue
		}
		for _, n := range f.docs {
			at := Source{File: l.shown(f.name), Line: n.Line, Column: n.Column}
			if n.Kind != yaml.MappingNode {
				l.issues.suggest(at, "", "not-a-document", "is no document: it is not an object with apiVersion and kind", moveAway)
				continue
			}
			if scalarAt(n, "apiVersion") == "" && scalarAt(n, "kind") == "" {
				l.issues.suggest(at, "", "not-a-document", foreign(n), moveAway)
				continue
			}
			r := yamlReader{file: at.File}
			root := r.read(n, "", 1)
			l.issues = append(l.issues, r.issues...)
			docs = append(docs, newDocument(root))
		}
	}
	return docs
}

const moveAway = "a file that is no spec belongs outside the folder, or in a folder whose name begins with _"

// foreign says what a YAML object without apiVersion and kind may be.
func foreign(n *yaml.Node) string {
	var keys []string
	for i := 0; i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if k == "Resources" || k == "AWSTemplateFormatVersion" {
			return "is a CloudFormation template that no Stack document names"
		}
		if near := nearest(k, []string{"apiVersion", "kind"}); near != "" {
			return fmt.Sprintf("is no document: it has neither apiVersion nor kind (it has %s)", quote(k))
		}
	}
	return "is no document: it has neither apiVersion nor kind"
}
