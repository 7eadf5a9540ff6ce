package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// The state file has one JSON value per line: a header, a snapshot of the
// account, then the journal, one line for each request that changed something
// since. Opening it reads the snapshot and serves the journal again. A torn
// last line, left by a crash while it was written, is a request that was never
// answered, and is dropped. Several processes may use one file: each locks it
// for the time of one request and first catches up with what others appended.
// The file is replaced, never rewritten, when the journal has grown.

// header is the first line. Generation differs for every snapshot.
type header struct {
	Format int    `json:"reconcile-sandbox"`
	Note   string `json:"note"`
}

const headerNote = "state of `reconcile sandbox`: a snapshot and a journal, one JSON value a line; `reconcile sandbox reset` starts anew"

// entry is one line of the journal.
type entry struct {
	At time.Time `json:"t"`
	request
}

// store is the open state file. All methods but open and close need the lock.
type store struct {
	path     string
	f        *os.File
	offset   int64 // up to here the file has been read or written by us
	snapshot int64 // size of header and snapshot
	entries  int   // lines of journal
}

// A journal is folded into a new snapshot when it is both longer than this
// and longer than the snapshot, so that the cost of a write stays constant.
const compactBytes = 1 << 20

// ErrState says that a state file cannot be used. Its text says what to do.
type ErrState struct {
	Path string
	Err  error
}

func (e *ErrState) Error() string {
	return fmt.Sprintf("sandbox state %s: %v; `reconcile sandbox reset` starts a new one", e.Path, e.Err)
}

func (e *ErrState) Unwrap() error { return e.Err }

// errReplaced tells that another process put a new file in place of ours.
var errReplaced = errors.New("the state file was replaced")

// openStore opens or creates the file without reading it.
func openStore(path string) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("sandbox state: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sandbox state: %w", err)
	}
	return &store{path: path, f: f}, nil
}

// lock takes the file for one request. errReplaced means that st.f is now
// another file, of which nothing has been read.
func (st *store) lock() error {
	replaced := false
	for {
		if err := lockFile(st.f); err != nil {
			return fmt.Errorf("lock %s: %w", st.path, err)
		}
		mine, err := st.f.Stat()
		if err != nil {
			return fmt.Errorf("sandbox state: %w", err)
		}
		now, err := os.Stat(st.path)
		if err == nil && os.SameFile(mine, now) {
			break
		}
		next, err := openStore(st.path)
		if err != nil {
			return errors.Join(err, st.unlock())
		}
		if err := st.f.Close(); err != nil { // gives the lock back, too
			return fmt.Errorf("sandbox state: %w", err)
		}
		*st = *next
		replaced = true
	}
	if replaced {
		return errReplaced
	}
	return nil
}

func (st *store) unlock() error {
	if err := unlockFile(st.f); err != nil {
		return fmt.Errorf("unlock %s: %w", st.path, err)
	}
	return nil
}

func (st *store) close() error { return st.f.Close() }

// size tells how long the file is now.
func (st *store) size() (int64, error) {
	info, err := st.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("sandbox state: %w", err)
	}
	return info.Size(), nil
}

// read returns the snapshot and the journal. ok is false for an empty file.
func (st *store) read() (a *account, journal []entry, ok bool, err error) {
	size, err := st.size()
	if err != nil || size == 0 {
		return nil, nil, false, err
	}
	b := make([]byte, size)
	if _, err := st.f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, false, fmt.Errorf("sandbox state: %w", err)
	}
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	var h header
	if err := json.Unmarshal(first, &h); err != nil || h.Format == 0 {
		return nil, nil, false, &ErrState{st.path, errors.New("this is not a state file of the sandbox")}
	}
	if h.Format > formatVersion {
		return nil, nil, false, &ErrState{st.path, fmt.Errorf("written by a newer version (format %d, this one reads %d)", h.Format, formatVersion)}
	}
	second, rest, complete := bytes.Cut(rest, []byte("\n"))
	if !complete {
		return nil, nil, false, &ErrState{st.path, errors.New("the snapshot is incomplete")}
	}
	if a, err = decodeAccount(second); err != nil {
		return nil, nil, false, &ErrState{st.path, err}
	}
	st.snapshot = int64(len(first) + len(second) + 2)
	st.offset, st.entries = st.snapshot, 0
	journal, err = st.parse(rest)
	return a, journal, true, err
}

// tail returns what other processes appended since we last looked.
func (st *store) tail() ([]entry, error) {
	size, err := st.size()
	if err != nil || size == st.offset {
		return nil, err
	}
	if size < st.offset {
		return nil, &ErrState{st.path, errors.New("the file was cut")}
	}
	b := make([]byte, size-st.offset)
	if _, err := st.f.ReadAt(b, st.offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("sandbox state: %w", err)
	}
	return st.parse(b)
}

// parse reads journal lines and moves offset behind the last whole one.
func (st *store) parse(b []byte) ([]entry, error) {
	var out []entry
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return out, nil
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, &ErrState{st.path, fmt.Errorf("journal line %d: %w", st.entries+1, err)}
		}
		out = append(out, e)
		st.entries++
		st.offset += int64(len(line) + 1)
		b = rest
	}
}

// append writes one line of journal, over a torn one if there is any.
func (st *store) append(e entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("sandbox journal: %w", err)
	}
	b = append(b, '\n')
	size, err := st.size()
	if err != nil {
		return err
	}
	if size > st.offset {
		if err := st.f.Truncate(st.offset); err != nil {
			return fmt.Errorf("sandbox journal: %w", err)
		}
	}
	if _, err := st.f.WriteAt(b, st.offset); err != nil {
		return fmt.Errorf("sandbox journal: %w", err)
	}
	st.offset += int64(len(b))
	st.entries++
	return nil
}

// wantsCompaction tells that the journal has outgrown the snapshot.
func (st *store) wantsCompaction() bool {
	journal := st.offset - st.snapshot
	return journal > compactBytes && journal > st.snapshot
}

// wantsFolding tells that the next Open would be faster with a new snapshot.
func (st *store) wantsFolding() bool { return st.entries > 100 }

// compact puts a new file with only a snapshot in the place of the old one,
// and leaves the new one locked.
func (st *store) compact(a *account) error {
	head, err := json.Marshal(header{Format: formatVersion, Note: headerNote})
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	b := append(append(append(head, '\n'), body...), '\n')
	tmp, err := os.CreateTemp(filepath.Dir(st.path), filepath.Base(st.path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	if err := replaceFile(tmp, b, st.path); err != nil {
		return errors.Join(fmt.Errorf("sandbox state: %w", err), tmp.Close(), os.Remove(tmp.Name()))
	}
	if err := st.f.Close(); err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	st.f = tmp
	st.snapshot, st.offset, st.entries = int64(len(b)), int64(len(b)), 0
	return nil
}

// replaceFile writes b to tmp, makes it durable, locks it and renames it.
func replaceFile(tmp *os.File, b []byte, path string) error {
	if _, err := tmp.Write(b); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := lockFile(tmp); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
