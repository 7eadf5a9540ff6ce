// Package cfn holds a CloudFormation template as data: typed references to
// values of other stacks, canonical JSON, a digest of what deploys, a diff
// down to the property, the graph of its resources and its text.
//
// It performs no I/O, knows no spec and no AWS client. Start with Template,
// then Ref (values that only AWS knows) and Diff.
package cfn

import (
	"encoding/json"
	"fmt"
	"sort"
)

// Template is a CloudFormation template. The sections that only users' own
// templates have (Parameters to Transform) are carried as they are.
type Template struct {
	AWSTemplateFormatVersion string              `json:"AWSTemplateFormatVersion,omitempty"`
	Description              string              `json:"Description,omitempty"`
	Metadata                 map[string]any      `json:"Metadata,omitempty"`
	Parameters               map[string]any      `json:"Parameters,omitempty"`
	Mappings                 map[string]any      `json:"Mappings,omitempty"`
	Conditions               map[string]any      `json:"Conditions,omitempty"`
	Rules                    map[string]any      `json:"Rules,omitempty"`
	Transform                any                 `json:"Transform,omitempty"`
	Resources                map[string]Resource `json:"Resources"`
	Outputs                  map[string]Output   `json:"Outputs,omitempty"`
}

// Resource is one resource of a template. Property values are plain JSON data
// (string, bool, float64, int, []any, map[string]any); a value of another
// stack or of SSM is an open reference, see Ref.
type Resource struct {
	Type                string         `json:"Type"`
	Condition           string         `json:"Condition,omitempty"`
	DependsOn           StringList     `json:"DependsOn,omitempty"`
	Metadata            map[string]any `json:"Metadata,omitempty"`
	CreationPolicy      map[string]any `json:"CreationPolicy,omitempty"`
	UpdatePolicy        map[string]any `json:"UpdatePolicy,omitempty"`
	DeletionPolicy      string         `json:"DeletionPolicy,omitempty"`
	UpdateReplacePolicy string         `json:"UpdateReplacePolicy,omitempty"`
	Properties          map[string]any `json:"Properties,omitempty"`
}

// Output is one output of a template.
type Output struct {
	Description string         `json:"Description,omitempty"`
	Condition   string         `json:"Condition,omitempty"`
	Value       any            `json:"Value"`
	Export      map[string]any `json:"Export,omitempty"`
}

// StringList is a list that CloudFormation also accepts as a single string.
type StringList []string

// UnmarshalJSON accepts "A" and ["A","B"].
func (l *StringList) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*l = StringList{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("a string or a list of strings: %w", err)
	}
	*l = many
	return nil
}

// LogicalIDs returns the logical ids of the resources, sorted.
func (t Template) LogicalIDs() []string {
	return sortedKeys(t.Resources)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
