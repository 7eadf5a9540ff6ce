package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// DangerKind names a danger for a reviewer: the kinds of approvals, and those
// below, which need none.
type DangerKind string

// The dangers that need no approval.
const (
	DangerDelete    DangerKind = "delete"    // a resource goes away that holds no data
	DangerDowngrade DangerKind = "downgrade" // less of something: an older version, a smaller class, a protection
	DangerRisk      DangerKind = "risk"      // what the step itself says
)

// Danger is something in a plan that a reviewer must not overlook.
type Danger struct {
	Kind     DangerKind
	Target   string // stack, stack/logical id, parameter, …
	Why      string
	Approval *Approval // that it needs; nil when none
	Step     StepID
	Source   spec.Source
}

// dangerRank is the order in which dangers are told.
var dangerRank = []DangerKind{
	DangerKind(ApproveDestroy), DangerKind(ApproveReplace), DangerKind(ApproveCapacity), DangerKind(ApproveUnprotect),
	DangerKind(ApproveRecover), DangerDelete, DangerDowngrade, DangerRisk,
}

// Dangers lists what a reviewer of a plan must see, the worst kind first and in
// the plan's order otherwise. Whatever needs an approval is among them.
func Dangers(p Plan) []Danger {
	var out []Danger
	for _, s := range p.Steps {
		out = append(out, s.dangers()...)
	}
	slices.SortStableFunc(out, func(a, b Danger) int {
		return slices.Index(dangerRank, a.Kind) - slices.Index(dangerRank, b.Kind)
	})
	return out
}

func (s Step) dangers() []Danger {
	var out []Danger
	told := map[string]bool{}
	for _, a := range s.Approvals {
		told[a.Target], told[a.Target+"/"] = true, true
		out = append(out, Danger{Kind: DangerKind(a.Kind), Target: a.Target, Why: a.Why, Approval: &a, Step: s.ID, Source: s.sourceOf(a.Target)})
	}
	if s.Action == ActionDelete && len(s.Approvals) == 0 {
		return append(out, Danger{Kind: DangerDelete, Target: s.Target, Why: fmt.Sprintf("%s %s is deleted", strings.ReplaceAll(string(s.Kind), "-", " "), s.Target), Step: s.ID, Source: s.Source})
	}
	for _, ch := range s.Changes {
		target := s.Target + "/" + ch.Resource
		gone := s.Action != ActionDelete && ch.Action == ActionDelete && ch.Path == "" && s.Kind == KindStack && !strings.Contains(ch.Resource, ".")
		if gone && !told[target] {
			out = append(out, Danger{Kind: DangerDelete, Target: target, Why: fmt.Sprintf("%s (%s) is deleted", ch.Resource, ch.Type), Step: s.ID, Source: s.sourceOf(target)})
		}
		if why := lowers(ch); why != "" {
			out = append(out, Danger{Kind: DangerDowngrade, Target: target, Why: why, Step: s.ID, Source: ch.Source})
		}
	}
	if s.Risk != "" && len(s.Approvals) == 0 {
		out = append(out, Danger{Kind: DangerRisk, Target: s.Target, Why: s.Risk, Step: s.ID, Source: s.Source})
	}
	return out
}

// sourceOf is the spec line behind a danger to one resource: that of the change
// which replaces it, else of the first, else the step's.
func (s Step) sourceOf(target string) spec.Source {
	found := s.Source
	for _, ch := range s.Changes {
		if s.Target+"/"+ch.Resource != target || ch.Source.File == "" {
			continue
		}
		if ch.Replace == ReplaceYes || ch.Replace == ReplaceMaybe {
			return ch.Source
		}
		if found == s.Source {
			found = ch.Source
		}
	}
	return found
}

// less are the properties of which less is a danger, by their last name.
var less = map[string]func(before, after string) bool{
	"EngineVersion": olderVersion, "PlatformVersion": olderVersion,
	"DBInstanceClass": smallerClass, "CacheNodeType": smallerClass, "NodeType": smallerClass,
	"AllocatedStorage": smallerNumber, "BackupRetentionPeriod": smallerNumber, "SnapshotRetentionLimit": smallerNumber,
	"MaxCapacity": smallerNumber, "MaxSize": smallerNumber, "Cpu": smallerNumber, "Memory": smallerNumber,
	"MultiAZ": turnedOff, "MultiAZEnabled": turnedOff, "AutomaticFailoverEnabled": turnedOff, "DeletionProtection": turnedOff,
	"StorageEncrypted": turnedOff, "AtRestEncryptionEnabled": turnedOff, "TransitEncryptionEnabled": turnedOff, "EnableKeyRotation": turnedOff,
}

// lowers says what a change takes away, if it does.
func lowers(ch Change) string {
	if ch.Path == "" || ch.Unknown || ch.Sensitive {
		return ""
	}
	name := ch.Path[strings.LastIndexByte(ch.Path, '.')+1:]
	compare, ok := less[name]
	before, bok := plainly(ch.Before)
	after, aok := plainly(ch.After)
	if !ok || !bok || !aok || !compare(before, after) {
		return ""
	}
	return fmt.Sprintf("%s of %s goes down from %s to %s", name, ch.Resource, before, after)
}

// plainly is a value as CloudFormation reads it.
func plainly(v any) (string, bool) {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v), true
	case int, int64, float64:
		return fmt.Sprint(v), true
	}
	return cfn.Text(v)
}

func smallerNumber(before, after string) bool {
	b, berr := strconv.ParseFloat(before, 64)
	a, aerr := strconv.ParseFloat(after, 64)
	return berr == nil && aerr == nil && a < b
}

func turnedOff(before, after string) bool { return before == "true" && after == "false" }

// olderVersion compares dotted numbers, "16.3" and "15.10".
func olderVersion(before, after string) bool {
	b, a := strings.Split(before, "."), strings.Split(after, ".")
	for i := range min(len(b), len(a)) {
		x, xerr := strconv.Atoi(b[i])
		y, yerr := strconv.Atoi(a[i])
		if xerr != nil || yerr != nil {
			return false
		}
		if x != y {
			return y < x
		}
	}
	return false
}

// smallerClass compares two sizes of one family, "db.t4g.medium" and "db.t4g.small".
func smallerClass(before, after string) bool {
	bi, ai := strings.LastIndexByte(before, '.'), strings.LastIndexByte(after, '.')
	if bi < 0 || ai < 0 || before[:bi] != after[:ai] {
		return false
	}
	b, bok := size(before[bi+1:])
	a, aok := size(after[ai+1:])
	return bok && aok && a < b
}

// size orders the sizes of instances: nano … xlarge, 2xlarge, ….
func size(s string) (int, bool) {
	if n, ok := strings.CutSuffix(s, "xlarge"); ok {
		if n == "" {
			return 100, true
		}
		times, err := strconv.Atoi(n)
		return 100 * times, err == nil
	}
	i := slices.Index([]string{"nano", "micro", "small", "medium", "large"}, s)
	return i, i >= 0
}
