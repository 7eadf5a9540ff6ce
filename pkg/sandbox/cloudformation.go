package sandbox

import cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"

// cloudformationOperations hands CloudFormation's operations to the region's
// stack engine.
func cloudformationOperations() map[string]operation {
	return map[string]operation{
		"CancelUpdateStack":           stackWrite[cfn.CancelUpdateStackInput]("CancelUpdateStack"),
		"ContinueUpdateRollback":      stackWrite[cfn.ContinueUpdateRollbackInput]("ContinueUpdateRollback"),
		"CreateChangeSet":             stackWrite[cfn.CreateChangeSetInput]("CreateChangeSet"),
		"CreateStack":                 stackWrite[cfn.CreateStackInput]("CreateStack"),
		"DeleteChangeSet":             stackWrite[cfn.DeleteChangeSetInput]("DeleteChangeSet"),
		"DeleteStack":                 stackWrite[cfn.DeleteStackInput]("DeleteStack"),
		"DetectStackDrift":            stackWrite[cfn.DetectStackDriftInput]("DetectStackDrift"),
		"DetectStackResourceDrift":    stackWrite[cfn.DetectStackResourceDriftInput]("DetectStackResourceDrift"),
		"ExecuteChangeSet":            stackWrite[cfn.ExecuteChangeSetInput]("ExecuteChangeSet"),
		"RollbackStack":               stackWrite[cfn.RollbackStackInput]("RollbackStack"),
		"SetStackPolicy":              stackWrite[cfn.SetStackPolicyInput]("SetStackPolicy"),
		"SignalResource":              stackWrite[cfn.SignalResourceInput]("SignalResource"),
		"UpdateStack":                 stackWrite[cfn.UpdateStackInput]("UpdateStack"),
		"UpdateTerminationProtection": stackWrite[cfn.UpdateTerminationProtectionInput]("UpdateTerminationProtection"),

		"DescribeAccountLimits":             stackRead[cfn.DescribeAccountLimitsInput]("DescribeAccountLimits"),
		"DescribeChangeSet":                 stackRead[cfn.DescribeChangeSetInput]("DescribeChangeSet"),
		"DescribeChangeSetHooks":            stackRead[cfn.DescribeChangeSetHooksInput]("DescribeChangeSetHooks"),
		"DescribeEvents":                    stackRead[cfn.DescribeEventsInput]("DescribeEvents"),
		"DescribeStackDriftDetectionStatus": stackRead[cfn.DescribeStackDriftDetectionStatusInput]("DescribeStackDriftDetectionStatus"),
		"DescribeStackEvents":               stackRead[cfn.DescribeStackEventsInput]("DescribeStackEvents"),
		"DescribeStackResource":             stackRead[cfn.DescribeStackResourceInput]("DescribeStackResource"),
		"DescribeStackResourceDrifts":       stackRead[cfn.DescribeStackResourceDriftsInput]("DescribeStackResourceDrifts"),
		"DescribeStackResources":            stackRead[cfn.DescribeStackResourcesInput]("DescribeStackResources"),
		"DescribeStacks":                    stackRead[cfn.DescribeStacksInput]("DescribeStacks"),
		"DescribeType":                      stackRead[cfn.DescribeTypeInput]("DescribeType"),
		"EstimateTemplateCost":              stackRead[cfn.EstimateTemplateCostInput]("EstimateTemplateCost"),
		"GetStackPolicy":                    stackRead[cfn.GetStackPolicyInput]("GetStackPolicy"),
		"GetTemplate":                       stackRead[cfn.GetTemplateInput]("GetTemplate"),
		"GetTemplateSummary":                stackRead[cfn.GetTemplateSummaryInput]("GetTemplateSummary"),
		"ListChangeSets":                    stackRead[cfn.ListChangeSetsInput]("ListChangeSets"),
		"ListExports":                       stackRead[cfn.ListExportsInput]("ListExports"),
		"ListImports":                       stackRead[cfn.ListImportsInput]("ListImports"),
		"ListStackResources":                stackRead[cfn.ListStackResourcesInput]("ListStackResources"),
		"ListStacks":                        stackRead[cfn.ListStacksInput]("ListStacks"),
		"ValidateTemplate":                  stackRead[cfn.ValidateTemplateInput]("ValidateTemplate"),
	}
}

// stackRead is an operation of the engine that only looks.
func stackRead[In any](name string) operation {
	return operation{
		newIn: func() any { return new(In) },
		run:   func(c *call, in any) (any, error) { return c.engine.Handle(c.ctx, name, in) },
	}
}

func stackWrite[In any](name string) operation {
	op := stackRead[In](name)
	op.write = true
	return op
}
