package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// The state file has one JSON value per line: a header, a snapshot of the
// account, then the journal, one line for each request that changed something
// since, each sealed with a checksum. Opening it reads the snapshot and serves
// the journal again. A torn last line, left by a crash while it was written, is
// a request that was never answered, and is dropped; damage anywhere else is
// refused. Several processes may use one file: each locks it
// for the time of one request and first catches up with what others appended.
// The file is replaced, never rewritten, when the journal has grown.

// header is the first line. Generation differs for every snapshot.
type header struct {
	Format int    `json:"reconcile-sandbox"`
	Note   string `json:"note"`
}

// headerStart is how every state file begins.
const headerStart = `{"reconcile-sandbox":`

// headLines stand before the journal: the header and the snapshot.
const headLines = 2

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
	offset   int64  // up to here the file has been read or written by us
	snapshot int64  // size of header and snapshot
	entries  int    // lines of journal
	sum      uint32 // the seal of the last line up to offset
	torn     int    // bytes of a write that was never answered, dropped by read
}

// A journal is folded into a new snapshot when it is both longer than this
// and longer than the snapshot, so that the cost of a write stays constant.
const compactBytes = 1 << 20

// ErrState says that a state file cannot be used. Its text says what to do.
type ErrState struct {
	Path string
	Line int // from 1; 0 when it is about the whole file
	Err  error
}

func (e *ErrState) Error() string {
	where := e.Path
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.Path, e.Line)
	}
	if errors.Is(e.Err, errForeign) {
		return fmt.Sprintf("sandbox state %s: %v; it is left alone, name another one with --sandbox=FILE", where, e.Err)
	}
	return fmt.Sprintf("sandbox state %s: %v; `reconcile sandbox reset --sandbox=%s` starts a new one", where, e.Err, shellWord(e.Path))
}

// shellWord quotes a path where a shell would not take it as it is.
func shellWord(path string) string {
	for _, r := range path {
		if !strings.ContainsRune("/._-+:,@", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		}
	}
	return path
}

func (e *ErrState) Unwrap() error { return e.Err }

// errForeign is the file of something else, which a reset must not replace.
var errForeign = errors.New("this is not a state file of the sandbox")

// foreign is errForeign, or nil for an empty file and for one that was a state
// file, whatever became of it since.
func (st *store) foreign() error {
	b := make([]byte, 4096)
	n, err := st.f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("sandbox state: %w", err)
	}
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	if err := st.readHeader(line); n > 0 && errors.Is(err, errForeign) {
		return err
	}
	return nil
}

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
	if err := st.readHeader(first); err != nil {
		return nil, nil, false, err
	}
	second, rest, complete := bytes.Cut(rest, []byte("\n"))
	if !complete {
		return nil, nil, false, &ErrState{st.path, 2, errors.New("the snapshot is incomplete")}
	}
	a = &account{}
	if st.sum, err = unseal(second, st.sum, a); err == nil {
		err = a.init()
	}
	if err != nil {
		return nil, nil, false, &ErrState{st.path, 2, err}
	}
	st.snapshot = int64(len(first) + len(second) + 2)
	st.offset, st.entries = st.snapshot, 0
	if journal, err = st.parse(rest); err != nil {
		return nil, nil, false, err
	}
	st.torn = int(size - st.offset)
	if st.torn > 0 {
		if err := st.f.Truncate(st.offset); err != nil {
			return nil, nil, false, fmt.Errorf("sandbox journal: %w", err)
		}
	}
	return a, journal, true, nil
}

// readHeader checks the first line and starts the chain of seals.
func (st *store) readHeader(line []byte) error {
	var h header
	if json.Unmarshal(line, &h) != nil || h.Format == 0 {
		if len(line) > len(headerStart) && bytes.HasPrefix(line, []byte(headerStart)) && line[len(headerStart)] != '"' {
			return &ErrState{st.path, 1, errDamaged}
		}
		return &ErrState{st.path, 1, errForeign}
	}
	if h.Format != formatVersion {
		age := "a newer"
		if h.Format < formatVersion {
			age = "an older"
		}
		return &ErrState{st.path, 1, fmt.Errorf("written by %s version (format %d, this one reads %d)", age, h.Format, formatVersion)}
	}
	sum, err := unseal(line, 0, &h)
	if err != nil {
		return &ErrState{st.path, 1, err}
	}
	st.sum = sum
	return nil
}

// tail returns what other processes appended since we last looked.
func (st *store) tail() ([]entry, error) {
	size, err := st.size()
	if err != nil || size == st.offset {
		return nil, err
	}
	if size < st.offset {
		return nil, &ErrState{st.path, 0, errors.New("the file was cut")}
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
		sum, err := unseal(line, st.sum, &e)
		if err != nil {
			return nil, &ErrState{st.path, headLines + st.entries + 1, err}
		}
		st.sum = sum
		out = append(out, e)
		st.entries++
		st.offset += int64(len(line) + 1)
		b = rest
	}
}

// append writes one line of journal, over a torn one if there is any.
func (st *store) append(e entry) error {
	b, sum, err := seal(e, st.sum)
	if err != nil {
		return fmt.Errorf("sandbox journal: %w", err)
	}
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
	st.sum = sum
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
	head, sum, err := seal(header{Format: formatVersion, Note: headerNote}, 0)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	body, sum, err := seal(a, sum)
	if err != nil {
		return fmt.Errorf("sandbox state: %w", err)
	}
	b := append(head, body...)
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
	st.snapshot, st.offset, st.entries, st.sum = int64(len(b)), int64(len(b)), 0, sum
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
