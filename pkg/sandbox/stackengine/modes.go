package stackengine

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// checkChangeSetModes holds what CreateChangeSet says of its modes: values of
// the API's model; OnStackFailure DELETE and REVERT_DRIFT against the type of
// the change set (reference of CreateChangeSet; the three last texts are K).
func checkChangeSetModes(in *cloudformation.CreateChangeSetInput, kind string) error {
	if !slices.Contains([]string{"CREATE", "UPDATE", "IMPORT"}, kind) {
		return constraint(kind, "changeSetType", "satisfy enum value set: [CREATE, UPDATE, IMPORT]")
	}
	if m := in.DeploymentMode; m != "" && m != types.DeploymentModeRevertDrift {
		return constraint(string(m), "deploymentMode", "satisfy enum value set: [REVERT_DRIFT]")
	}
	if err := checkDeploymentConfig(in.DeploymentConfig); err != nil {
		return err
	}
	switch f := in.OnStackFailure; {
	case f != "" && !slices.Contains(f.Values(), f):
		return constraint(string(f), "onStackFailure", "satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]")
	case f == types.OnStackFailureDelete && kind != "CREATE":
		return invalid("OnStackFailure DELETE is only supported for change sets of type CREATE.")
	case deref(in.IncludeNestedStacks) && kind == "IMPORT":
		return invalid("IncludeNestedStacks is not supported for change sets of type IMPORT.")
	case in.DeploymentMode == types.DeploymentModeRevertDrift && kind != "UPDATE":
		return invalid("DeploymentMode REVERT_DRIFT is only supported for change sets of type UPDATE.")
	}
	return nil
}

func checkDeploymentConfig(c *types.DeploymentConfig) error {
	if m := deploymentMode(c); m != "" && m != "STANDARD" && m != express {
		return constraint(m, "deploymentConfig.mode", "satisfy enum value set: [STANDARD, EXPRESS]")
	}
	return nil
}
