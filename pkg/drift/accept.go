package drift

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Edit is the replacement of one scalar in a spec file. Everything else of the
// file stays as it is, byte by byte.
type Edit struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Field    string `json:"field,omitempty"` // "spec.backend.maxTasks"; empty in CUE
	Old      string `json:"old"`             // as it stands in the file
	New      string `json:"new"`
	Print    bool   `json:"print,omitempty"` // the file is CUE: shown, never written
	offset   int
	findings []Finding
}

// Findings are what the edit accepts.
func (e Edit) Findings() []Finding { return e.findings }

// Same tells whether two edits are of one scalar.
func (e Edit) Same(o Edit) bool { return e.File == o.File && e.offset == o.offset }

// Join makes one edit of two of the same scalar; an error when they disagree.
func (e Edit) Join(o Edit) (Edit, error) {
	if e.New != o.New {
		return e, fmt.Errorf("%s:%d decides this and %s, which differ by now (%s and %s)", e.File, e.Line, e.findings[0].Name(), o.New, e.New)
	}
	e.findings = append(append([]Finding{}, e.findings...), o.findings...)
	return e, nil
}

// Apply is the file with the edit.
func (e Edit) Apply(body []byte) []byte {
	out := append([]byte{}, body[:e.offset]...)
	out = append(out, e.New...)
	return append(out, body[e.offset+len(e.Old):]...)
}

var errNotDecided = errors.New("no field of the specs says this value")

// EditFor finds the scalar of the specs that decides a property as it stands,
// and says what to put there. body is the file of f.Source. An error says why
// there is none.
func EditFor(f Finding, body []byte) (Edit, error) {
	live, deployed := scalarText(f.Live), scalarText(f.Deployed)
	switch {
	case f.Kind == Deleted:
		return Edit{}, errors.New("it was deleted; take it out of the specs, or put it back")
	case f.Sensitive:
		return Edit{}, errors.New("its value must not be shown")
	case f.Source.File == "" || live == "" || deployed == "":
		return Edit{}, errNotDecided
	}
	e := Edit{File: f.Source.File, Line: f.Source.Line, findings: []Finding{f}}
	if strings.HasSuffix(e.File, ".cue") {
		return inCUE(e, body, live, deployed)
	}
	var root yaml.Node
	docs := yaml.NewDecoder(strings.NewReader(string(body)))
	var hits []scalar
	for docs.Decode(&root) == nil {
		hits = append(hits, scalarsOf(&root, "", f.Source.Line)...)
		root = yaml.Node{}
	}
	hit, err := theOne(hits, f.Source.Column, deployed)
	if err != nil {
		return Edit{}, err
	}
	e.Column, e.Field, e.offset = hit.node.Column, hit.field, offsetOf(body, hit.node.Line, hit.node.Column)
	if e.Old = sourceText(body[e.offset:], hit.node); e.Old == "" {
		return Edit{}, errors.New("its value stands over several lines; edit it by hand")
	}
	e.New, err = written(hit.node, live)
	return e, err
}

// scalar is a value on a line, with the place of its key.
type scalar struct {
	field  string
	column int // of the key, or of the value in a list
	node   *yaml.Node
}

func scalarsOf(n *yaml.Node, field string, line int) []scalar {
	var out []scalar
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			out = append(out, scalarsOf(c, field, line)...)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := strings.TrimPrefix(field+"."+key.Value, ".")
			if value.Kind == yaml.ScalarNode && value.Line == line {
				out = append(out, scalar{at, key.Column, value})
				continue
			}
			out = append(out, scalarsOf(value, at, line)...)
		}
	case yaml.SequenceNode:
		for i, value := range n.Content {
			at := fmt.Sprintf("%s[%d]", field, i)
			if value.Kind == yaml.ScalarNode && value.Line == line {
				out = append(out, scalar{at, value.Column, value})
				continue
			}
			out = append(out, scalarsOf(value, at, line)...)
		}
	}
	return out
}

// theOne is the scalar at the column, else the only one on the line, that says
// the deployed value.
func theOne(hits []scalar, column int, deployed string) (scalar, error) {
	var same []scalar
	for _, h := range hits {
		if h.node.Value != deployed {
			continue
		}
		if column > 0 && (h.column == column || h.node.Column == column) {
			return h, nil
		}
		same = append(same, h)
	}
	if len(same) == 1 {
		return same[0], nil
	}
	return scalar{}, errNotDecided
}

// offsetOf is the byte at a line and column, which count from 1, in characters.
func offsetOf(body []byte, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		offset += strings.IndexByte(string(body[offset:]), '\n') + 1
	}
	for ; column > 1 && offset < len(body); column-- {
		_, size := utf8.DecodeRune(body[offset:])
		offset += size
	}
	return offset
}

// sourceText is the scalar as it stands at the start of rest; "" if it does not
// stand on one line as its value.
func sourceText(rest []byte, n *yaml.Node) string {
	text, _, _ := strings.Cut(string(rest), "\n")
	var form *regexp.Regexp
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.DoubleQuotedStyle:
		form = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`)
	case yaml.SingleQuotedStyle:
		form = regexp.MustCompile(`^'(?:[^']|'')*'`)
	case 0:
		form = regexp.MustCompile("^" + regexp.QuoteMeta(n.Value))
	default:
		return ""
	}
	return form.FindString(text)
}

var integer = regexp.MustCompile(`^-?[0-9]+$`)

// written is the new value in the form of the old one.
func written(n *yaml.Node, value string) (string, error) {
	if strings.ContainsAny(value, "\r\n") {
		return "", errors.New("the live value has several lines; edit it by hand")
	}
	switch n.Style &^ yaml.TaggedStyle {
	case yaml.DoubleQuotedStyle:
		return strconv.Quote(value), nil
	case yaml.SingleQuotedStyle:
		return "'" + strings.ReplaceAll(value, "'", "''") + "'", nil
	}
	if n.Tag == "!!int" && !integer.MatchString(value) {
		return "", fmt.Errorf("the field is a whole number, and live is %s", value)
	}
	var back yaml.Node
	if yaml.Unmarshal([]byte("a: "+value), &back) == nil && len(back.Content) == 1 && back.Content[0].Kind == yaml.MappingNode {
		if v := back.Content[0].Content[1]; v.Value == value && v.Kind == yaml.ScalarNode && v.Tag == n.Tag {
			return value, nil
		}
	}
	return strconv.Quote(value), nil
}

// inCUE finds the value on its line, to be shown.
func inCUE(e Edit, body []byte, live, deployed string) (Edit, error) {
	lines := strings.Split(string(body), "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return e, errNotDecided
	}
	line := lines[e.Line-1]
	old, now := deployed, live
	if !strings.Contains(line, strconv.Quote(deployed)) {
		if !integer.MatchString(deployed) && deployed != "true" && deployed != "false" {
			return e, errNotDecided
		}
	} else {
		old, now = strconv.Quote(deployed), strconv.Quote(live)
	}
	if strings.Count(line, old) != 1 {
		return e, errNotDecided
	}
	e.Column, e.Old, e.New, e.Print = strings.Index(line, old)+1, old, now, true
	return e, nil
}
