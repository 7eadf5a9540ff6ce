package sandbox

import "reconcile/pkg/sandbox/stackengine"

// providers are the resource types that do something outside of CloudFormation.
func (s *Sandbox) providers(_ *region) map[string]stackengine.Provider {
	return map[string]stackengine.Provider{}
}
