// Package plan says what would change: Desired and Live go in, a Plan comes
// out. Everything here is plain data; Compute is pure, reads no clock and
// performs no I/O, so that equal inputs give equal bytes.
//
// Start with Desired and Live, then Plan and Compute.
package plan
