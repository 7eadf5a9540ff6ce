package awstype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Problem is one thing that AWS would refuse. Path is dotted with list indices
// in brackets, "Tags[0].Key"; it is empty for the resource itself.
type Problem struct {
	Path    string
	Message string
}

func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Validate checks the properties of a resource against its type's schema and
// returns all problems, sorted by path. An intrinsic function, an open
// reference or a dynamic reference is accepted anywhere, and so are the scalar
// conversions that CloudFormation makes ("80" for 80). A type that is not known
// has no problems. Messages do not repeat values that could be secret.
func Validate(typeName string, properties map[string]any) []Problem {
	d := table()
	if d.err != nil {
		return []Problem{{Message: d.err.Error()}}
	}
	e, ok := d.entries[typeName]
	if !ok {
		return nil
	}
	if properties == nil {
		properties = map[string]any{}
	}
	c := checker{t: e.parsed().t, instance: properties}
	problems := c.computed()
	if !e.rule().accepts(properties) {
		problems = append(problems, c.judge(e)...)
	}
	return sorted(problems)
}

// judge asks the library what is wrong.
func (c checker) judge(e *entry) []Problem {
	schema, err := e.compile()
	if err != nil {
		return []Problem{{Message: err.Error()}}
	}
	err = schema.Validate(c.instance)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []Problem{{Message: err.Error()}}
	}
	var problems []Problem
	for _, f := range c.reduce(invalid) {
		problems = append(problems, f.problem)
	}
	return problems
}

func sorted(problems []Problem) []Problem {
	sort.Slice(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		if a.Path != b.Path {
			return a.Path < b.Path
		}
		return a.Message < b.Message
	})
	out := problems[:0]
	for i, p := range problems {
		if i == 0 || p != problems[i-1] {
			out = append(out, p)
		}
	}
	return out
}

func compile(name string, p parsedType) (*jsonschema.Schema, error) {
	if p.err != nil {
		return nil, p.err
	}
	body, err := json.Marshal(p.t.schema)
	if err != nil {
		return nil, fmt.Errorf("compile resource schema of %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft7
	c.RegisterExtension("presence", nil, presence{})
	url := "aws:///" + strings.ReplaceAll(name, "::", "-") + ".json"
	if err := c.AddResource(url, bytes.NewReader(body)); err != nil {
		return nil, fmt.Errorf("compile resource schema of %s: %w", name, err)
	}
	s, err := c.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("compile resource schema of %s: %w", name, err)
	}
	return s, nil
}
