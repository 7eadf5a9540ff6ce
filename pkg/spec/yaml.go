package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML splits a file into its documents, as nodes of the YAML library.
// What it accepts is still to be checked by yamlReader.
func parseYAML(file string, data []byte) ([]*yaml.Node, Issues) {
	var issues Issues
	var docs []*yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			at, message := yamlError(file, data, err)
			issues.add(at, "", "yaml-syntax", message)
			return nil, issues
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
			continue
		}
		if c := n.Content[0]; c.Kind == yaml.ScalarNode && c.ShortTag() == "!!null" && c.Value == "" {
			continue // an empty document, "---" followed by nothing
		}
		docs = append(docs, n.Content[0])
	}
}

// yamlError finds the place in the library's message, which knows the line only.
func yamlError(file string, data []byte, err error) (Source, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	at := Source{File: file, Line: 1, Column: 1}
	if m := yamlErrorLine.FindStringSubmatch(message); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		message = strings.TrimPrefix(message, m[0])
		if yamlParserError.MatchString(message) {
			at.Line++ // the library counts from 0 in its parser, from 1 in its scanner
		}
	}
	lines := strings.Split(string(data), "\n")
	at.Line = min(max(at.Line, 1), len(lines))
	if line, column, ok := indentTab(data, at.Line+1); ok {
		return Source{File: file, Line: line, Column: column}, "a tab indents this line; YAML takes spaces only"
	}
	text := strings.TrimRight(lines[at.Line-1], "\r")
	at.Column = len(text) - len(strings.TrimLeft(text, " ")) + 1
	return at, "not YAML: " + message
}

// yamlReader turns the library's nodes into ours. It follows no alias, so that
// a small file stays small.
type yamlReader struct {
	file   string
	issues Issues
}

const maxDepth = 100

func (r *yamlReader) place(n *yaml.Node) Source {
	return Source{File: r.file, Line: n.Line, Column: n.Column}
}

func (r *yamlReader) read(n *yaml.Node, path string, depth int) *node {
	out := &node{at: r.place(n)}
	if depth > maxDepth {
		r.issues.add(out.at, "", "too-deep", fmt.Sprintf("nested more than %d deep", maxDepth))
		return out
	}
	if n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!str" {
		r.issues.add(out.at, path, "yaml-tag", fmt.Sprintf("the tag %s has no meaning here; remove it", quote(n.Tag)))
		return out
	}
	switch n.Kind {
	case yaml.AliasNode:
		r.issues.add(out.at, path, "yaml-alias", fmt.Sprintf("the alias *%s is not followed; write the value out, or use CUE to share it", n.Value))
	case yaml.MappingNode:
		out.kind = nodeObject
		r.readMapping(n, out, path, depth)
	case yaml.SequenceNode:
		out.kind = nodeList
		for i, item := range n.Content {
			out.items = append(out.items, r.read(item, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
	default:
		r.readScalar(n, out, path)
	}
	return out
}

func (r *yamlReader) readMapping(n *yaml.Node, out *node, path string, depth int) {
	seen := make(map[string]Source, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := r.place(key)
		if key.Kind != yaml.ScalarNode {
			r.issues.add(at, path, "yaml-key", "a key must be a plain word")
			continue
		}
		sub := joinPath(path, key.Value)
		if key.ShortTag() == "!!merge" {
			r.issues.add(at, sub, "yaml-merge", "the merge key << is not followed; write the fields out, or use CUE to share them")
			continue
		}
		if problem := oddText(key.Value); problem != "" {
			r.issues.add(at, path, "characters", "a key holds "+problem)
			continue
		}
		if first, again := seen[key.Value]; again {
			r.issues.add(at, sub, "duplicate-key", fmt.Sprintf("is given twice; the first is on line %d", first.Line))
			continue
		}
		seen[key.Value] = at
		out.members = append(out.members, member{key: key.Value, at: at, value: r.read(value, sub, depth+1)})
	}
}

var (
	canonicalInt    = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	yamlErrorLine   = regexp.MustCompile(`^line (\d+): `)
	yamlParserError = regexp.MustCompile(`^(did not find expected (<|key|node|',|-|'-')|found (duplicate %|incompatible YAML|undefined tag))`)
)

func (r *yamlReader) readScalar(n *yaml.Node, out *node, path string) {
	out.text = n.Value
	out.kind = nodeText
	if problem := oddText(n.Value); problem != "" {
		r.issues.add(out.at, path, "characters", "holds "+problem)
	}
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0
	if quoted {
		return
	}
	out.plain = true
	switch {
	case n.ShortTag() == "!!null":
		out.kind = nodeNull
	case n.Value == "true" || n.Value == "false":
		out.kind = nodeBool
	case canonicalInt.MatchString(n.Value):
		out.kind = nodeInt
	}
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
