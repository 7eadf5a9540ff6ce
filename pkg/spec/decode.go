package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"
)

// The wire types are the documents as they are written, defaults filled in.
// Their names follow schema/*.cue; decoding is strict, so a field of the
// definition that is missing here fails every test.

type wireHead struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

type wirePlatform struct {
	wireHead
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Requires string `json:"requires"`
		Account  string `json:"account"`
		Region   string `json:"region"`
		Owner    string `json:"owner"`
		Domain   struct {
			Name           string `json:"name"`
			CertificateARN string `json:"certificateArn"`
		} `json:"domain"`
		Alerts struct {
			Email            string `json:"email"`
			MonthlyBudgetUSD int    `json:"monthlyBudgetUSD"`
		} `json:"alerts"`
		Network struct {
			CIDR              string   `json:"cidr"`
			AvailabilityZones []string `json:"availabilityZones"`
			NATGateways       int      `json:"natGateways"`
		} `json:"network"`
		Database struct {
			InstanceClass string `json:"instanceClass"`
			EngineVersion string `json:"engineVersion"`
			MultiAZ       bool   `json:"multiAZ"`
			StorageGiB    int    `json:"storageGiB"`
			MaxStorageGiB int    `json:"maxStorageGiB"`
			BackupDays    int    `json:"backupDays"`
		} `json:"database"`
		Cache struct {
			NodeType      string `json:"nodeType"`
			EngineVersion string `json:"engineVersion"`
			Encryption    bool   `json:"encryption"`
		} `json:"cache"`
		Backend    wireService `json:"backend"`
		Frontend   wireService `json:"frontend"`
		GitHub     *wireGitHub `json:"github"`
		Exceptions []struct {
			Rule    string `json:"rule"`
			Reason  string `json:"reason"`
			Expires string `json:"expires"`
		} `json:"exceptions"`
		Approvals []struct {
			Kind    string `json:"kind"`
			Target  string `json:"target"`
			Expires string `json:"expires"`
			Reason  string `json:"reason"`
		} `json:"approvals"`
		Ignore []struct {
			Stack    string `json:"stack"`
			Resource string `json:"resource"`
			Path     string `json:"path"`
			Reason   string `json:"reason"`
			Expires  string `json:"expires"`
		} `json:"ignore"`
	} `json:"spec"`
}

type wireGitHub struct {
	Repository   string `json:"repository"`
	OwnerID      string `json:"ownerId"`
	RepositoryID string `json:"repositoryId"`
	Branch       string `json:"branch"`
	Environments struct {
		Apply string `json:"apply"`
		Plan  string `json:"plan"`
	} `json:"environments"`
	OIDCProviderARN string `json:"oidcProviderArn"`
}

type wireService struct {
	CPU              int `json:"cpu"`
	MemoryMiB        int `json:"memoryMiB"`
	MinTasks         int `json:"minTasks"`
	MaxTasks         int `json:"maxTasks"`
	CPUTargetPercent int `json:"cpuTargetPercent"`
}

type wireFleet struct {
	wireHead
	Metadata struct {
		Name  string `json:"name"`
		Stage string `json:"stage"`
	} `json:"metadata"`
	Spec struct {
		Template      string   `json:"template"`
		InstanceTypes []string `json:"instanceTypes"`
		Bundle        string   `json:"bundle"`
		Enabled       bool     `json:"enabled"`
		Rollout       Rollout  `json:"rollout"`
	} `json:"spec"`
}

type wireBundle struct {
	wireHead
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Title  string `json:"title"`
		Notes  string `json:"notes"`
		Assets []struct {
			Kind       string `json:"kind"`
			SHA256     string `json:"sha256"`
			File       string `json:"file"`
			S3URL      string `json:"s3URL"`
			Filename   string `json:"filename"`
			TargetPath string `json:"targetPath"`
			Action     string `json:"action"`
		} `json:"assets"`
	} `json:"spec"`
}

type wireStack struct {
	wireHead
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Template              string                   `json:"template"`
		DependsOn             []string                 `json:"dependsOn"`
		Parameters            map[string]wireParameter `json:"parameters"`
		Capabilities          []string                 `json:"capabilities"`
		Tags                  map[string]string        `json:"tags"`
		TerminationProtection bool                     `json:"terminationProtection"`
	} `json:"spec"`
}

type wireParameter struct{ ParameterValue }

func (p *wireParameter) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &p.Value) == nil {
		return nil
	}
	var ref struct {
		Stack  string `json:"stack"`
		Output string `json:"output"`
	}
	err := strict(b, &ref)
	p.Stack, p.Output = ref.Stack, ref.Output
	return err
}

type wireTemplate struct {
	Slug      string   `json:"template_slug"`
	Name      string   `json:"display_name"`
	Types     []string `json:"allowed_instance_types"`
	MaxSize   int      `json:"max_size"`
	Warmup    *int     `json:"warmup_seconds"`
	Backlog   *int     `json:"backlog_target"`
	ZeroAfter *int     `json:"scale_to_zero_minutes"`
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// decode turns the filled documents into a Set, sorted.
func (l *loader) decode(docs []*document, filled []json.RawMessage, templates *node) (Set, error) {
	var set Set
	platforms := 0
	for i, d := range docs {
		meta := Meta{Name: d.root.scalar("metadata", "name"), Source: d.root.at, Positions: d.positions}
		var err error
		switch d.kind {
		case KindPlatform:
			platforms++
			if platforms > 1 {
				l.issues.add(d.root.at, "", "one-platform", fmt.Sprintf("is a second Platform; the first is at %s", lineOf(set.Platform.Source)))
				continue
			}
			err = decodePlatform(filled[i], meta, &set)
		case KindFleet:
			err = decodeFleet(filled[i], meta, &set)
		case KindBundle:
			err = decodeBundle(filled[i], meta, &set)
		case KindStack:
			err = decodeStack(filled[i], meta, &set)
		}
		if err != nil {
			return Set{}, fmt.Errorf("%s: %s: %w", lineOf(d.root.at), d.kind, err)
		}
	}
	if platforms == 0 {
		l.issues.suggest(Source{File: l.shown(".")}, "", "one-platform", "the folder holds no Platform document", "reconcile init writes one")
	}
	if templates != nil {
		if err := decodeTemplates(templates, &set); err != nil {
			return Set{}, fmt.Errorf("%s: %w", l.shown(fleetTemplates), err)
		}
	}
	sort.SliceStable(set.Fleets, func(a, b int) bool {
		x, y := set.Fleets[a], set.Fleets[b]
		if x.Stage != y.Stage {
			return x.Stage < y.Stage
		}
		return before(x.Meta, y.Meta)
	})
	sort.SliceStable(set.Bundles, func(a, b int) bool { return before(set.Bundles[a].Meta, set.Bundles[b].Meta) })
	sort.SliceStable(set.Stacks, func(a, b int) bool { return before(set.Stacks[a].Meta, set.Stacks[b].Meta) })
	return set, nil
}

// before orders documents by name, and those of one name by place.
func before(a, b Meta) bool {
	if a.Name != b.Name {
		return a.Name < b.Name
	}
	if a.Source.File != b.Source.File {
		return a.Source.File < b.Source.File
	}
	return a.Source.Line < b.Source.Line
}

// lineOf names a place in the middle of a sentence.
func lineOf(s Source) string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

func decodePlatform(raw json.RawMessage, meta Meta, set *Set) error {
	var w wirePlatform
	if err := strict(raw, &w); err != nil {
		return err
	}
	s := w.Spec
	p := Platform{
		Meta: meta, Requires: s.Requires, Account: s.Account, Region: s.Region, Owner: s.Owner,
		Domain:   Domain(s.Domain),
		Alerts:   Alerts(s.Alerts),
		Network:  Network(s.Network),
		Database: Database(s.Database),
		Cache:    Cache(s.Cache),
		Backend:  Service(s.Backend),
		Frontend: Service(s.Frontend),
	}
	if g := s.GitHub; g != nil {
		p.GitHub = &GitHub{
			Repository: g.Repository, OwnerID: g.OwnerID, RepositoryID: g.RepositoryID, Branch: g.Branch,
			ApplyEnvironment: g.Environments.Apply, PlanEnvironment: g.Environments.Plan, OIDCProviderARN: g.OIDCProviderARN,
		}
	}
	for _, e := range s.Exceptions {
		p.Exceptions = append(p.Exceptions, Exception(e))
	}
	for i, a := range s.Approvals {
		p.Approvals = append(p.Approvals, Approval{
			Kind: a.Kind, Target: a.Target, Expires: a.Expires, Reason: a.Reason, Source: p.At(fmt.Sprintf("spec.approvals[%d]", i)),
		})
	}
	for i, g := range s.Ignore {
		p.Ignore = append(p.Ignore, Ignore{
			Stack: g.Stack, Resource: g.Resource, Path: g.Path, Reason: g.Reason, Expires: g.Expires, Source: p.At(fmt.Sprintf("spec.ignore[%d]", i)),
		})
	}
	set.Platform = p
	return nil
}

func decodeFleet(raw json.RawMessage, meta Meta, set *Set) error {
	var w wireFleet
	if err := strict(raw, &w); err != nil {
		return err
	}
	set.Fleets = append(set.Fleets, Fleet{
		Meta: meta, Stage: w.Metadata.Stage, Template: w.Spec.Template,
		InstanceTypes: w.Spec.InstanceTypes, Bundle: w.Spec.Bundle, Enabled: w.Spec.Enabled,
		Rollout: w.Spec.Rollout,
	})
	return nil
}

func decodeBundle(raw json.RawMessage, meta Meta, set *Set) error {
	var w wireBundle
	if err := strict(raw, &w); err != nil {
		return err
	}
	b := Bundle{Meta: meta, Title: w.Spec.Title, Notes: w.Spec.Notes}
	if b.Title == "" {
		b.Title = meta.Name
	}
	for _, wa := range w.Spec.Assets {
		a := Asset{Kind: wa.Kind, SHA256: wa.SHA256, File: wa.File, S3URL: wa.S3URL, Filename: wa.Filename, TargetPath: wa.TargetPath, Action: wa.Action}
		if a.Filename == "" {
			a.Filename = path.Base(a.File + strings.TrimPrefix(a.S3URL, "s3://"))
			if a.File == "" && a.S3URL == "" {
				a.Filename = ""
			}
		}
		if a.TargetPath == "" && a.Action == "copy" && a.Filename != "" {
			a.TargetPath = AssetFolder(a.Kind) + a.Filename
		}
		b.Assets = append(b.Assets, a)
	}
	set.Bundles = append(set.Bundles, b)
	return nil
}

func decodeStack(raw json.RawMessage, meta Meta, set *Set) error {
	var w wireStack
	if err := strict(raw, &w); err != nil {
		return err
	}
	s := Stack{
		Meta: meta, Template: w.Spec.Template, DependsOn: w.Spec.DependsOn, Capabilities: w.Spec.Capabilities,
		Tags: w.Spec.Tags, TerminationProtection: w.Spec.TerminationProtection,
	}
	for name, p := range w.Spec.Parameters {
		if s.Parameters == nil {
			s.Parameters = map[string]ParameterValue{}
		}
		s.Parameters[name] = p.ParameterValue
	}
	set.Stacks = append(set.Stacks, s)
	return nil
}

func decodeTemplates(templates *node, set *Set) error {
	for _, item := range templates.items {
		raw, err := json.Marshal(item.value(nil))
		if err != nil {
			return err
		}
		var w wireTemplate
		if err := strict(raw, &w); err != nil {
			return err
		}
		positions := map[string]Source{}
		for _, m := range item.members {
			positions[m.key] = m.at
		}
		set.Templates = append(set.Templates, FleetTemplate{
			Slug: w.Slug, DisplayName: w.Name, AllowedInstanceTypes: w.Types, MaxSize: w.MaxSize,
			WarmupSeconds: or(w.Warmup, 300), BacklogTarget: or(w.Backlog, 2), ScaleToZeroMinutes: or(w.ZeroAfter, 15),
			Source: item.at, Positions: positions,
		})
	}
	return nil
}

func or(v *int, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return *v
}
