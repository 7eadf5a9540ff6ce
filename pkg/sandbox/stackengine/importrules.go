package stackengine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"reconcile/pkg/awstype"
)

// What CloudFormation demands of an import: of a change set of the type IMPORT
// (documentation: import-resources-manually), and of automatic import. Texts:
// ministack (measured on AWS), skorify-infra, aws-cdk #15888; aws-cdk-cli #1367
// for automatic import.

// checkImport refuses a request for an IMPORT change set that asks for more.
func (e *Engine) checkImport(s *Stack, cs *ChangeSet, old, next *program, fresh bool) error {
	if len(cs.Import) == 0 {
		return invalid("Must Provide at least one resource to import")
	}
	named := map[string]bool{}
	var undeclared, noPolicy []string
	for _, i := range cs.Import {
		if named[i.LogicalID] {
			return invalid("Every resource to import must have unique LogicalResourceId")
		}
		named[i.LogicalID] = true
		if next.nodes[i.LogicalID] == nil {
			undeclared = append(undeclared, i.LogicalID)
		}
	}
	if undeclared != nil {
		return invalid("The logical resource ids %s provided in ResourceToImport do not exist in the template.", listed(undeclared))
	}
	for _, i := range cs.Import {
		n := next.nodes[i.LogicalID]
		if want := identifierOf(i.Type); want != nil && !slices.Equal(want, keys(i.Identifier)) {
			return invalid("Invalid resource identifier for resource type %s. Expected %s", i.Type, listed(want))
		}
		if n.Type != i.Type {
			return invalid("Resource type of [%s] passed in ResourceToImport does not match with resource type defined in the template. Resource type in ResourceToImport: %s; Resource type in Template: %s.", i.LogicalID, i.Type, n.Type)
		}
		if next.t.Resources[i.LogicalID].Delete == "" {
			noPolicy = append(noPolicy, i.LogicalID)
		}
	}
	if err := e.onlyImports(cs, named); err != nil {
		return err
	}
	if noPolicy != nil {
		return invalid("The following resources to import %s must have DeletionPolicy attribute specified in the template.", listed(noPolicy))
	}
	if other := besides(s, cs, old, next, fresh); other != nil {
		return invalid("As part of the import operation, you cannot modify or add %s", listed(other))
	}
	return nil
}

// onlyImports refuses any change beside the imports.
func (e *Engine) onlyImports(cs *ChangeSet, named map[string]bool) error {
	var added, modified []string
	there := maps.Clone(named)
	for _, c := range cs.Changes {
		switch {
		case c.Action == "Import", c.Action == "Add" && named[c.LogicalID]:
			delete(there, c.LogicalID)
		case c.Action == "Add":
			added = append(added, c.LogicalID)
		default:
			modified = append(modified, c.LogicalID)
		}
	}
	switch {
	case len(there) == len(named) && added == nil:
		return invalid("The template should contain at least one new resource to import.")
	case len(there) > 0:
		return invalid("Resources %s passed in ResourceToImport are already in a stack and cannot be imported.", listed(keys(there)))
	case added != nil:
		return invalid("Resources %s is missing from ResourceToImport list", listed(added))
	case modified != nil:
		return invalid("You have modified resources %s in your template that are not being imported. Update, create or delete operations cannot be executed during import operations.", listed(modified))
	}
	return nil
}

// besides lists what else of the stack would change: nothing may.
func besides(s *Stack, cs *ChangeSet, old, next *program, fresh bool) []string {
	had := Deployment{}
	outputs := map[string]outputDef{}
	if !fresh {
		had = s.Deployed
		outputs = old.t.Outputs
	}
	var out []string
	if !equal(plainOutputs(outputs), plainOutputs(next.t.Outputs)) {
		out = append(out, "Outputs")
	}
	// A stack that the import makes has no role yet that it could change: the
	// CDK's import names its role there, too.
	if !fresh && cs.Target.RoleARN != had.RoleARN {
		out = append(out, "RoleArn")
	}
	if !maps.Equal(cs.Target.Tags, had.Tags) {
		out = append(out, "Tags")
	}
	return out
}

func plainOutputs(outputs map[string]outputDef) map[string]any {
	out := map[string]any{}
	for name, o := range outputs {
		out[name] = []any{o.Value, o.Description, o.Condition, o.Export}
	}
	return out
}

// identifierOf are the names of a type's primary identifier; nil when unknown.
func identifierOf(typeName string) []string {
	t, ok := awstype.Lookup(typeName)
	if !ok {
		return nil
	}
	out := slices.Clone(t.Identifier)
	sort.Strings(out)
	return out
}

func listed(ids []string) string { return "[" + strings.Join(ids, ", ") + "]" }

// importFails is why a change set that imports fails once AWS has looked at the
// resources; empty when it does not.
func (e *Engine) importFails(ctx context.Context, cs *ChangeSet, next *program) string {
	for _, i := range cs.Import {
		item := e.existing(ctx, i.Type, i.Identifier)
		switch {
		case item == nil:
			id := make([]string, 0, len(i.Identifier))
			for _, k := range keys(i.Identifier) {
				id = append(id, i.Identifier[k])
			}
			return fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found.", i.Type, strings.Join(id, "|"))
		case item.Owner != "":
			return belongs(item)
		}
	}
	var exposed []string
	for _, c := range cs.Changes {
		if policy := next.t.Resources[c.LogicalID].Delete; c.Action == "Import" && cs.Type != "IMPORT" && policy != "Retain" && policy != "RetainExceptOnCreate" {
			name := ""
			for _, p := range identifierOf(c.Type) {
				name += p + "=" + c.PhysicalID
			}
			exposed = append(exposed, fmt.Sprintf("%s ({%s})", c.LogicalID, name))
		}
	}
	if exposed == nil {
		return ""
	}
	return fmt.Sprintf("CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are %s", strings.Join(exposed, ", "))
}
