package sandbox

// claim gives an account in which nothing was made yet to the one who comes
// with an id: somebody set faults, or looked, before the first plan.
func (s *Sandbox) claim() error {
	a, o := s.account, s.options
	if o.Account == "" || o.Account == a.ID && (o.Region == "" || o.Region == a.Region) || !a.untouched() {
		return nil
	}
	was := a.Regions[a.Region]
	delete(a.Regions, a.Region)
	last := a.Last
	s.adopt(a)
	if last.After(a.Last) {
		a.Last = last
	}
	if was != nil { // its faults
		was.Name = a.Region
		if was.Stacks != nil {
			was.Stacks.Account, was.Stacks.Region, was.Stacks.Seed = a.ID, a.Region, a.number("stacks", a.Region)
		}
		a.Regions[a.Region] = was
	}
	s.attach()
	s.fresh = true
	return s.store.compact(a)
}

// untouched tells that nothing was ever made in the account.
func (a *account) untouched() bool {
	if a.Serial != 0 || len(a.Buckets) != 0 || len(a.Regions) > 1 {
		return false
	}
	for _, r := range a.Regions {
		if r.Stacks != nil && len(r.Stacks.Stacks) > 0 ||
			len(r.Parameters)+len(r.Images)+len(r.Secrets)+len(r.LogGroups)+len(r.Repositories)+len(r.Services)+len(r.Groups)+len(r.LaunchTemplates) > 0 {
			return false
		}
	}
	return true
}
