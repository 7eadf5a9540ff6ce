package stackengine

import (
	"slices"
	"strings"
)

// formatVersion is the only one (reference of AWSTemplateFormatVersion).
const formatVersion = "2010-09-09"

// snapshotTypes can be kept as a snapshot (reference of DeletionPolicy).
var snapshotTypes = []string{
	"AWS::DocDB::DBCluster", "AWS::EC2::Volume", "AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup",
	"AWS::Neptune::DBCluster", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::Redshift::Cluster",
}

// parameterFields are those of a declaration (reference of the Parameters section).
var parameterFields = []string{
	"AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description", "MaxLength", "MaxValue",
	"MinLength", "MinValue", "NoEcho", "Type",
}

// supportedFunctions is AWS's own list in its refusal of any other (aws-cli 2746).
const supportedFunctions = "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr"

// checkForm refuses a template whose version there is not, or with a snapshot of
// what has none.
func (t *template) checkForm() error {
	if t.Version != "" && t.Version != formatVersion {
		return invalid("Template format error: unsupported value for AWSTemplateFormatVersion.")
	}
	for _, id := range keys(t.Resources) {
		r := t.Resources[id]
		if (r.Delete == "Snapshot" || r.Replace == "Snapshot") && !slices.Contains(snapshotTypes, r.Type) {
			return invalid("Template error: resource type %s does not support deletion policy Snapshot", r.Type)
		}
	}
	for _, key := range keys(t.Outputs) {
		value := t.Outputs[key].Value
		if _, _, ok := function(value); ok {
			continue
		}
		switch value.(type) {
		case []any:
			return invalid("%s and not a List.", outputText)
		case map[string]any:
			if name := foreign(value); name == "" {
				return invalid("%s and not a Map.", outputText)
			}
		}
	}
	return nil
}

const outputText = "Template format error: The Value field of every Outputs member must evaluate to a String"

// foreign returns the name of a function that CloudFormation does not have, or "".
func foreign(v any) string {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return ""
	}
	for name := range m {
		if !functions[name] && len(name) > 4 && strings.EqualFold(name[:4], "Fn::") {
			return name
		}
	}
	return ""
}

// checkKnown refuses what shows to be wrong before anything is made; what hangs on
// the execution, it tells.
func (p *program) checkKnown() error {
	if err := p.checkMappings(); err != nil {
		return err
	}
	return p.checkOutputs()
}

// checkMappings looks up what Fn::FindInMap asks for.
func (p *program) checkMappings() error {
	for _, id := range keys(p.nodes) {
		if err := p.checkLookups(p.nodes[id].props); err != nil {
			return err
		}
	}
	for _, key := range keys(p.outputs) {
		if err := p.checkLookups(p.outputs[key].Value); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) checkLookups(v any) error {
	if name, arg, ok := function(v); ok && name == "Fn::FindInMap" {
		if _, err := p.eval(mapKeys(arg), nil); err != nil {
			return nil //nolint:nilerr // a key that hangs on a resource: the execution looks
		}
		_, err := p.findInMap(arg, nil)
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			if err := p.checkLookups(v[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := p.checkLookups(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapKeys are the arguments of Fn::FindInMap without its default.
func mapKeys(arg any) []any {
	list, _ := arg.([]any)
	return list[:min(len(list), 3)]
}

// checkOutputs refuses a value that is a list and two exports of one name, before
// anything is made. Names of exports never hang on the execution. (ecs_composex 444)
func (p *program) checkOutputs() error {
	var twice []string
	seen := map[string]bool{}
	for _, key := range keys(p.outputs) {
		if v, err := p.eval(p.outputs[key].Value, nil); err == nil {
			if _, ok := text(v); !ok {
				return invalid("%s.", outputText)
			}
		}
		v, err := p.eval(p.outputs[key].Export, nil)
		name, ok := text(v)
		if err != nil || !ok {
			continue
		}
		if seen[name] && !slices.Contains(twice, name) {
			twice = append(twice, name)
		}
		seen[name] = true
	}
	if len(twice) == 0 {
		return nil
	}
	slices.Sort(twice)
	return invalid("Template format error: The Outputs section contains duplicate Export names: [%s]. Specify a unique name for each export.", strings.Join(twice, ", "))
}
