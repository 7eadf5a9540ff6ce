package sandbox_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// typeEvidence says where each behaviour of a resource type is known from, and
// which test holds it. FM is a row of the failure modes, AL a section of the
// limits; S the AWS SDK's own documentation; D a page of AWS's documentation; I
// an issue; K general knowledge, which no source here confirms.
var typeEvidence = []struct{ behaviour, source, test string }{
	{"instances launch and end over time; scale-in protection", "S SetInstanceProtection, D instance lifecycle", "TestInstancesFollowTheCapacity"},
	{"capacity that is missing: failed activities, another attempt every minute", "FM F5; the pause: K", "TestCapacityThatIsMissing"},
	{"a stack waits for a group's instances, an hour", "FM F6; text: K", "TestGroupThatDoesNotStabilize"},
	{"suspended processes", "D suspend and resume processes; text for an unknown one: K", "TestSuspendedProcesses"},
	{"an unhealthy instance is replaced, protected or not", "D health checks, S SetInstanceHealth", "TestUnhealthyInstances"},
	{"a launch template may go while a group uses it", "D delete a launch template; K", "TestLaunchTemplateThatIsGone"},
	{"instance refresh: minimum healthy, warm-up, bake time, one at a time", "FM F1 F4, S StartInstanceRefresh; text of InstanceRefreshInProgress: K", "TestRefreshReplacesEverything"},
	{"checkpoints, their delay, the last under 100 %; rollback and its details", "S RefreshPreferences, S RollbackDetails; status reasons: K", "TestRefreshCheckpointAndRollback"},
	{"no rollback without desired configuration, with $Latest, with an SSM image", "FM F3, AL 4.3, S RollbackInstanceRefresh, I terraform-provider-aws 29830 (AutoRollback); texts of the others: K", "TestRefreshWithoutWayBack"},
	{"skip matching; protected instances are waited for (an hour), ignored or replaced", "AL 4.3, S RefreshPreferences", "TestRefreshSkipsAndProtects"},
	{"a refresh fails after an hour without progress, rolls back by itself, is cancelled", "FM F4, D instance-refresh-overview", "TestRefreshThatFails"},
	{"launching hooks: waits, heartbeats, default result, the text of an abandoned launch", "D lifecycle-hooks, S PutLifecycleHook CompleteLifecycleAction; text: I reports", "TestLaunchHooks"},
	{"terminating hooks: EC2 goes on until they are complete; deleting one completes its actions", "D lifecycle-hooks, S DeleteLifecycleHook", "TestTerminationHooks"},
	{"hooks of templates; Ref gives the name", "D AWS::AutoScaling::LifecycleHook, LifecycleHookSpecificationList; the physical id GROUP|HOOK: K", "TestHooksOfTemplates"},
	{"standby, with and without a lower desired capacity", "S EnterStandby ExitStandby; texts: K", "TestStandby"},
	{"alarms end a refresh or turn it around", "S RefreshPreferences AlarmSpecification, D instance-refresh-rollback; reasons: K", "TestRefreshWatchesAlarms"},
	{"launch before terminate; instances in standby", "S RefreshPreferences; rounding: K", "TestRefreshLaunchesFirst"},
	{"AutoScalingInstanceRefresh: triggers, defaults, 36 hours, no RollbackInstanceRefresh, the stack rolls back", "D aws-attribute-updatepolicy (instance refresh) of 2026-07, I aws-cdk 38276; reasons: K", "TestInstanceRefreshPolicy"},
	{"two policies in one, unknown members", "D aws-attribute-updatepolicy, I cfn-lint 4656; texts and time of the refusal: K", "TestUpdatePoliciesThatAreRefused"},
	{"AutoScalingRollingUpdate: batches, minimum in service, pause, signals, suspended processes", "D aws-attribute-updatepolicy, D knowledge center: rolling updates", "TestRollingUpdatePolicy"},
	{"AutoScalingReplacingUpdate; AutoScalingScheduledAction", "D aws-attribute-updatepolicy", "TestReplacingAndScheduledActionPolicies"},
	{"RunInstances with a launch template: merge, versions, refusals", "S RunInstances, S LaunchTemplateSpecification, D EC2 error codes", "TestRunInstancesFromATemplate"},
	{"vCPU quotas of Spot and On-Demand instances", "D ec2-on-demand-instances (quotas), D using-spot-limits; texts: I aws-parallelcluster 340, scrapoxy 202", "TestVCPUQuotas"},
	{"unknown filters", "D EC2 error codes InvalidParameterValue", "TestUnknownFiltersOfNothing"},
	{"commands that are not delivered: the time, what counts", "D monitor-commands, S Command.StatusDetails", "TestCommandsThatAreNotDelivered"},
	{"RotateSecret", "S RotateSecret, D rotating secrets; texts of the refusals: K", "TestRotateSecret"},
	{"clusters and services by hand", "S CreateCluster CreateService DeleteCluster; texts: K", "TestCreateServiceByHand"},
	{"two zones of load balancers and of database subnet groups", "S CreateLoadBalancer, S CreateDBSubnetGroup; texts: I reports", "TestTwoZones"},
	{"an unknown service is refused by name", "the sandbox's own rule", "TestAWSCLIFollowsAFleet"},
	{"preferences", "S RefreshPreferences; texts: K", "TestRefreshPreferences"},
	{"ECS circuit breaker: threshold, rollback, CloudFormation's failure", "FM F11 F12 F13, D deployment-circuit-breaker", "TestCircuitBreakerRollsBack"},
	{"a service without circuit breaker waits for its image, three hours", "D CloudFormation troubleshooting; text: I reports of Exceeded attempts to wait", "TestServiceWaitsForItsImage"},
	{"what shows only when a task starts: role, secret, parameter, log group, image", "D stopped tasks error messages", "TestTasksThatDoNotStart"},
	{"revisions of task definitions", "S RegisterTaskDefinition, S DeregisterTaskDefinition, D task CPU and memory", "TestTaskDefinitionRevisions"},
	{"a deleted service is INACTIVE", "FM F15, S DeleteService", "TestInactiveService"},
	{"references to what does not exist, literal or not", "FM C14 F9 F10; texts: I, the services' error references; target group without load balancer: I terraform 32908, divx-terraform-modules 133", "TestReferencesToNothing"},
	{"what the API made and what a stack made count alike", "K", "TestReferencesAcrossStacksAndCalls"},
	{"deletion of what is in use", "FM A8, S exceptions of the delete operations; texts: K", "TestDeletionOfWhatIsInUse"},
	{"names are taken, type by type", "FM C2 C11 C12 C13", "TestNamesAreTaken"},
	{"names of IAM are the account's", "D IAM identifiers", "TestNamesOfIAMAreGlobal"},
	{"ports, priorities, address ranges", "S exceptions of ELBv2, D EC2 error codes", "TestListenersAndRulesConflict"},
	{"stages of a secret", "FM E20, D rotating secrets", "TestPendingVersionOfASecret"},
	{"a secret marked for deletion resolves no reference", "FM C12; text: S", "TestReferenceToADeletedSecret"},
	{"keys of a SecureString, ten labels", "FM E14, AL 4.2", "TestParameterKeysAndLabels"},
	{"versions and their history", "AL 4.2, FM E4", "TestParameterVersions"},
	{"a label holds the oldest of 100 versions", "FM E2", "TestLabelHoldsTheOldestVersion"},
	{"aws:ec2:image is validated later, and stores nothing that is not valid", "FM E10 E11, AL 4.2", "TestImageParameterIsValidatedLater"},
	{"types, tiers and sizes of parameters", "FM E1 E6 E7 E8 E9", "TestParameterRefusals"},
	{"settings of a bucket put through S3 are drift, and brought back", "D AWS::S3::Bucket, D drift; a policy that was deleted: DELETED; what of equal meaning is none: K", "TestBucketSettingsByHandAreDrift"},
	{"early validation looks into buckets, repositories and the quota of groups", "D validate-stack-deployments", "TestEarlyValidationSeesTheServices"},
	{"what goes on by itself does not depend on who looks", "the sandbox's own rule: see clock.go", "TestTimePassesForEveryProcess"},
}

func TestEveryTypeBehaviourHasEvidence(t *testing.T) {
	tests := map[string]bool{}
	for _, f := range must[[]string](t)(filepath.Glob("*_test.go")) {
		for _, d := range must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), f, nil, 0)).Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				tests[fn.Name.Name] = true
			}
		}
	}
	for _, e := range typeEvidence {
		if e.source == "" || !tests[e.test] {
			t.Errorf("%s: no source, or no test %s", e.behaviour, e.test)
		}
	}
}
