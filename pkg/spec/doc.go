// Package spec reads a folder of YAML and CUE documents into a Set, or says
// what is wrong with it: every finding of a pass at once, each with
// file:line:column, what is wrong and the nearest right thing.
//
// It talks to no network and no AWS, and never follows a path out of the
// folder. YAML, CUE and JSON all become nodes with places (node.go); every
// later pass reads nodes. CUE is evaluated in a child process that is bounded
// in time and memory: a program that calls Load calls ChildMain first in main.
//
// Start with Load; the rules across documents are the rules_*.go files.
package spec
