package report

import (
	"bytes"
	"strings"
	"testing"

	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// driftReport has one of everything, with hostile text in it.
func driftReport() drift.Report {
	at := func(line int) spec.Source { return spec.Source{File: "specs/platform.yaml", Line: line} }
	return drift.Report{
		FormatVersion: drift.FormatVersion, Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1", Revision: "0123abc"},
		Hand: []drift.Finding{
			{Stack: "bp-data", Resource: "Database", Type: "AWS::RDS::DBInstance", Physical: "bp-db", Kind: drift.Modified, Path: "Properties.BackupRetentionPeriod", Live: "3", Deployed: 7, Source: at(31)},
			{Stack: "bp-data", Resource: "Database", Type: "AWS::RDS::DBInstance", Physical: "bp-db", Kind: drift.Modified, Path: "Properties.MultiAZ", Deployed: true, Source: at(33)},
			{Stack: "bp-fleet", Resource: "QueueDeep", Type: "AWS::CloudWatch::Alarm", Physical: "deep", Kind: drift.Deleted},
			{Stack: "bp-network", Resource: "Alb", Type: "AWS::EC2::SecurityGroup", Physical: "sg-1", Kind: drift.Modified, Path: "Properties.SecurityGroupIngress[2]",
				Live: map[string]any{"CidrIp": "203.0.113.0/24", "Description": "a|b `@everyone` <script>\x1b[31m"}, Stays: "the template does not set it"},
			{Resource: "/bp/x", Type: "AWS::SSM::Parameter", Physical: "/bp/x", Kind: drift.Modified, Path: "Value", Live: "(sensitive)", Deployed: "(sensitive)", Sensitive: true},
			{Stack: "bp-x", Resource: "Role", Type: "AWS::IAM::Role", Kind: drift.Modified, Path: "Properties.Description", Live: "b", Deployed: "a", By: "cloudformation"},
		},
		Expected: []drift.Finding{
			{Stack: "bp-fleet", Resource: "Group", Path: "Properties.DesiredCapacity", Live: "4", Rule: "autoscaler-capacity", Reason: "how many instances there are is the autoscaler's"},
			{Stack: "bp-fleet-2", Resource: "Group", Path: "Properties.DesiredCapacity", Live: "0", Rule: "autoscaler-capacity", Reason: "how many instances there are is the autoscaler's"},
		},
		New:     []drift.Finding{{Stack: "bp-fleet", Resource: "Group", Path: "Properties.CapacityRebalance", Live: "false", Deployed: true, Rule: "not-deployed-yet", Reason: "the next apply sets it"}},
		Ignored: []drift.Finding{{Stack: "bp-x", Resource: "Topic", Path: "Properties.DisplayName", Live: "by hand", Rule: "ignore", Reason: "until the audit *ends*", Expires: "2027-06-30"}},
		Notes:   []plan.Finding{{Severity: plan.SeverityWarning, Code: "ignore-expired", Message: "ignoring bp-y/* expired on 2026-01-01", Source: at(9)}},
		Coverage: drift.Coverage{
			Looked:    []drift.TypeCount{{Type: "AWS::RDS::DBInstance", Resources: 1}, {Type: "AWS::CloudWatch::Alarm", Resources: 12}},
			NotLooked: []drift.TypeCount{{Type: "AWS::IAM::Role", Resources: 9, Why: "no reading of its own"}, {Type: "AWS::ECS::Service", Resources: 2, Why: "access denied"}},
			Open:      2, Properties: []string{"AWS::RDS::DBInstance.MasterUserPassword"}, Stacks: []string{"bp-late: UPDATE_IN_PROGRESS"},
		},
	}
}

func TestDriftReports(t *testing.T) {
	t.Parallel()
	clean := drift.Report{Target: driftReport().Target, Coverage: driftReport().Coverage}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"drift.txt":       func(b *bytes.Buffer) error { return Drift(b, driftReport(), Options{Flags: []string{"--sandbox"}}) },
		"drift-all.txt":   func(b *bytes.Buffer) error { return Drift(b, driftReport(), Options{Verbose: true}) },
		"drift.md":        func(b *bytes.Buffer) error { return DriftMarkdown(b, driftReport(), Options{}) },
		"drift-clean.txt": func(b *bytes.Buffer) error { return Drift(b, clean, Options{}) },
		"drift-clean.md":  func(b *bytes.Buffer) error { return DriftMarkdown(b, clean, Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(b.String(), "\x1b") {
				t.Error("an escape of a terminal got through")
			}
			golden(t, name, b.String())
		})
	}
}

// However many differences there are, an issue takes the text.
func TestDriftMarkdownIsBounded(t *testing.T) {
	t.Parallel()
	r := driftReport()
	for range 2000 {
		r.Hand = append(r.Hand, r.Hand[0])
	}
	var b bytes.Buffer
	if err := DriftMarkdown(&b, r, Options{MaxBytes: 60_000}); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 60_000 || !strings.Contains(b.String(), "more; run") {
		t.Errorf("%d bytes", b.Len())
	}
}
