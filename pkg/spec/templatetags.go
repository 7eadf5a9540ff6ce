package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// templateReader reads the YAML of a CloudFormation template: as yamlReader,
// and it writes the short tags (!Ref) out as the objects that they stand for.
type templateReader struct{ yamlReader }

// shortTags are the functions that have a short form.
func shortTags() []string {
	return []string{"!Ref", "!Condition", "!GetAtt", "!Sub", "!Join", "!Select", "!Split", "!FindInMap", "!Base64", "!Cidr", "!GetAZs",
		"!ImportValue", "!If", "!Equals", "!And", "!Or", "!Not", "!Transform", "!Length", "!ToJsonString", "!GetStackOutput"}
}

func (r *templateReader) read(n *yaml.Node, path string, depth int) *node {
	at := r.place(n)
	tag := n.Tag
	if n.Style&yaml.TaggedStyle == 0 || strings.HasPrefix(tag, "!!") || depth > maxDepth {
		return r.plain(n, path, depth)
	}
	inner := *n
	inner.Tag = ""
	inner.Style &^= yaml.TaggedStyle
	for _, known := range shortTags() {
		if tag != known {
			continue
		}
		key := "Fn::" + tag[1:]
		if tag == "!Ref" || tag == "!Condition" {
			key = tag[1:]
		}
		value := r.plain(&inner, path, depth+1)
		if tag == "!GetAtt" && value.kind != nodeList {
			value = splitGetAtt(value)
		}
		return &node{kind: nodeObject, at: at, members: []member{{key: key, at: at, value: value}}}
	}
	r.issues.suggest(at, path, "template-tag", quote(tag)+" is no tag of CloudFormation", didYouMean(tag, shortTags()))
	return &node{at: at, kind: nodeText}
}

// splitGetAtt writes "Resource.Attribute" as a list, as the long form has it.
func splitGetAtt(n *node) *node {
	resource, attribute, ok := strings.Cut(n.text, ".")
	if n.kind != nodeText || !ok {
		return n
	}
	return &node{kind: nodeList, at: n.at, items: []*node{{kind: nodeText, text: resource, at: n.at}, {kind: nodeText, text: attribute, at: n.at}}}
}

// plain reads a node without a short tag; what is below may have some.
func (r *templateReader) plain(n *yaml.Node, path string, depth int) *node {
	switch {
	case depth > maxDepth || n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode:
		return r.yamlReader.read(n, path, depth)
	case n.Kind == yaml.SequenceNode:
		out := &node{at: r.place(n), kind: nodeList}
		for i, item := range n.Content {
			out.items = append(out.items, r.read(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
		return out
	}
	// The keys are judged as any other mapping's, with empty values; then the
	// values are read with their tags.
	keys := *n
	keys.Content = nil
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys.Content = append(keys.Content, n.Content[i], &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle})
		if values[n.Content[i].Value] == nil {
			values[n.Content[i].Value] = n.Content[i+1]
		}
	}
	out := r.yamlReader.read(&keys, path, depth)
	for i := range out.members {
		m := &out.members[i]
		m.value = r.read(values[m.key], joinPath(path, m.key), depth+1)
	}
	return out
}

// jsonNumber is a number that JSON can hold as it is written: no leading
// zeros, so that an account id in a template stays what it is.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// templateValue is a template's value as JSON data. Unquoted scalars keep
// their source text where JSON has no such number: dates, versions, ids.
func (n *node) templateValue() any {
	switch n.kind {
	case nodeObject:
		out := make(map[string]any, len(n.members))
		for i := range n.members {
			out[n.members[i].key] = n.members[i].value.templateValue()
		}
		return out
	case nodeList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.templateValue()
		}
		return out
	case nodeBool:
		return n.text == "true"
	case nodeInt, nodeFloat:
		return json.Number(n.text)
	case nodeNull:
		return nil
	}
	if n.plain && jsonNumber.MatchString(n.text) {
		return json.Number(n.text)
	}
	return n.text
}
