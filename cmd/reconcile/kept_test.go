package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// A database that is kept stays in its stack, and the network that it is in
// stays with it: nothing is deleted halfway, the rest goes, and one named
// resource lets all of it go.
func TestKeptDatabaseKeepsItsNetwork(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const keepAll = "destroy --yes --allow-destroy --approve unprotect:bp-network --approve unprotect:bp-data"
	s := r.want(4, keepAll, "Database (AWS::RDS::DBInstance) is kept", "stack bp-network",
		"RdsSecurityGroup of stack bp-network",
		"reconcile destroy --sandbox --resource bp-data/Database --approve destroy:bp-data/Database", "with it wait: ", "bp-network")
	s.saysNot(t, "DELETE_FAILED", "protection lifted")
	shown := r.want(0, "sandbox show", "bp-network CREATE_COMPLETE", "bp-data CREATE_COMPLETE")
	for _, gone := range []string{"bp-compute", "bp-monitoring", "bp-gpu-fleet-"} {
		if strings.Contains(flat(shown.out), gone+" CREATE_COMPLETE") {
			t.Errorf("%s stays:\n%s", gone, shown.out)
		}
	}
	// The same again says the same, and the database comes back into use as it was.
	r.want(4, keepAll, "reconcile destroy --sandbox --resource bp-data/Database")
	r.want(0, "apply --yes").saysNot(t, "import")
	r.empty()

	r.want(0, keepAll+" --resource bp-data/Database", "Destroy complete")
	r.want(0, "sandbox show").saysNot(t, "CREATE_COMPLETE", "DELETE_FAILED")
	r.want(0, "destroy --yes", "Nothing is left to destroy")
}

// One stack by its name is no way around it: without it nothing would manage
// the database, and the network could never go.
func TestStackOfAKeptDatabaseIsNotTakenFromUnderIt(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(4, "destroy --yes --allow-destroy --stack bp-data --stack bp-compute --stack bp-monitoring --stack bp-gpu-* --approve unprotect:bp-data",
		"Database (AWS::RDS::DBInstance) is kept", "bp-network", "--resource bp-data/Database")
	r.want(0, "sandbox show", "bp-data CREATE_COMPLETE")
}

// A stack of the user's own whose template keeps a database and not the group
// that it is in is said before it fails.
func TestKeptDatabaseInAGroupThatIsNot(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.write("specs/extra.yaml", "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: bp-extra}\nspec: {template: ./extra.json}\n")
	r.write("specs/extra.json", `{"Resources": {
  "Vpc": {"Type": "AWS::EC2::VPC", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"CidrBlock": "10.9.0.0/16"}},
  "A": {"Type": "AWS::EC2::Subnet", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.0/24", "AvailabilityZone": "us-east-1a"}},
  "B": {"Type": "AWS::EC2::Subnet", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.1.0/24", "AvailabilityZone": "us-east-1b"}},
  "Group": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": {"DBSubnetGroupDescription": "x", "SubnetIds": [{"Ref": "A"}, {"Ref": "B"}]}},
  "Db": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
    "Properties": {"Engine": "mariadb", "DBInstanceClass": "db.t4g.medium", "AllocatedStorage": "20", "ManageMasterUserPassword": true, "MasterUsername": "a", "DBSubnetGroupName": {"Ref": "Group"}}}}}`)
	r.want(0, "apply --yes")
	r.remove("specs/extra.yaml")
	r.remove("specs/extra.json")
	r.want(4, "apply --yes --approve destroy:bp-extra", "Db (AWS::RDS::DBInstance) is kept", "Group", "reconcile destroy --sandbox --stack bp-extra --resource bp-extra/Db").saysNot(t, "DELETE_FAILED")
	r.want(0, "destroy --yes --allow-destroy --stack bp-extra --resource bp-extra/Db")
	r.empty()
}

// The sandbox refuses as AWS does what somebody tries by hand.
func TestSandboxKeepsTheNetworkOfALeftDatabase(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, "destroy --yes --allow-destroy --stack bp-compute --stack bp-monitoring --stack bp-gpu-*")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		c := cloudformation.NewFromConfig(cfg)
		off := &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("bp-data"), EnableTerminationProtection: aws.Bool(false)}
		if _, err := c.UpdateTerminationProtection(ctx, off); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("bp-data")}); err != nil {
			t.Fatal(err)
		}
	})
	// What has a generated name is told of: the specs would make a new, empty one.
	r.want(0, "plan", "under generated names", "Database bp-data-database-", "with their data and their cost")
	r.want(5, "destroy --yes --allow-destroy --approve unprotect:bp-network", "has dependencies and cannot be deleted", "has a dependent object", "DELETE_FAILED")
}

// A removal that nobody approved changes nothing of the fleet, also where it
// shares something; what else changes is done, and with the approval all goes.
func TestRefusedRemovalChangesNothingOfTheFleet(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit(`for stage in ["staging", "production"]`, `for stage in ["staging"]`, "specs/fleets.cue")
	r.edit(`["g4dn.xlarge", "g5.xlarge"]`, `["g5.xlarge", "g4dn.xlarge"]`, "specs/fleets.cue")
	r.edit("email: ops@example.com", "email: people@example.com", "specs/platform.yaml")
	const production = "bp-gpu-fleet-production-gpu-default"
	s := r.want(4, "apply --yes --approve replace:bp-monitoring/AlertEmail", "1 step will be refused without your approval, and 2 steps that need it will be skipped")
	s.says(t, "done bp-monitoring: updated", "done bp-gpu-fleet-staging-gpu-default: updated")
	s.saysNot(t, "done log group")
	p := r.plan("")
	want := []string{"delete stack/" + production, "update contract/bp-monitoring", "update log-group/gpu-workers/gpu-default"}
	if d := cmp.Diff(want, steps(p)); d != "" {
		t.Errorf("what is left (-want +got):\n%s", d)
	}
	r.want(0, "plan --fleet staging/gpu-default", "/gpu-workers/gpu-default stays as it is for now", "Dashboard of stack bp-monitoring stay for now")
	r.want(0, "apply --yes --approve destroy:"+production)
	r.empty()
}
