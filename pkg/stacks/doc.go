// Package stacks turns specs into everything that AWS should have: one
// CloudFormation template per stack, and the parameters, secrets, log groups
// and images that go with them. There is one file per stack, written to be
// read beside the AWS resource reference.
//
// It performs no I/O, reads no clock and knows no AWS client; equal specs give
// equal bytes. What AWS refuses and why a property has its value are said where
// the property is set; docs/traps.md lists what the templates must never do.
//
// Start with Render, then network.go, the smallest complete stack.
package stacks
