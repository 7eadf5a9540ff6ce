// Package ami knows what a fleet's machine image is made of: its lineage, as the
// image's tags tell it, which of two images is the older one, and which images of
// a fleet are in use. It asks nobody and changes nothing.
//
// Start with Lineage and Downgrades.
package ami
