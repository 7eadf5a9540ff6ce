package stacks

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // a name-based UUID, not a signature
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
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
		bundle, object, err := f.activeBundle()
		if err != nil {
			return err
		}
		if object != nil && !slices.Contains(d.Objects, *object) {
			d.Objects = append(d.Objects, *object)
		}
		d.Parameters = append(d.Parameters, bundle)
	}
	slices.SortFunc(d.Parameters, func(a, b plan.Parameter) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Objects, func(a, b plan.Object) int { return strings.Compare(a.Bucket+"/"+a.Key, b.Bucket+"/"+b.Key) })
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
// names a bundle: then it is ours, and waits for the bundle's manifest.
func (f fleet) activeBundle() (plan.Parameter, *plan.Object, error) {
	parameter := plan.Parameter{
		Name: f.fleetParameter(f.Fleet, "active_bundle"), Type: "String", DataType: "text", Value: "none",
		Policy: plan.PolicyCreate, Fleet: f.ID(), Contract: true, Source: f.Source,
		Describe: "Active bundle of fleet " + f.ID(),
	}
	if f.Bundle == "" {
		return parameter, nil, nil
	}
	i := slices.IndexFunc(f.set.Bundles, func(b spec.Bundle) bool { return b.Name == f.Bundle })
	if i < 0 {
		return plan.Parameter{}, nil, fmt.Errorf("fleet %s: no bundle %q", f.ID(), f.Bundle)
	}
	id, err := BundleID(f.set.Bundles[i])
	if err != nil {
		return plan.Parameter{}, nil, err
	}
	object := plan.Object{Bucket: f.bucket("models"), Key: "bundles/" + id + "/manifest.json"}
	parameter.Value, parameter.Policy, parameter.Object = "bundles/"+id, plan.PolicyOwn, object.Key
	parameter.Source = f.At("spec.bundle")
	return parameter, &object, nil
}

// BundleID is the bundle's UUID (version 5): equal content has an equal id, so
// that publishing a bundle twice is the same bundle, and any change of it is
// another one. Where a file comes from does not count.
func BundleID(b spec.Bundle) (string, error) {
	type asset struct{ Kind, SHA256, Filename, TargetPath, Action string }
	content := struct {
		Name, Title, Notes string
		Assets             []asset
	}{b.Name, b.Title, b.Notes, nil}
	for _, a := range b.Assets {
		content.Assets = append(content.Assets, asset{a.Kind, a.SHA256, a.Filename, a.TargetPath, a.Action})
	}
	text, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("bundle %s: %w", b.Name, err)
	}
	// The URL namespace of RFC 9562, and a name that no URL has.
	namespace := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(namespace, append([]byte("reconcile:bundle:"), text...)...)) //nolint:gosec // see above
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), nil
}
