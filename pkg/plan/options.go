package plan

// Options of Compute.
type Options struct {
	Tool   string // version of the program, for Plan.Tool
	Select Selection
	// Approve holds the consents that name their target. They lift the refusal of
	// a mass deletion, which a blanket consent does not. Expired ones must be left
	// out by the caller: Compute knows no clock.
	Approve []Approval
}

// Selection narrows a plan to fleets and stacks, by globs as in path.Match
// ("staging/*", "bp-*"; "*" alone is everything). The zero value is everything.
// What a selected thing depends on is included only where it is missing in AWS.
type Selection struct {
	Fleets []string // STAGE/SLUG
	Stacks []string // stack names
	// Bundles are names of bundles of the specs, used by fleets or not, with the
	// pointers of the fleets that use them. Stacks are not added to these.
	Bundles   []string
	StoreOnly bool // Bundles are without those pointers
	// Since limits the plan further to what a change of the specs can affect, and
	// adds the deletion of stacks that the change took away; nil: no such limit.
	Since *Since
}

// All tells whether nothing was narrowed.
func (s Selection) All() bool { return !s.named() && !s.Since.narrows() }

// named tells whether fleets, stacks or bundles were named.
func (s Selection) named() bool { return len(s.Fleets)+len(s.Stacks)+len(s.Bundles) > 0 }

// DestroyOptions of Destroy.
type DestroyOptions struct {
	Tool string
	// Select narrows by live stacks and by the fleets they hold; it needs no specs.
	Select Selection
	// Resources are stateful resources, "STACK/LogicalID", that a destroy does
	// not keep. Naming one is not an approval.
	Resources []string
}
