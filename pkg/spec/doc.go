// Package spec reads a folder of YAML and CUE documents into a Set, or says
// what is wrong with it: every finding of a pass at once, each with
// file:line:column, what is wrong and the nearest right thing.
//
// It talks to no network and no AWS, and never follows a path out of the
// folder. Start with Load.
package spec
