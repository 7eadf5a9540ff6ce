package sandbox

// imageExists tells whether EC2 knows an AMI.
func (c *call) imageExists(id string) bool {
	return !c.account.Bare && isStockedAMI(id)
}
