package stacks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
)

// desiredConfig is the contract's value, its keys in the contract's order.
type desiredConfig struct {
	Version         int    `json:"version"`
	TemplateSlug    string `json:"template_slug"`
	InstanceType    string `json:"instance_type"`
	AMISSMParameter string `json:"ami_ssm_parameter"`
	Enabled         bool   `json:"enabled"`
}

func (p *platform) renderParameters(d *plan.Desired, fleets []fleet) error {
	for _, stage := range stages {
		d.Parameters = append(d.Parameters, plan.Parameter{
			Name: p.fleetSecretParameter(stage), Type: "SecureString", DataType: "text",
			Generate: "hex48", Policy: plan.PolicyCreate, Contract: true,
			Describe: "Fleet secret for " + stage + " fleet-stage worker registration.", Source: p.Source,
		})
	}
	for _, f := range fleets {
		config, err := f.desiredConfig()
		if err != nil {
			return err
		}
		d.Parameters = append(d.Parameters, plan.Parameter{
			Name: f.fleetParameter(f.Fleet, "desired_config"), Type: "String", DataType: "text", Value: config,
			Policy: plan.PolicyOwn, Fleet: f.ID(), Contract: true, Source: f.Source,
			Describe: "Wanted state of fleet " + f.ID(),
		})
		pointer, err := f.activeBundle(d.Bundles)
		if err != nil {
			return err
		}
		d.Parameters = append(d.Parameters, pointer)
	}
	slices.SortFunc(d.Parameters, func(a, b plan.Parameter) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (f fleet) desiredConfig() (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(desiredConfig{
		Version: 1, TemplateSlug: f.Template, InstanceType: f.InstanceTypes[0],
		AMISSMParameter: f.amiParameter(f.Fleet), Enabled: f.Enabled,
	})
	if err != nil {
		return "", fmt.Errorf("fleet %s: desired_config: %w", f.ID(), err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// activeBundle is created as "none" and left to the Admin UI, unless the fleet
// names a bundle: then it is ours, and waits for the bundle to be stored.
func (f fleet) activeBundle(bundles []plan.Bundle) (plan.Parameter, error) {
	parameter := plan.Parameter{
		Name: f.fleetParameter(f.Fleet, "active_bundle"), Type: "String", DataType: "text", Value: "none",
		Policy: plan.PolicyCreate, Fleet: f.ID(), Contract: true, Source: f.Source,
		Describe: "Active bundle of fleet " + f.ID(),
	}
	if f.Bundle == "" {
		return parameter, nil
	}
	i := slices.IndexFunc(bundles, func(b plan.Bundle) bool { return b.Name == f.Bundle })
	if i < 0 {
		return plan.Parameter{}, fmt.Errorf("fleet %s: no bundle %q", f.ID(), f.Bundle)
	}
	parameter.Value, parameter.Policy, parameter.Bundle = bundle.Pointer(bundles[i].Manifest.BundleID), plan.PolicyOwn, f.Bundle
	parameter.Source = f.At("spec.bundle")
	return parameter, nil
}
