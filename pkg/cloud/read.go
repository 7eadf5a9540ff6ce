package cloud

import (
	"context"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/ami"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

const (
	// readsAtOnce bounds the calls of one read; the budget bounds what is in flight.
	readsAtOnce = 32
	// stacksAtOnce bounds the stacks that are read with template and resources.
	stacksAtOnce = 4
	// maxRounds ends a plan that never has enough.
	maxRounds = 8
)

// Read reads what a plan for the desired state needs, in two phases. First,
// side by side, all that follows from the specs: the index of stacks by the
// page and after it the stacks that others refer to, parameters in tens, groups
// in hundreds, launch templates by the page and the named extras. Then, a few at
// a time, what the answers ask for: the stacks whose digest differs.
//
// For an unchanged platform that is one STS call, the pages of the stack list,
// ⌈names/10⌉ + ⌈groups/100⌉ calls and the named extras. Before the account is
// known to be the right one nothing else is asked: Live then holds only it.
func (c *Cloud) Read(ctx context.Context, d plan.Desired, sel plan.Selection) (plan.Live, error) {
	account, err := c.Account(ctx)
	if err != nil {
		return plan.Live{}, err
	}
	if !c.isPlace(account, d.Target) {
		return plan.Live{Account: account, Region: c.region}, nil
	}
	want, err := plan.Reads(d, sel)
	if err != nil {
		return plan.Live{}, err
	}
	r := newReader(c, account, d)
	if err := r.read(ctx, r.unasked(want), true); err != nil {
		return plan.Live{}, err
	}
	err = r.rounds(ctx, func() (plan.ReadSet, error) { return plan.More(d, r.live, sel) })
	if err != nil {
		return plan.Live{}, err
	}
	r.live.NotRead = r.notRead(sel)
	return r.live, nil
}

// ReadDestroy reads what a plan to destroy needs: the index of stacks first,
// then what the stacks that are ours ask for. The account decides as in Read.
func (c *Cloud) ReadDestroy(ctx context.Context, d plan.Desired, o plan.DestroyOptions) (plan.Live, error) {
	account, err := c.Account(ctx)
	if err != nil {
		return plan.Live{}, err
	}
	if !c.isPlace(account, d.Target) {
		return plan.Live{Account: account, Region: c.region}, nil
	}
	r := newReader(c, account, d)
	r.live.Parameters = nil // not read yet, which DestroyReads looks at
	if err := r.read(ctx, plan.ReadSet{}, true); err != nil {
		return plan.Live{}, err
	}
	err = r.rounds(ctx, func() (plan.ReadSet, error) { return plan.DestroyReads(d, r.live, o) })
	if err != nil {
		return plan.Live{}, err
	}
	r.live.NotRead = r.notRead(o.Select)
	return r.live, nil
}

// isPlace tells whether this account and region are the ones of the specs.
func (c *Cloud) isPlace(account string, t plan.Target) bool {
	return account == t.Account && (c.region == t.Region || t.Region == "")
}

// rounds reads what is asked for until nothing new is.
func (r *reader) rounds(ctx context.Context, ask func() (plan.ReadSet, error)) error {
	for range maxRounds {
		more, err := ask()
		if err != nil {
			return err
		}
		if more = r.unasked(more); more.Empty() {
			return nil
		}
		if err := r.read(ctx, more, false); err != nil {
			return err
		}
	}
	return nil
}

// reader collects one plan.Live. Its maps are written under the mutex.
type reader struct {
	cloud   *Cloud
	account string
	owner   string            // the Platform
	desired map[string]bool   // names of stacks
	asked   map[string]bool   // "kind name" of everything asked for
	owners  map[string]string // of parameters, by name

	mu      sync.Mutex
	live    plan.Live
	pages   int      // of the list of stacks
	foreign []string // stacks whose template is not JSON
}

func newReader(c *Cloud, account string, d plan.Desired) *reader {
	desired := make(map[string]bool, len(d.Stacks))
	for _, s := range d.Stacks {
		desired[s.Name] = true
	}
	return &reader{cloud: c, account: account, owner: d.Target.Platform, desired: desired, asked: map[string]bool{}, owners: map[string]string{}, live: plan.Live{
		Account:         account,
		Region:          c.region,
		Stacks:          map[string]plan.LiveStack{},
		Parameters:      map[string]plan.LiveParameter{},
		Secrets:         map[string]plan.LiveSecret{},
		LogGroups:       map[string]plan.LiveLogGroup{},
		Groups:          map[string]plan.LiveGroup{},
		LaunchTemplates: map[string]plan.LiveLaunchTemplate{},
		AMIs:            map[string]ami.Image{},
		Images:          map[string]plan.LiveImage{},
		Bundles:         map[string]plan.LiveBundle{},
		Assets:          map[string]plan.LiveAsset{},
		Certificates:    map[string]plan.LiveCertificate{},
		Named:           map[string]plan.LiveNamed{},
		Remains:         map[string]map[string]plan.LiveResource{},
	}}
}

// unasked leaves out what was asked for before, and remembers the rest.
func (r *reader) unasked(s plan.ReadSet) plan.ReadSet {
	names := func(kind string, all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !r.first(kind, n) })
	}
	s.Stacks = names("stack", s.Stacks)
	s.StackOutputs = names("outputs", s.StackOutputs)
	s.Parameters = names("parameter", s.Parameters)
	s.Secrets = names("secret", s.Secrets)
	s.LogGroups = names("log group", s.LogGroups)
	s.Groups = names("group", s.Groups)
	s.LaunchTemplates = names("launch template", s.LaunchTemplates)
	s.AMIs = names("AMI", s.AMIs)
	s.Images = slices.DeleteFunc(slices.Clone(s.Images), func(i plan.Image) bool { return !r.first("image", i.Repository+":"+i.Tag) })
	objects := func(kind string, all []plan.Object) []plan.Object {
		return slices.DeleteFunc(slices.Clone(all), func(o plan.Object) bool { return !r.first(kind, o.Bucket+"/"+o.Key) })
	}
	s.Manifests, s.Assets, s.Copied = objects("manifest", s.Manifests), objects("asset", s.Assets), objects("asset", s.Copied)
	if s.Certificate != "" && !r.first("certificate", s.Certificate) {
		s.Certificate = ""
	}
	if s.ParameterPath != "" && !r.first("path", s.ParameterPath) {
		s.ParameterPath = ""
	}
	if s.OwnedBy != "" && !r.first("owner", s.OwnedBy) {
		s.OwnedBy = ""
	}
	return r.unaskedNamed(s)
}

func (r *reader) first(kind, name string) bool {
	k := kind + " " + name
	if r.asked[k] {
		return false
	}
	r.asked[k] = true
	return true
}

// read asks for everything in the set, side by side.
func (r *reader) read(ctx context.Context, s plan.ReadSet, index bool) error {
	if r.live.Parameters == nil && (len(s.Parameters) > 0 || s.OwnedBy != "") {
		r.live.Parameters = map[string]plan.LiveParameter{}
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	described := map[string]plan.LiveStack{}
	g.Go(func() error {
		if index {
			if err := r.index(inner); err != nil {
				return err
			}
		}
		r.outputs(inner, g, s.StackOutputs, described)
		return nil
	})
	r.listings(inner, g, s)
	r.extras(inner, g, s)
	r.named(inner, g, s)
	r.names(inner, g, s)
	if err := g.Wait(); err != nil {
		return err
	}
	for name, stack := range described {
		r.live.Stacks[name] = withRead(stack, r.live.Stacks[name])
	}
	for name, owner := range r.owners {
		if p, ok := r.live.Parameters[name]; ok {
			p.Owner = owner
			r.live.Parameters[name] = p
		}
	}
	if index {
		if err := r.marks(ctx); err != nil {
			return err
		}
		if err := r.tokens(ctx); err != nil {
			return err
		}
	}
	return r.stacks(ctx, s.Stacks)
}

// tokens reads whose operation runs on the stacks that are busy and concern us.
func (r *reader) tokens(ctx context.Context) error {
	var working []plan.LiveStack
	for _, name := range sortedKeys(r.live.Stacks) {
		if s := r.live.Stacks[name]; busy(s.Status) && (s.Marker.Owner == r.owner || r.desired[name]) {
			working = append(working, s)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for i := range working {
		g.Go(func() (err error) {
			working[i].Token, err = r.cloud.newestToken(ctx, working[i].ID)
			return err
		})
	}
	err := g.Wait()
	for _, s := range working {
		r.live.Stacks[s.Name] = s
	}
	return err
}

func (r *reader) index(ctx context.Context) error {
	stacks, n, err := r.cloud.listStacks(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live.Stacks, r.pages = stacks, n
	return nil
}

// outputs describes stacks for what the index does not have: one by one, or by
// the page where the account has fewer pages than they are.
func (r *reader) outputs(ctx context.Context, g *errgroup.Group, names []string, into map[string]plan.LiveStack) {
	if len(names) > r.pages {
		g.Go(func() error {
			all, err := r.cloud.describeAllStacks(ctx)
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, n := range names {
				if s, ok := all[n]; ok {
					into[n] = s
				}
			}
			return err
		})
		return
	}
	for _, n := range names {
		g.Go(func() error {
			s, err := r.cloud.describeStack(ctx, n)
			if err != nil || s == nil {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			into[n] = *s
			return nil
		})
	}
}

// withRead keeps what was read of a stack beside its description.
func withRead(described, before plan.LiveStack) plan.LiveStack {
	if before.ID == described.ID {
		if !described.Owned {
			described.Marker, described.Owned = before.Marker, before.Owned
		}
		described.Template, described.Resources, described.Token = before.Template, before.Resources, before.Token
	}
	return described
}

// stacks reads description, template and resources of stacks, few at a time:
// these calls have no page and a low limit.
func (r *reader) stacks(ctx context.Context, names []string) error {
	read := make([]plan.LiveStack, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for i, n := range names {
		known, ok := r.live.Stacks[n]
		if !ok {
			continue
		}
		g.Go(func() (err error) {
			read[i], err = r.stack(ctx, known)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, n := range names {
		if read[i].Name != "" {
			r.live.Stacks[n] = read[i]
		}
	}
	return nil
}

func (r *reader) stack(ctx context.Context, s plan.LiveStack) (plan.LiveStack, error) {
	if !s.Described {
		d, err := r.cloud.describeStack(ctx, s.ID)
		if err != nil || d == nil {
			return plan.LiveStack{}, err
		}
		if !d.Owned {
			d.Marker, d.Owned = s.Marker, s.Owned
		}
		s = withRead(*d, s)
	}
	if !hasTemplate(s.Status) {
		s.Template, s.Resources = &cfn.Template{}, map[string]plan.LiveResource{}
		return s, nil
	}
	var err error
	if s.Template, err = r.cloud.template(ctx, s.ID); err != nil {
		return plan.LiveStack{}, err
	}
	markByTemplate(&s)
	if s.Template == nil {
		r.mu.Lock()
		r.foreign = append(r.foreign, s.Name)
		r.mu.Unlock()
	}
	s.Resources, err = r.cloud.resources(ctx, s.ID)
	return s, err
}

// notRead says what this read did not look at, for people.
func (r *reader) notRead(sel plan.Selection) []string {
	out := []string{
		"hand edits of resources inside stacks",
		"values of secrets",
	}
	if !sel.All() {
		out = append(out, "stacks, fleets and parameters outside the selection")
	}
	sort.Strings(r.foreign)
	for _, name := range r.foreign {
		out = append(out, "the template of stack "+name+": it is not one that reconcile wrote")
	}
	return out
}
