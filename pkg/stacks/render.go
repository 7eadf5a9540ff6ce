package stacks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// Options of Render.
type Options struct {
	Revision string // git revision of the specs, or empty
}

// Render is everything that the specs ask for. Equal specs give equal bytes,
// whatever the order of their documents. It fails only on specs that
// spec.Load would have refused.
func Render(set spec.Set, opts Options) (plan.Desired, error) {
	p := &platform{Platform: set.Platform, set: set, boot: script(workerBootScript), off: map[string]int{}}
	for i, e := range p.Exceptions {
		p.off[e.Rule] = i
	}
	fleets, err := p.fleets()
	if err != nil {
		return plan.Desired{}, err
	}
	target := plan.Target{
		Platform: p.Name, Account: p.Account, Region: p.Region, Revision: opts.Revision, Specs: set.Digest, Role: p.execARN(),
	}
	d := plan.Desired{Target: target, Folder: set.Dir, Own: plan.OwnOf(target), Approvals: slices.Clone(p.Approvals)}
	if err := p.renderStacks(&d, fleets); err != nil {
		return plan.Desired{}, err
	}
	if err := p.renderBundles(&d); err != nil {
		return plan.Desired{}, err
	}
	if err := p.renderParameters(&d, fleets); err != nil {
		return plan.Desired{}, err
	}
	p.renderSecrets(&d)
	p.renderLogGroups(&d, fleets)
	p.renderImages(&d)
	if p.Domain.Set() {
		d.Certificate = &plan.Certificate{
			ARN: p.Domain.CertificateARN, Domain: p.Domain.Name, Stack: p.compute(), Source: p.At("spec.domain.certificateArn"),
		}
	}
	for _, f := range fleets {
		d.Fleets = append(d.Fleets, plan.Fleet{
			ID: f.ID(), Stack: f.fleetStack(f.Fleet), Group: groupName(f.Fleet), MaxSize: f.template.MaxSize,
			AMIParameter: f.amiParameter(f.Fleet), Source: f.Source,
		})
	}
	d.Notes = append(p.notes(), p.quotas(d)...)
	return d, nil
}

// fleets pairs each fleet with its template, sorted by ID.
func (p *platform) fleets() ([]fleet, error) {
	fleets := make([]fleet, 0, len(p.set.Fleets))
	for _, f := range p.set.Fleets {
		template, ok := p.set.Template(f.Template)
		if !ok {
			return nil, fmt.Errorf("fleet %s: no fleet template %q", f.ID(), f.Template)
		}
		if len(f.InstanceTypes) == 0 {
			return nil, fmt.Errorf("fleet %s has no instance types", f.ID())
		}
		fleets = append(fleets, fleet{platform: p, Fleet: f, template: template})
	}
	slices.SortFunc(fleets, func(a, b fleet) int { return strings.Compare(a.ID(), b.ID()) })
	return fleets, nil
}

func (p *platform) renderStacks(d *plan.Desired, fleets []fleet) error {
	network, err := p.networkStack()
	if err != nil {
		return err
	}
	d.Stacks = append(d.Stacks, network, p.dataStack(), p.computeStack(), p.gpuSharedStack(), p.cicdStack())
	d.Stacks = append(d.Stacks, p.monitoringStacks(fleets)...)
	own := make([]plan.Stack, len(fleets))
	each(len(fleets), func(i int) { own[i] = fleets[i].stack() })
	d.Stacks = append(d.Stacks, own...)
	for _, doc := range p.set.Stacks {
		s, err := p.userStack(doc)
		if err != nil {
			return err
		}
		d.Stacks = append(d.Stacks, s)
	}
	p.bind(d.Stacks)
	d.Stacks = append(d.Stacks, p.reconcileStack(d.Stacks))
	slices.SortStableFunc(d.Stacks, func(a, b plan.Stack) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(d.Stacks); i++ {
		if a, b := d.Stacks[i-1], d.Stacks[i]; a.Name == b.Name {
			return fmt.Errorf("two stacks are named %s: %s and %s", a.Name, place(a.Source), place(b.Source))
		}
	}
	return nil
}

func place(s spec.Source) string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

func (p *platform) renderSecrets(d *plan.Desired) {
	d.Secrets = []plan.Secret{
		{Name: p.laravelKeyName(), Stack: p.data(), Generate: "laravel-key", Source: p.Source},
		{Name: p.oauthName(), Stack: p.data(), Generate: "oauth-empty", Source: p.Source,
			Describe: "social login is not configured: the OAuth keys are empty"},
	}
}

// renderLogGroups: both stages of a slug write to one group, which is kept as
// long as the stage that needs it longest says.
func (p *platform) renderLogGroups(d *plan.Desired, fleets []fleet) {
	days := map[string]int{"staging": 7, "production": 30}
	bySlug := map[string]plan.LogGroup{}
	for _, f := range fleets {
		name := workerLogGroup(f.Name)
		if g, ok := bySlug[name]; !ok || days[f.Stage] > g.RetentionDays {
			bySlug[name] = plan.LogGroup{Name: name, RetentionDays: days[f.Stage], Source: f.Source}
		}
	}
	for _, g := range bySlug {
		d.LogGroups = append(d.LogGroups, g)
	}
	slices.SortFunc(d.LogGroups, func(a, b plan.LogGroup) int { return strings.Compare(a.Name, b.Name) })
}

// renderImages: a service's tasks do not start without them.
func (p *platform) renderImages(d *plan.Desired) {
	for _, i := range []struct{ repository, tag, field string }{
		{p.backendName(), "nginx-latest", "spec.backend"},
		{p.backendName(), "php-latest", "spec.backend"},
		{p.frontendName(), "latest", "spec.frontend"},
	} {
		d.Images = append(d.Images, plan.Image{
			Repository: i.repository, Tag: i.tag, Stack: p.compute(), Source: p.At(i.field),
		})
	}
}

// notes are what every plan should say.
func (p *platform) notes() []plan.Finding {
	notes := p.exceptionNotes()
	if !p.Domain.Set() {
		notes = append(notes, plan.Finding{
			Severity: plan.SeverityNote, Code: "http-only", Target: p.compute(), Source: p.At("spec.domain"),
			Message: "the load balancer serves plain HTTP: spec.domain gives it a host name and a certificate",
		})
	}
	return notes
}
