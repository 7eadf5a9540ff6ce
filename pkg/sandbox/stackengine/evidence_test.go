package stackengine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// evidence says where each behaviour is known from, and which test holds it.
// LS is LocalStack's snapshot tests, recorded against AWS (name of the file);
// FM a row of the failure modes; D a page of CloudFormation's documentation; I
// an issue or pull request; K general knowledge, which no source here confirms.
var evidence = []struct{ behaviour, source, test string }{
	{"statuses and their order", "D stack status codes, D stack failure options", "TestMachineKnowsEveryStatus"},
	{"which request is taken in which status", "FM A1 A2 A12 A14 B9 C3, LS test_changesets; RollbackStack and ContinueUpdateRollback in the wrong status: K", "TestRequestsInEveryStatus"},
	{"events of a create: an empty physical id, then Resource creation Initiated, then complete", "LS test_change_set_ref", "TestCreate"},
	{"replacement: create first, Requested update requires the creation of a new physical resource, clean-up phase", "D update behaviors of stack resources, LS test_change_sets", "TestUpdateWithReplacement"},
	{"a failed update restores, then cleans up", "D UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "TestFailedUpdateRollsBack"},
	{"others are cancelled when one fails: Resource creation cancelled", "K", "TestFailedCreateRollsBack"},
	{"a failed create: reason of the stack, DELETE_COMPLETE without DELETE_IN_PROGRESS of what was never made", "I stratospheric 204", "TestRollbackOfWhatWasNeverMade"},
	{"delete: reverse order, DELETE_SKIPPED, deleted stacks by ARN alone", "LS test_stacks::test_name_conflicts, test_failure_options", "TestDelete"},
	{"DELETE_FAILED, its reason, RetainResources", "LS test_stacks, I aws-nuke 244 and 270", "TestDeleteFailsAndRetains"},
	{"FORCE_DELETE_STACK only in DELETE_FAILED", "I eks-perf-tests 517", "TestForceDelete"},
	{"UPDATE_ROLLBACK_FAILED, continue, skip", "FM A3 A4, D ContinueUpdateRollback; text for a resource that cannot be skipped: K", "TestContinueUpdateRollback"},
	{"rollback disabled: CREATE_FAILED, UPDATE_FAILED, RollbackStack", "FM A6 A7, D stack failure options", "TestRollbackDisabled"},
	{"cancel", "D CancelUpdateStack; text: K", "TestCancelUpdate"},
	{"termination protection", "FM A12", "TestTerminationProtection"},
	{"what a change set announces", "LS test_change_sets, test_change_set_ref, test_change_set_fn_get_attr, api/test_changesets", "TestAnnouncements"},
	{"conditional, tags, policies alone, metadata, RDS snapshot by default", "D ResourceChange, D DeletionPolicy, I ministack 1646, I roadmap 2113; attribute Tags for the Tags property: K", "TestMoreAnnouncements"},
	{"stack tags are changes of the resources", "FM C15, aws-limits 4.1", "TestStackTagsChangeResources"},
	{"life of a change set, its names and tokens, OBSOLETE, asynchronous delete", "FM B3 B4 B5 B6 B7 B8, LS api/test_changesets", "TestChangeSetLife"},
	{"no changes", "FM B1, aws-limits 4.7, LS test_empty_changeset, test_update_stack", "TestEmptyChangeSet"},
	{"early validation and DescribeEvents", "FM B10, I rain 744, aws-cdk-cli 1463 and 1000, cloudformation-cli 1116; Unsupported property: K", "TestEarlyValidation"},
	{"early validation warns of buckets, repositories and quotas: the change set can be executed", "D validate-stack-deployments, aws-limits (what changed in the last year), I aws-cdk-rfcs comprehensive validation, agent-toolkit-for-aws pre-deployment validation; texts but the bucket's: K", "TestEarlyWarnings"},
	{"early validation of CreateStack and UpdateStack", "D validate-stack-deployments; reason: I sample of agentcore; that the stack rolls back: K", "TestEarlyValidationOfOperations"},
	{"template refusals", "LS test_validations, test_stacks, test_template_engine, FM B27; counts, rules and aliases: K", "TestRefusedTemplates"},
	{"request refusals, limits of size and count", "FM B18 B19 B21 C5 C6 C7, aws-limits 4.1, LS test_update_stack, test_changesets", "TestRefusedRequests"},
	{"quota", "FM C4; text: K", "TestQuota"},
	{"intrinsic functions", "D intrinsic function reference, I cfn-lint 4519 (Fn::GetStackOutput); text for an output that is not there: K", "TestFunctions"},
	{"AWS::LanguageExtensions: loops, what they replace and leave, policies, the processed template", "D transform-aws-languageextensions, I ministack 1739 (measured); refused at once where AWS fails later: ours", "TestLanguageExtensions"},
	{"handler refusals: schema, name, reference", "FM C2, I roadmap 1005, I bedrock-chat 794, I eb-php-wordpress 25; EC2 error codes", "TestHandlersRefuse"},
	{"a custom-named resource cannot be replaced", "D troubleshooting", "TestReplacementOfANamedResource"},
	{"RetainExceptOnCreate, as policy and as parameter", "D DeletionPolicy, D CreateStack", "TestRetainExceptOnCreate"},
	{"UpdateReplacePolicy", "D UpdateReplacePolicy, I ministack 1646", "TestUpdateReplacePolicy"},
	{"a clean-up that fails", "FM A15; text: K", "TestCleanupFails"},
	{"exports in use", "FM A9 A10, I cluster-lifecycle-manager 944", "TestExports"},
	{"stack policies", "FM A13, LS test_stack_policies, D protect stack resources", "TestStackPolicy"},
	{"client request tokens", "FM B26, section 2.2", "TestTokens"},
	{"NoEcho", "FM I12, D parameters", "TestSecretsStayHidden"},
	{"SSM parameters and dynamic references", "FM B17 C14, D dynamic references", "TestParametersOfSSM"},
	{"drift: only what the template sets, three differences", "aws-limits 4.1, D drift", "TestDrift"},
	{"import of what belongs to no stack", "FM B25, D import; status of an imported resource in a create: K", "TestImport"},
	{"an import of named resources, a secret by its ARN; the stack after it", "D import-resources-manually; status of the stack: D import status codes", "TestImportIntoANewStack"},
	{"refusals of an import", "D import-resources-manually, I ministack (measured), skorify-infra ADR 0011; text for what is not there: K", "TestRefusedImports"},
	{"automatic import: explicit names, policies, no read-only identifiers; what was imported outlives a rollback", "D import-resources-automatically, I aws-cdk-cli 1367; rollback: K", "TestAutomaticImport"},
	{"pages, newest first, deleted stacks for 90 days", "aws-limits 4.1, I aws-nuke 240; text for a bad token: K", "TestPages"},
	{"signals", "D CreationPolicy, D wait conditions", "TestSignals"},
	{"drift-aware change sets: three states, deleted resources made anew, what is ignored and why", "D drift-aware-change-sets, D ResourceChange, D ResourceTargetDefinition; action of a deleted resource, minor versions of a database alone as managed: K", "TestRevertDrift"},
	{"SyncWithActual by NoModification: the record alone changes, no events of the resource", "D drift-aware-change-sets, D ResourceChangeDetail, I roadmap 2559", "TestSyncWithActual"},
	{"the rollback of a drift-aware change set restores what was there", "D drift-aware-change-sets", "TestRevertDriftRollsBackToActual"},
	{"modes of a change set that do not go together", "D CreateChangeSet; texts: K", "TestModesOfChangeSets"},
	{"EXPRESS: done when configured, rollback off by default", "D DeploymentConfig, I aws-cdk-cli 1689; how long: K", "TestExpress"},
	{"nested stacks: made, updated and deleted by their parent; Automatic in change sets", "D using-cfn-nested-stacks, D ResourceChangeDetail; that an unchanged one writes no events: K", "TestNestedStacks"},
	{"a nested stack that fails fails its parent, which takes everything back", "FM A19, I aws-scalable-big-blue-button-example 74, I floci 3853; a parent's rollback as an update of the nested stack: ours", "TestNestedStackFails"},
	{"change sets of nested stacks: parent and child, executed and deleted from the root", "D change-sets-for-nested-stacks, I aws-sam-cli 2406, copilot-cli 4426 and 5614, aws-cdk-cli 1531; text for the deletion of a child, IMPORT refused: K", "TestNestedChangeSets"},
	{"what a hierarchy made goes with it", "D change-sets-for-nested-stacks, D DeleteChangeSet; after an execution that never came to it: K", "TestNestedChangeSetsLeaveNothing"},
	{"Dynamic: a resource of a nested stack whose condition hangs on a value of the execution", "D ResourceChange; that values from resources are unknown in a child: I roadmap 759; that this is the case that Dynamic means: K", "TestNestedChangeSetsOfWhatIsNotKnown"},
	{"dynamic references: form, places of ssm-secure, what is not there; secrets looked at and never shown", "D dynamic-references, I data-mesh-datazone 19, aws-cdk 18729, serverless-application-model 1528, roadmap 1822", "TestDynamicReferences"},
	{"templates as others write them: deployed, changed, edited by hand, brought back, deleted", "public samples (aws-cloudformation-templates: idioms, our words)", "TestSamples"},
	{"samples that share exports", "FM A9, public samples (cluster and service)", "TestSamplesThatShare"},
	{"the same seed gives the same account, whoever asks when; nothing is left running", "ours", "TestSameSeedSameTrace"},
	{"rollback configuration: limits, the monitoring period", "D RollbackConfiguration; no alarm goes off: ours", "TestMonitoringTime"},
	{"parameters of types that AWS looks up", "D AWS-specific parameter types, FM C14, I aws-cdk 6786", "TestParametersThatMustExist"},
	{"creation that takes too long", "D CreateStack; text: K", "TestCreationTimesOut"},
}

func TestEveryBehaviourHasEvidence(t *testing.T) {
	tests := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				tests[fn.Name.Name] = true
			}
		}
	}
	for _, e := range evidence {
		if e.source == "" || !tests[e.test] {
			t.Errorf("%s: no source, or no test %s", e.behaviour, e.test)
		}
	}
}
