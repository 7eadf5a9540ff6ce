package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// parseJSON reads a JSON file into nodes with places.
func parseJSON(file string, data []byte) (*node, Issues) {
	r := jsonReader{file: file, data: data, d: json.NewDecoder(bytes.NewReader(data))}
	r.d.UseNumber()
	n, err := r.value("", 1)
	if err == nil {
		if _, err = r.d.Token(); errors.Is(err, io.EOF) {
			return n, r.issues
		}
		r.issues.add(r.here(), "", "json-syntax", "not JSON: text after the value")
		return nil, r.issues
	}
	if len(r.issues) == 0 {
		at := r.here()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = r.place(int(syntax.Offset) - 1)
		}
		message := "not JSON: " + err.Error()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			at, message = r.place(len(data)), "not JSON: the file ends too early"
		}
		r.issues.add(at, "", "json-syntax", message)
	}
	return nil, r.issues
}

type jsonReader struct {
	file   string
	data   []byte
	d      *json.Decoder
	issues Issues
	// line and column of the byte at offset, kept because places come in order
	offset, line, column int
}

var errTooDeep = errors.New("nested too deep")

// here is where the next token begins.
func (r *jsonReader) here() Source {
	at := int(r.d.InputOffset())
	for at < len(r.data) && (r.data[at] == ' ' || r.data[at] == '\t' || r.data[at] == '\n' || r.data[at] == '\r' || r.data[at] == ',' || r.data[at] == ':') {
		at++
	}
	return r.place(at)
}

func (r *jsonReader) place(offset int) Source {
	offset = min(max(offset, 0), len(r.data))
	if r.line == 0 || offset < r.offset {
		r.offset, r.line, r.column = 0, 1, 1
	}
	for r.offset < offset {
		c, size := utf8.DecodeRune(r.data[r.offset:])
		if r.offset+size > offset {
			break
		}
		r.offset += size
		r.column++
		if c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
	return Source{File: r.file, Line: r.line, Column: r.column}
}

func (r *jsonReader) value(path string, depth int) (*node, error) {
	n := &node{at: r.here()}
	if depth > maxDepth {
		r.issues.add(n.at, "", "too-deep", fmt.Sprintf("nested more than %d deep", maxDepth))
		return nil, errTooDeep
	}
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return n, r.list(n, path, depth)
		}
		return n, r.object(n, path, depth)
	case string:
		n.kind, n.text = nodeText, t
		if problem := oddText(t); problem != "" {
			r.issues.add(n.at, path, "characters", "holds "+problem)
		}
	case json.Number:
		n.kind, n.text = nodeFloat, t.String()
		if canonicalInt.MatchString(n.text) {
			n.kind = nodeInt
		}
	case bool:
		n.kind, n.text = nodeBool, fmt.Sprint(t)
	}
	return n, nil
}

func (r *jsonReader) list(n *node, path string, depth int) error {
	n.kind = nodeList
	for r.d.More() {
		item, err := r.value(fmt.Sprintf("%s[%d]", path, len(n.items)), depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.d.Token()
	return err
}

func (r *jsonReader) object(n *node, path string, depth int) error {
	n.kind = nodeObject
	seen := map[string]Source{}
	for r.d.More() {
		at := r.here()
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		key := fmt.Sprint(t)
		value, err := r.value(joinPath(path, key), depth+1)
		if err != nil {
			return err
		}
		if first, again := seen[key]; again {
			r.issues.add(at, joinPath(path, key), "duplicate-key", fmt.Sprintf("is given twice; the first is on line %d", first.Line))
			continue
		}
		seen[key] = at
		n.members = append(n.members, member{key: key, at: at, value: value})
	}
	_, err := r.d.Token()
	return err
}
