package stacks_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/bundle"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

// TestRenderIsDeterministic: 1,000 renders, documents in any order, equal bytes.
func TestRenderIsDeterministic(t *testing.T) {
	t.Parallel()
	set := many(2)
	set.Bundles = []spec.Bundle{aBundle("one"), aBundle("two")}
	set.Fleets[0].Bundle, set.Fleets[1].Bundle = "one", "two"
	set.Stacks = []spec.Stack{userStack("extra-a"), userStack("extra-b")}
	first := encode(t, render(t, set))
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		shuffled := set
		shuffled.Fleets, shuffled.Stacks = slices.Clone(set.Fleets), slices.Clone(set.Stacks)
		shuffled.Bundles, shuffled.Templates = slices.Clone(set.Bundles), slices.Clone(set.Templates)
		random.Shuffle(len(shuffled.Fleets), func(i, j int) { shuffled.Fleets[i], shuffled.Fleets[j] = shuffled.Fleets[j], shuffled.Fleets[i] })
		random.Shuffle(2, func(i, j int) {
			shuffled.Stacks[i], shuffled.Stacks[j] = shuffled.Stacks[j], shuffled.Stacks[i]
			shuffled.Bundles[i], shuffled.Bundles[j] = shuffled.Bundles[j], shuffled.Bundles[i]
			shuffled.Templates[i], shuffled.Templates[j] = shuffled.Templates[j], shuffled.Templates[i]
		})
		if got := encode(t, render(t, shuffled)); got != first {
			t.Fatalf("another result:\n%s", cmp.Diff(first, got))
		}
	}
}

func encode(t *testing.T, d plan.Desired) string {
	t.Helper()
	b, err := cfn.Canonical(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRenderSharesNothing: what one caller does to its result is not seen by another.
func TestRenderSharesNothing(t *testing.T) {
	set := shipped()
	before := encode(t, render(t, set))
	d := render(t, set)
	for i := range d.Stacks {
		for id, r := range d.Stacks[i].Template.Resources {
			for k := range r.Properties {
				delete(r.Properties, k)
			}
			delete(d.Stacks[i].Template.Resources, id)
		}
		clear(d.Stacks[i].Tags)
		clear(d.Stacks[i].Sources)
	}
	if encode(t, render(t, set)) != before {
		t.Error("renders share data")
	}
}

func TestContractParameters(t *testing.T) {
	set := shipped()
	set.Bundles = []spec.Bundle{aBundle("base-sdxl")}
	set.Fleets[1].Bundle, set.Fleets[1].Enabled = "base-sdxl", false
	d := render(t, set)
	manifest, err := bundle.Of(set.Bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	id := manifest.BundleID
	type parameter struct {
		Name, Type string
		Value      any
		Generate   string
		Policy     plan.ParameterPolicy
		Bundle     string
		Fleet      string
	}
	want := []parameter{
		{"/bp/fleets/production/fleet-secret", "SecureString", nil, "hex48", plan.PolicyCreate, "", ""},
		{"/bp/fleets/production/gpu-default/active_bundle", "String", "none", "", plan.PolicyCreate, "", "production/gpu-default"},
		{"/bp/fleets/production/gpu-default/desired_config", "String",
			`{"version":1,"template_slug":"gpu-default","instance_type":"g4dn.xlarge","ami_ssm_parameter":"/bp/ami/fleets/production/gpu-default","enabled":true}`,
			"", plan.PolicyOwn, "", "production/gpu-default"},
		{"/bp/fleets/staging/fleet-secret", "SecureString", nil, "hex48", plan.PolicyCreate, "", ""},
		{"/bp/fleets/staging/gpu-default/active_bundle", "String", "bundles/" + id, "", plan.PolicyOwn, "base-sdxl", "staging/gpu-default"},
		{"/bp/fleets/staging/gpu-default/desired_config", "String",
			`{"version":1,"template_slug":"gpu-default","instance_type":"g4dn.xlarge","ami_ssm_parameter":"/bp/ami/fleets/staging/gpu-default","enabled":false}`,
			"", plan.PolicyOwn, "", "staging/gpu-default"},
	}
	var got []parameter
	for _, p := range d.Parameters {
		got = append(got, parameter{p.Name, p.Type, p.Value, p.Generate, p.Policy, p.Bundle, p.Fleet})
		if !p.Contract {
			t.Errorf("%s is shared with the backend", p.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	source := set.Bundles[0].Source
	if diff := cmp.Diff([]plan.Bundle{{
		Name: "base-sdxl", Bucket: "bp-models-123456789012", Stack: "bp-data", Manifest: manifest, Used: true, Source: source,
		Assets: []plan.Asset{{Key: "assets/checkpoint/" + strings.Repeat("a", 64), SHA256: strings.Repeat("a", 64), Source: source, Hash: source}},
	}}, d.Bundles); diff != "" {
		t.Errorf("bundles:\n%s", diff)
	}
}

// TestEnabledIsNoMatterOfTheStack: switching a fleet off changes one parameter.
func TestEnabledIsNoMatterOfTheStack(t *testing.T) {
	set := shipped()
	set.Fleets[0].Enabled = false
	if diff := cmp.Diff(plain(t, render(t, shipped()).Stacks), plain(t, render(t, set).Stacks)); diff != "" {
		t.Errorf("stacks change:\n%s", diff)
	}
}

func aBundle(name string) spec.Bundle {
	return spec.Bundle{
		Meta: meta(name, "specs/"+name+".yaml", 1, nil), Title: "A bundle",
		Assets: []spec.Asset{{Kind: "checkpoint", SHA256: strings.Repeat("a", 64), Filename: "m.safetensors", TargetPath: "models/checkpoints/m.safetensors", Action: "copy"}},
	}
}

func userStack(name string) spec.Stack {
	return spec.Stack{
		Meta: meta(name, "specs/"+name+".yaml", 1, []string{"spec.template", "spec.parameters.Vpc", "spec.tags.Team"}), Template: "./queue.yaml",
		Body: json.RawMessage(`{"AWSTemplateFormatVersion":"2010-09-09","Metadata":{"Reconcile":{"DependsOn":["nobody"]}},
			"Parameters":{"Vpc":{"Type":"String"},"Size":{"Type":"String"}},
			"Resources":{"Queue":{"Type":"AWS::SQS::Queue","DeletionPolicy":"Retain","UpdateReplacePolicy":"Retain"},
			"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{}}}}}`),
		DependsOn:  []string{"bp-data"},
		Parameters: map[string]spec.ParameterValue{"Vpc": {Stack: "bp-network", Output: "VpcId"}, "Size": {Value: "big"}},
		Tags:       map[string]string{"Team": "video", "Service": "queue"},
	}
}

func TestUserStack(t *testing.T) {
	set := shipped()
	set.Stacks = []spec.Stack{userStack("extra")}
	s := stackNamed(t, render(t, set), "extra")
	if diff := cmp.Diff([]string{"bp-data", "bp-network"}, s.DependsOn); diff != "" {
		t.Errorf("depends on:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"Vpc": cfn.StackOutput("bp-network", "VpcId"), "Size": "big"}, s.Parameters); diff != "" {
		t.Errorf("parameters:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"CAPABILITY_IAM"}, s.Capabilities); diff != "" {
		t.Errorf("capabilities:\n%s", diff)
	}
	wantTags := map[string]string{"Project": "AI-Product-Manager", "DeploymentModel": "single-system-fleet-stages", "Owner": "platform-team", "Service": "queue", "Team": "video", "reconcile:owner": "bp"}
	if diff := cmp.Diff(wantTags, s.Tags); diff != "" {
		t.Errorf("tags:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Queue"}, s.Stateful); diff != "" {
		t.Errorf("stateful:\n%s", diff)
	}
	if got := s.SourceOf("Parameters", "Vpc"); got.Line != 3 {
		t.Errorf("source of a parameter: %v", got)
	}
	doc := userStack("extra")
	doc.Capabilities = []string{"CAPABILITY_NAMED_IAM"}
	doc.TerminationProtection = true
	set.Stacks = []spec.Stack{doc}
	s = stackNamed(t, render(t, set), "extra")
	if !s.Protect || !slices.Equal(s.Capabilities, doc.Capabilities) {
		t.Errorf("protect %v, capabilities %v", s.Protect, s.Capabilities)
	}
}

func TestRenderRefuses(t *testing.T) {
	for want, change := range map[string]func(*spec.Set){
		`fleet production/gpu-default: no fleet template "absent"`:                     func(s *spec.Set) { s.Fleets[0].Template = "absent" },
		`fleet production/gpu-default has no instance types`:                           func(s *spec.Set) { s.Fleets[0].InstanceTypes = nil },
		`fleet production/gpu-default: no bundle "absent"`:                             func(s *spec.Set) { s.Fleets[0].Bundle = "absent" },
		`two stacks are named bp-data: specs/platform.yaml:1 and specs/bp-data.yaml:1`: func(s *spec.Set) { s.Stacks = []spec.Stack{userStack("bp-data")} },
		`stack extra: ./queue.yaml has no resources`: func(s *spec.Set) {
			s.Stacks = []spec.Stack{{Meta: meta("extra", "x", 1, nil), Template: "./queue.yaml", Body: []byte(`{}`)}}
		},
		`stack bp-network: network CIDR 10.0.0.0/27 has no room for the subnets of 2 zones: the smallest VPC that has is a /23`: func(s *spec.Set) { s.Platform.Network.CIDR = "10.0.0.0/27" },
		`stack bp-network: 3 NAT gateways in 2 zones`: func(s *spec.Set) { s.Platform.Network.NATGateways = 3 },
	} {
		set := shipped()
		change(&set)
		if _, err := stacks.Render(set, stacks.Options{}); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestCheckFindsWhatAWSWouldRefuse(t *testing.T) {
	set := shipped()
	set.Stacks = []spec.Stack{
		func() spec.Stack {
			s := userStack("bad")
			s.Body = json.RawMessage(`{"Description":"` + strings.Repeat("x", 1000) + `","Resources":{"Queue":{"Type":"AWS::SQS::Queue","Properties":{"DelaySeconds":"soon"}}},"Outputs":{"ReconcileDigest":{"Value":"1"}}}`)
			s.Parameters = map[string]spec.ParameterValue{"A": {Stack: "bp-network", Output: "Nope"}, "B": {Stack: "nobody", Output: "X"}}
			s.DependsOn = []string{"ghost"}
			return s
		}(),
		func() spec.Stack {
			s := userStack("big")
			resources := map[string]any{}
			for i := range 501 {
				resources[fmt.Sprintf("T%03d", i)] = map[string]any{"Type": "AWS::SNS::Topic", "Properties": map[string]any{"DisplayName": strings.Repeat("x", 60), "TopicName": strings.Repeat("y", 2000)}}
			}
			s.Body, _ = json.Marshal(map[string]any{"Resources": resources})
			s.Parameters, s.DependsOn = nil, nil
			return s
		}(),
	}
	var got []string
	for _, p := range stacks.Check(render(t, set)) {
		if p.Source.File == "" || p.Source.Line == 0 {
			t.Errorf("%s: no place in the specs", p)
		}
		got = append(got, p.String())
	}
	for _, want := range []string{
		"bad: 1100 characters", "bad/Queue.DelaySeconds", "bad: reads bp-network.Nope, but stack bp-network has no output Nope",
		"bad: reads nobody.X, but there is no stack nobody", "bad: depends on ghost", "bad: the output ReconcileDigest is ours",
		"big: 501 resources", "big: the template has",
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			if want == "bad: 1100 characters" && slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "bytes of description") }) {
				continue
			}
			t.Errorf("missing %q in:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// TestSizesStayBelowTheLimit with the longest names that the specs allow, TLS
// and encryption, resolved as on AWS.
func TestSizesStayBelowTheLimit(t *testing.T) {
	t.Parallel()
	for _, fleets := range []int{0, 20, 30, 150} {
		for _, slug := range []int{0, 71} {
			set := many(fleets)
			set.Platform.Name = strings.Repeat("p", 20)
			set.Platform.Domain = other().Platform.Domain
			set.Platform.Domain.Name = strings.Repeat("d", 60) + "." + strings.Repeat("e", 60) + ".example.com"
			set.Platform.Cache.Encryption = true
			set.Platform.Network = other().Platform.Network
			for i := range set.Fleets {
				set.Fleets[i].Name += strings.Repeat("s", slug)
			}
			d := render(t, set)
			for _, p := range stacks.Check(d) {
				t.Errorf("%d fleets, slugs +%d: %s", fleets, slug, p)
			}
			for _, s := range d.Stacks {
				closed := cfn.ResolveTemplate(s.Template, func(r cfn.Ref) (string, bool) { return longest(r), true })
				size, err := cfn.Size(cfn.Seal(closed, d.Target.Platform, cfn.Digest(strings.Repeat("0", 64)), strings.Repeat("a", 40)))
				if err != nil || size > 51_200 {
					t.Errorf("%d fleets, slugs +%d: %s: %d bytes resolved, %v", fleets, slug, s.Name, size, err)
				}
			}
		}
	}
}

// longest is a value as long as AWS makes it.
func longest(r cfn.Ref) string {
	if strings.HasSuffix(r.Output, "Arn") {
		return strings.Repeat("a", 120)
	}
	return strings.Repeat("a", 80)
}
