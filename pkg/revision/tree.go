package revision

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxEntries bounds the files of one folder, as the loader of specs does.
const maxEntries = 100_000

// Files gives the folder of specs at a commit, as a file system whose root is
// the folder. Nothing is written anywhere; files are read from the repository
// when they are opened. A link cannot be opened and is never followed; one
// that leads out of the repository and a submodule are refused, as an
// *EntryError.
func (r *Repository) Files(commit string) (fs.FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.git.CommitObject(plumbing.NewHash(commit))
	if err != nil {
		return nil, r.lacking("read commit "+Short(commit), err)
	}
	root, err := r.folder(c)
	if err != nil {
		return nil, err
	}
	t := &tree{r: r, when: c.Committer.When, nodes: map[string]*node{".": {name: ".", mode: fs.ModeDir | 0o755}}}
	return t, t.add(commit, ".", root)
}

// folder is the tree of the folder of specs at a commit.
func (r *Repository) folder(c *object.Commit) (*object.Tree, error) {
	t, err := c.Tree()
	if err != nil {
		return nil, r.lacking("read the files of "+Short(c.Hash.String()), err)
	}
	if r.below == "." {
		return t, nil
	}
	parts := strings.Split(r.below, "/")
	for i, part := range parts {
		name := strings.Join(parts[:i+1], "/")
		e := entryOf(t, part)
		switch {
		case e == nil:
			return nil, &EntryError{Path: r.dir, Commit: c.Hash.String(), Reason: "is not there", Next: fmt.Sprintf("git ls-tree -r --name-only %s", Short(c.Hash.String()))}
		case e.Mode == filemode.Symlink:
			return nil, &EntryError{Path: name, Commit: c.Hash.String(), Reason: "is a symbolic link, which is not followed; name the folder itself with --specs", Next: fmt.Sprintf("git show %s:%s", Short(c.Hash.String()), name)}
		case e.Mode == filemode.Submodule:
			return nil, r.submodule(name, c.Hash.String())
		case e.Mode != filemode.Dir:
			return nil, &EntryError{Path: name, Commit: c.Hash.String(), Reason: "is no folder"}
		}
		if t, err = object.GetTree(r.git.Storer, e.Hash); err != nil {
			return nil, r.lacking(fmt.Sprintf("read %s at %s", name, Short(c.Hash.String())), err)
		}
	}
	return t, nil
}

func entryOf(t *object.Tree, name string) *object.TreeEntry {
	for i := range t.Entries {
		if t.Entries[i].Name == name {
			return &t.Entries[i]
		}
	}
	return nil
}

func (r *Repository) submodule(name, commit string) error {
	return &EntryError{
		Path: name, Commit: commit, Reason: "is a submodule: its files are in another repository, and no commit of this one says what they are",
		Next: "git rm " + name + ", and commit the files themselves",
	}
}

// tree is the folder at one commit.
type tree struct {
	r     *Repository
	when  time.Time
	nodes map[string]*node
}

type node struct {
	name     string // within its folder
	mode     fs.FileMode
	hash     plumbing.Hash
	children []string // names, sorted
}

// add reads a folder and what is in it.
func (t *tree) add(commit, at string, from *object.Tree) error {
	for _, e := range from.Entries {
		name := path.Join(at, e.Name)
		shown := path.Join(t.r.below, name)
		if !fs.ValidPath(name) || strings.Contains(e.Name, "/") || e.Name == "." || strings.EqualFold(e.Name, ".git") {
			return &EntryError{Path: fmt.Sprintf("%+q", shown), Commit: commit, Reason: "has a name that git itself would not check out"}
		}
		n := &node{name: e.Name, hash: e.Hash, mode: 0o644}
		t.nodes[name] = n
		t.nodes[at].children = append(t.nodes[at].children, e.Name)
		if len(t.nodes) > maxEntries {
			return fmt.Errorf("%s at %s holds more than %d files", t.r.dir, Short(commit), maxEntries)
		}
		switch e.Mode {
		case filemode.Dir:
			n.mode = fs.ModeDir | 0o755
			sub, err := object.GetTree(t.r.git.Storer, e.Hash)
			if err != nil {
				return t.r.lacking(fmt.Sprintf("read %s at %s", shown, Short(commit)), err)
			}
			if err := t.add(commit, name, sub); err != nil {
				return err
			}
		case filemode.Symlink:
			n.mode = fs.ModeSymlink | 0o777
			if err := t.link(commit, shown, e.Hash); err != nil {
				return err
			}
		case filemode.Submodule:
			return t.r.submodule(shown, commit)
		case filemode.Executable:
			n.mode = 0o755
		}
	}
	sort.Strings(t.nodes[at].children)
	return nil
}

// link refuses a link that leads out of the repository.
func (t *tree) link(commit, shown string, h plumbing.Hash) error {
	target, err := t.blob(h, 4096)
	if err != nil {
		return t.r.lacking(fmt.Sprintf("read %s at %s", shown, Short(commit)), err)
	}
	to := string(target)
	if end := path.Join(path.Dir(shown), to); path.IsAbs(to) || end == ".." || strings.HasPrefix(end, "../") {
		return &EntryError{Path: shown, Commit: commit, Reason: "is a symbolic link out of the repository, which is not followed", Next: "git rm " + shown + ", and commit the file itself"}
	}
	return nil
}

// maxBlob is more than any reader here takes of one file.
const maxBlob = 64 << 20

func (t *tree) blob(h plumbing.Hash, most int64) ([]byte, error) {
	b, err := object.GetBlob(t.r.git.Storer, h)
	if err != nil {
		return nil, err
	}
	if b.Size > most {
		return nil, fmt.Errorf("has %d bytes, more than is read", b.Size)
	}
	in, err := b.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(in)
	return data, errors.Join(err, in.Close())
}

// Open opens a file or folder; a link is no file.
func (t *tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	n := t.nodes[name]
	switch {
	case n == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case n.mode.IsDir():
		return &openDir{info{t, n}, name, 0}, nil
	case !n.mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is a symbolic link, which is not followed")}
	}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	data, err := t.blob(n.hash, maxBlob)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: t.r.lacking("read it", err)}
	}
	return &openFile{info{t, n}, bytes.NewReader(data)}, nil
}

// info is what is known of a node without reading it.
type info struct {
	t *tree
	n *node
}

func (i info) Name() string               { return i.n.name }
func (i info) Mode() fs.FileMode          { return i.n.mode }
func (i info) Type() fs.FileMode          { return i.n.mode.Type() }
func (i info) IsDir() bool                { return i.n.mode.IsDir() }
func (i info) ModTime() time.Time         { return i.t.when }
func (i info) Sys() any                   { return nil }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) Size() int64 {
	if i.IsDir() {
		return 0
	}
	i.t.r.mu.Lock()
	defer i.t.r.mu.Unlock()
	size, err := i.t.r.store.EncodedObjectSize(i.n.hash)
	if err != nil {
		return 0
	}
	return size
}

type openFile struct {
	info
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Size() int64                { return f.info.Size() }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	info
	path string
	next int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a folder")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	names := d.n.children[d.next:]
	if n > 0 && len(names) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(names) {
		names = names[:n]
	}
	d.next += len(names)
	out := make([]fs.DirEntry, len(names))
	for i, name := range names {
		out[i] = info{d.t, d.t.nodes[path.Join(d.path, name)]}
	}
	return out, nil
}
