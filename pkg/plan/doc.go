// Package plan says what would change: Desired and Live go in, a Plan comes
// out. Everything here is plain data; Compute is pure, reads no clock and
// performs no I/O, so that equal inputs give equal bytes.
//
// It must not know an AWS client, render output or run anything: what to read
// is asked for by Reads and More, what to do is left to apply.
//
// Start with Desired and Live, then Plan and Compute (stack.go decides about
// one stack); Destroy is the other way to make a plan. testdata/*.txtar shows
// each rule by an example.
package plan
