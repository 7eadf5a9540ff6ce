// Package checksum takes the SHA-256 of local files and remembers it, so that a
// file of many gigabytes is read once and not by every plan. What it remembers
// is a hint: a file is known again by path, size, time of its last change and
// inode, and whatever is sent to AWS is hashed again on its way. It must not
// know what the files are for. Start with Open.
package checksum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// remembered is the size in bytes from which a file is worth remembering.
	remembered = 4 << 20
	// settled is for how long a file must not have changed before it is: one that
	// is written at this moment may keep its time.
	settled = 2 * time.Second
	// maxCacheBytes bounds what is read back; 100,000 files are less.
	maxCacheBytes = 64 << 20
	block         = 1 << 20
)

// Sum is what is known of a file.
type Sum struct {
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// entry is a remembered file.
type entry struct {
	Sum
	Modified time.Time `json:"modified"`
	Inode    uint64    `json:"inode,omitempty"` // 0 where the system has none
}

// Cache remembers sums in a file. It is safe for concurrent use.
type Cache struct {
	file string
	now  func() time.Time

	mu      sync.Mutex
	entries map[string]entry // by absolute path
	changed bool
}

// Open reads what was remembered in a file. One that cannot be read, or holds
// something else, is as good as none.
func Open(file string, now func() time.Time) *Cache {
	c := &Cache{file: file, now: now, entries: map[string]entry{}}
	f, err := os.Open(file)
	if err != nil {
		return c
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := json.NewDecoder(io.LimitReader(f, maxCacheBytes)).Decode(&c.entries); err != nil || c.entries == nil {
		c.entries = map[string]entry{}
	}
	return c
}

// Known tells whether the sum of a file is remembered, and the file's size.
// The error is the file system's: errors.Is(err, fs.ErrNotExist) where there is
// no such file.
func (c *Cache) Known(files fs.FS, folder, name string) (size int64, known bool, err error) {
	info, err := fs.Stat(files, name)
	if err != nil {
		return 0, false, err
	}
	if !info.Mode().IsRegular() {
		return 0, false, fmt.Errorf("%s is no regular file", name)
	}
	if folder != "" {
		_, known = c.remembers(key(folder, name), info)
	}
	return info.Size(), known, nil
}

// Of is the sum of a file: folder is where files is on disk, or empty where it
// is not, and then nothing is remembered. A file that changes while it is read
// is an error.
func (c *Cache) Of(ctx context.Context, files fs.FS, folder, name string) (Sum, error) {
	f, err := files.Open(name)
	if err != nil {
		return Sum{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	before, err := f.Stat()
	if err != nil {
		return Sum{}, err
	}
	if !before.Mode().IsRegular() {
		return Sum{}, fmt.Errorf("%s is no regular file", name)
	}
	if folder != "" {
		if sum, ok := c.remembers(key(folder, name), before); ok {
			return sum, nil
		}
	}
	began := c.now()
	sum, err := read(ctx, f)
	if err != nil {
		return Sum{}, err
	}
	after, err := fs.Stat(files, name)
	if err != nil {
		return Sum{}, err
	}
	if sum.Size != before.Size() || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
		return Sum{}, fmt.Errorf("%s changed while it was read", name)
	}
	if folder != "" && sum.Size >= remembered && began.Sub(before.ModTime()) > settled {
		c.remember(key(folder, name), entry{sum, before.ModTime(), inode(before)})
	}
	return sum, nil
}

func key(folder, name string) string {
	path := filepath.Join(folder, filepath.FromSlash(name))
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

func read(ctx context.Context, r io.Reader) (Sum, error) {
	h := sha256.New()
	buffer := make([]byte, block)
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return Sum{}, err
		}
		n, err := r.Read(buffer)
		size += int64(n)
		_, _ = h.Write(buffer[:n]) // a hash never fails
		if errors.Is(err, io.EOF) {
			return Sum{size, hex.EncodeToString(h.Sum(nil))}, nil
		}
		if err != nil {
			return Sum{}, err
		}
	}
}

func (c *Cache) remembers(key string, info fs.FileInfo) (Sum, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	return e.Sum, ok && e.Size == info.Size() && e.Modified.Equal(info.ModTime()) && e.Inode == inode(info)
}

func (c *Cache) remember(key string, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key], c.changed = e, true
}

// Save writes what is remembered, for files that are still there. Of two
// processes the last one wins, and what the other one knew is read again.
func (c *Cache) Save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.changed {
		return nil
	}
	for path := range c.entries {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			delete(c.entries, path)
		}
	}
	body, err := json.MarshalIndent(c.entries, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(c.file), filepath.Base(c.file)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(append(body, '\n'))
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), c.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	c.changed = false
	return nil
}
