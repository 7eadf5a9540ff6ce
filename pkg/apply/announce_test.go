package apply

import (
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// fleet is a template in which things refer to each other as in a real stack.
func fleet() cfn.Template {
	properties := func(p map[string]any) map[string]any { return p }
	return cfn.Template{
		Resources: map[string]cfn.Resource{
			"Role":     {Type: "AWS::IAM::Role", Properties: properties(map[string]any{"Policies": "p"})},
			"Launch":   {Type: "AWS::EC2::LaunchTemplate", Properties: properties(map[string]any{"Data": cfn.GetAtt("Role", "Arn")})},
			"Group":    {Type: "AWS::AutoScaling::AutoScalingGroup", Properties: properties(map[string]any{"Version": cfn.GetAtt("Launch", "LatestVersionNumber"), "Zones": []any{"a"}})},
			"Task":     {Type: "AWS::ECS::TaskDefinition", Properties: properties(map[string]any{"Role": map[string]any{"Fn::Sub": "${Role.Arn}"}, "Size": "${Size}"})},
			"Sized":    {Type: "AWS::SNS::Topic", Properties: properties(map[string]any{"DisplayName": cfn.LogicalRef("Size")})},
			"Subnets":  {Type: "AWS::RDS::DBSubnetGroup", Properties: properties(map[string]any{"Description": "d"})},
			"Database": {Type: "AWS::RDS::DBInstance", DeletionPolicy: "Snapshot", Properties: properties(map[string]any{"DBSubnetGroupName": cfn.LogicalRef("Subnets"), "KmsKeyId": cfn.GetAtt("Role", "Arn")})},
			"Nested":   {Type: "AWS::CloudFormation::Stack", Properties: properties(map[string]any{"TemplateURL": "u"})},
		},
	}
}

func TestBeyondPlan(t *testing.T) {
	change := func(resource string, a plan.Action, path string, r plan.Replace) plan.Change {
		return plan.Change{Resource: resource, Action: a, Path: path, Replace: r}
	}
	role := change("Role", plan.ActionUpdate, "Properties.Policies", plan.ReplaceNo)
	subnets := change("Subnets", plan.ActionUpdate, "Properties.Description", plan.ReplaceNo)
	cases := map[string]struct {
		changes     []plan.Change
		announced   Announced
		also        []Announced
		want        string
		replacement bool
	}{
		"add":              {[]plan.Change{change("Role", plan.ActionCreate, "", "")}, Announced{Resource: "Role", Action: "Add"}, nil, "", false},
		"add unplanned":    {nil, Announced{Resource: "Role", Type: "T", Action: "Add"}, nil, "adds Role (T)", false},
		"remove":           {[]plan.Change{change("Old", plan.ActionDelete, "", "")}, Announced{Resource: "Old", Action: "Remove", PolicyAction: "Delete"}, nil, "", false},
		"remove unplanned": {[]plan.Change{role}, Announced{Resource: "Role", Type: "T", Action: "Remove"}, nil, "removes Role (T)", false},
		"remove what the plan keeps": {
			[]plan.Change{{Resource: "Old", Action: plan.ActionDelete, Retained: true}},
			Announced{Resource: "Old", Type: "T", Action: "Remove", PolicyAction: "Delete"}, nil, "deletes Old (T), which the plan keeps", false,
		},
		"remove and keep": {
			[]plan.Change{{Resource: "Old", Action: plan.ActionDelete, Retained: true}},
			Announced{Resource: "Old", Action: "Remove", PolicyAction: "Retain"}, nil, "", false,
		},
		"import":           {nil, Announced{Resource: "Role", Type: "T", Action: "Import"}, nil, "imports Role (T)", false},
		"unknown action":   {nil, Announced{Resource: "Role", Type: "T", Action: "SyncWithActual"}, nil, `does "SyncWithActual" to Role (T), which this program does not know`, false},
		"modify":           {[]plan.Change{role}, Announced{Resource: "Role", Action: "Modify", Replacement: "False", Paths: []string{"Properties.Policies"}}, nil, "", false},
		"modify unplanned": {nil, Announced{Resource: "Role", Type: "T", Action: "Modify", Replacement: "False", Paths: []string{"Properties.Policies[0].X"}}, nil, "changes Role (T): Policies", false},
		"replace": {
			[]plan.Change{change("Role", plan.ActionReplace, "Properties.Path", plan.ReplaceYes)},
			Announced{Resource: "Role", Action: "Modify", Replacement: "True", Paths: []string{"Properties.Path"}}, nil, "", false,
		},
		"maybe replace": {
			[]plan.Change{change("Role", plan.ActionUpdate, "Properties.Path", plan.ReplaceMaybe)},
			Announced{Resource: "Role", Action: "Modify", Replacement: "True", Paths: []string{"Properties.Path"}}, nil, "", false,
		},
		"replace what the plan updates": {
			[]plan.Change{role}, Announced{Resource: "Role", Type: "T", Action: "Modify", Replacement: "True", Paths: []string{"Properties.Policies"}}, nil, "replaces Role (T)", true,
		},
		"conditional, judged": {
			[]plan.Change{role}, Announced{Resource: "Role", Action: "Modify", Replacement: "Conditional", Paths: []string{"Properties.Policies[0]"}}, nil, "", false,
		},
		"conditional, another property": {
			[]plan.Change{role}, Announced{Resource: "Role", Type: "T", Action: "Modify", Replacement: "Conditional", Paths: []string{"Properties.Policies", "Properties.Path"}}, nil, "may replace Role (T): Policies, Path", true,
		},
		"conditional, no property": {
			[]plan.Change{role}, Announced{Resource: "Role", Type: "T", Action: "Modify", Replacement: "Conditional"}, nil, "may replace Role (T)", true,
		},
		"dynamic action": {
			nil, Announced{Resource: "Role", Type: "T", Action: "Dynamic"}, nil, "may replace Role (T)", true,
		},
		"follows a change": {
			[]plan.Change{role}, Announced{Resource: "Launch", Action: "Modify", Replacement: "False", Dynamic: true, Paths: []string{"Properties.Data"}}, nil, "", false,
		},
		"follows a change through another resource": {
			[]plan.Change{role}, Announced{Resource: "Group", Action: "Modify", Replacement: "Conditional", Dynamic: true, Paths: []string{"Properties.Version"}},
			[]Announced{{Resource: "Launch", Action: "Modify", Replacement: "False", Dynamic: true, Paths: []string{"Properties.Data"}}}, "", false,
		},
		"follows what is not announced": {
			[]plan.Change{role}, Announced{Resource: "Group", Type: "T", Action: "Modify", Replacement: "Conditional", Dynamic: true, Paths: []string{"Properties.Version"}}, nil,
			"may replace Group (T): Version", true,
		},
		"follows, but another property changes too": {
			[]plan.Change{role}, Announced{Resource: "Group", Type: "T", Action: "Modify", Replacement: "Conditional", Paths: []string{"Properties.Version", "Properties.Zones"}},
			[]Announced{{Resource: "Launch", Action: "Modify", Dynamic: true, Paths: []string{"Properties.Data"}}}, "may replace Group (T): Version, Zones", true,
		},
		"possible replacement of a thing without data": {
			[]plan.Change{role}, Announced{Resource: "Task", Action: "Modify", Replacement: "True", Dynamic: true, Paths: []string{"Properties.Role"}}, nil, "", false,
		},
		"certain replacement of it": {
			[]plan.Change{role}, Announced{Resource: "Task", Type: "T", Action: "Modify", Replacement: "True", Paths: []string{"Properties.Role"}}, nil, "replaces Task (T)", true,
		},
		"data: the Ref of a thing that stays": {
			[]plan.Change{subnets}, Announced{Resource: "Database", Action: "Modify", Replacement: "Conditional", Dynamic: true, Paths: []string{"Properties.DBSubnetGroupName"}}, nil, "", false,
		},
		"data: the Ref of a thing that is replaced": {
			[]plan.Change{change("Subnets", plan.ActionReplace, "Properties.Name", plan.ReplaceYes)},
			Announced{Resource: "Database", Type: "T", Action: "Modify", Replacement: "Conditional", Dynamic: true, Paths: []string{"Properties.DBSubnetGroupName"}}, nil,
			"may replace Database (T): DBSubnetGroupName", true,
		},
		"data: an attribute": {
			[]plan.Change{role}, Announced{Resource: "Database", Type: "T", Action: "Modify", Replacement: "Conditional", Dynamic: true, Paths: []string{"Properties.KmsKeyId"}}, nil,
			"may replace Database (T): KmsKeyId", true,
		},
		"announced tags": {
			[]plan.Change{change("Tags.Stage", plan.ActionUpdate, "", "")}, Announced{Resource: "Group", Action: "Modify", Replacement: "False", Paths: []string{"Tags"}}, nil, "", false,
		},
		"tags of the resource":  {nil, Announced{Resource: "Group", Type: "T", Action: "Modify", Replacement: "False", Paths: []string{"Tags"}}, nil, "changes Group (T): Tags", false},
		"metadata":              {nil, Announced{Resource: "Group", Action: "Modify", Replacement: "False", Paths: []string{"Metadata"}}, nil, "", false},
		"a template parameter":  {[]plan.Change{change("Parameters.Size", plan.ActionUpdate, "Value", "")}, Announced{Resource: "Sized", Action: "Modify", Replacement: "False", Paths: []string{"/Properties/DisplayName"}}, nil, "", false},
		"a nested stack":        {nil, Announced{Resource: "Nested", Type: "AWS::CloudFormation::Stack", Action: "Modify", Replacement: "False", Dynamic: true}, nil, "", false},
		"replaced nested stack": {nil, Announced{Resource: "Nested", Type: "AWS::CloudFormation::Stack", Action: "Modify", Replacement: "True"}, nil, "replaces Nested (AWS::CloudFormation::Stack)", true},
		"replace and delete what is kept": {
			[]plan.Change{{Resource: "Database", Action: plan.ActionReplace, Replace: plan.ReplaceYes, Retained: true}},
			Announced{Resource: "Database", Type: "T", Action: "Modify", Replacement: "True", PolicyAction: "ReplaceAndDelete"}, nil, "deletes Database (T), which the plan keeps", false,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAnnouncement(fleet(), c.changes, append(c.also, c.announced))
			what, replacement := a.beyond(c.announced)
			if what != c.want || replacement != c.replacement {
				t.Errorf("%q, %v; want %q, %v", what, replacement, c.want, c.replacement)
			}
		})
	}
}
