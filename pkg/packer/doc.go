// Package packer runs Packer: it starts a build, reads its machine-readable
// output while it goes on, passes an interrupt on so that Packer takes away what
// it made, and gives back the image that came out. It knows no AWS and no spec.
//
// Start with Build and Run.
package packer
