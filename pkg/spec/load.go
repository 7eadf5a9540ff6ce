package spec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
)

// LoadOptions say which folder to read.
type LoadOptions struct {
	// Dir is a folder on disk. Nothing outside of it is read.
	Dir string
	// FS is a folder instead of Dir: its root is the folder of specs.
	FS fs.FS
	// Name is how the user names the folder, and begins every file name in
	// positions. Without it, Dir.
	Name string
	// Version of the running program, "1.4.2", for a platform's requires. Without
	// it requires is only checked for its form.
	Version string
}

// Limits of a folder. They are far above what a real one needs, and low enough
// that reading a hostile one ends soon.
const (
	maxFileBytes   = 1 << 20
	maxSpecFiles   = 10_000
	maxTotalBytes  = 64 << 20
	maxEntries     = 100_000
	maxDocuments   = 20_000
	fleetTemplates = "fleet-templates.json"
)

// Load reads a folder of specs and validates it, offline, in passes: syntax
// and limits; shape; then the definitions in CUE and the rules across
// documents. The findings of the first pass that has any are returned as
// Issues. Any other error means that the folder could not be read.
//
// CUE files are evaluated in a child process: the running program's main (or
// TestMain) must call ChildMain first.
func Load(ctx context.Context, opts LoadOptions) (Set, error) {
	l, err := newLoader(ctx, opts)
	if err != nil {
		return Set{}, err
	}
	if l.root != nil {
		defer l.root.Close()
	}
	docs, templates, err := l.syntax()
	if err != nil {
		return Set{}, err
	}
	if len(l.issues) > 0 {
		return Set{}, l.findings()
	}
	if issue, tooOld := requiresNewer(docs, opts.Version); tooOld {
		return Set{}, Issues{issue}
	}
	if err := l.shape(docs, templates); err != nil {
		return Set{}, err
	}
	if len(l.issues) > 0 {
		return Set{}, l.findings()
	}
	set, err := l.unify(docs, templates)
	if err != nil {
		return Set{}, err
	}
	if len(l.issues) == 0 {
		l.issues = append(l.issues, dynamicReferences(docs)...)
		l.rules(&set)
	}
	if len(l.issues) > 0 {
		return Set{}, l.findings()
	}
	set.Dir, set.Digest = l.name, l.digest()
	set.Files = l.filesRead()
	return set, nil
}

// maxIssues is how many findings a Load returns: a generated file can have
// hundreds of thousands, and nobody reads them.
const maxIssues = 1000

// findings are the issues so far, sorted, the first of very many.
func (l *loader) findings() Issues {
	all := l.issues.sorted()
	if len(all) <= maxIssues {
		return all
	}
	shown := slices.Clone(all[:maxIssues])
	shown.add(Source{File: all[maxIssues].File, Line: all[maxIssues].Line, Column: all[maxIssues].Column}, "", "too-many",
		"and "+count(len(all)-maxIssues, "more finding")+", not shown")
	return shown
}

// loader holds what one Load has read and found.
type loader struct {
	ctx    context.Context
	fsys   fs.FS
	root   *os.Root // of a folder on disk
	name   string
	issues Issues
	// entries are all regular files of the folder, sorted, for references.
	entries []string
	isEntry map[string]bool
	read    map[string][]byte // files read, by path in the folder
	bytes   int
}

func newLoader(ctx context.Context, opts LoadOptions) (*loader, error) {
	l := &loader{ctx: ctx, fsys: opts.FS, name: opts.Name, isEntry: map[string]bool{}, read: map[string][]byte{}}
	if l.name == "" {
		l.name = opts.Dir
	}
	if l.fsys != nil {
		return l, nil
	}
	if opts.Dir == "" {
		return nil, errors.New("no folder of specs is named")
	}
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("specs folder %s: %w", opts.Dir, plainPathError(err))
	}
	l.root, l.fsys = root, root.FS()
	return l, nil
}

// plainPathError is the reason in an error about a path, without the path.
func plainPathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// digest covers the names and the bytes of the files read, names as they are
// in the folder, so that it does not depend on how the folder is named.
func (l *loader) digest() string {
	h := sha256.New()
	for _, name := range l.pathsRead() {
		fmt.Fprintf(h, "%d %s %d\n", len(name), name, len(l.read[name]))
		h.Write(l.read[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (l *loader) pathsRead() []string {
	names := make([]string, 0, len(l.read))
	for n := range l.read {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (l *loader) filesRead() []string {
	names := l.pathsRead()
	for i, n := range names {
		names[i] = l.shown(n)
	}
	return names
}
