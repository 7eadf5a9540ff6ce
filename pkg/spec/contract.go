package spec

// Contract is a JSON contract with another program, ready to check values.
type Contract struct {
	name string
	v    *validator
}

// OpenContract reads the contract "fleet-templates", "desired-config" or
// "bundle-manifest".
func OpenContract(name string) (Contract, error) {
	v, err := newValidator(name)
	return Contract{name: name, v: v}, err
}

// Check holds a JSON value against the contract. What is wrong comes back as
// Issues whose file is the given name.
func (c Contract) Check(name string, value []byte) error {
	text, issues := checkText(name, value)
	if len(issues) > 0 {
		return issues.sorted()
	}
	root, issues := parseJSON(name, text)
	if root == nil || len(issues) > 0 {
		return issues.sorted()
	}
	if issues := c.v.check(c.name, root); len(issues) > 0 {
		return issues.sorted()
	}
	return nil
}
