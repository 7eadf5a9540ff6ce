package spec

// CheckContract checks a JSON value against one of the contracts with other
// programs: "fleet-templates", "desired-config" or "bundle-manifest". What is
// wrong comes back as Issues whose file is the given name.
func CheckContract(contract, name string, value []byte) error {
	v, err := newValidator(contract)
	if err != nil {
		return err
	}
	text, issues := checkText(name, value)
	if len(issues) > 0 {
		return issues.sorted()
	}
	root, issues := parseJSON(name, text)
	if root == nil || len(issues) > 0 {
		return issues.sorted()
	}
	if issues := v.check(contract, root); len(issues) > 0 {
		return issues.sorted()
	}
	return nil
}
