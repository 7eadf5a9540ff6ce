package checksum_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reconcile/pkg/checksum"
)

// counted counts how often files are opened.
type counted struct {
	fs.FS
	opened *int
}

func (c counted) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err == nil {
		f = &reading{File: f, read: c.opened}
	}
	return f, err
}

type reading struct {
	fs.File
	read *int
	some bool
}

func (r *reading) Read(p []byte) (int, error) {
	if !r.some {
		r.some, *r.read = true, *r.read+1
	}
	return r.File.Read(p)
}

// A large file is read once; what changes its size, its time or its inode makes
// it be read again. A small one is not worth remembering.
func TestFilesAreReadOnce(t *testing.T) {
	dir := t.TempDir()
	file, cache := filepath.Join(dir, "model"), filepath.Join(dir, "state", "sums.json")
	reads := 0
	files := counted{os.DirFS(dir), &reads}
	now := time.Now()
	sum := func(want []byte, read int, why string) {
		t.Helper()
		reads = 0
		c := checksum.Open(cache, func() time.Time { return now })
		got, err := c.Of(context.Background(), files, dir, "model")
		if err != nil {
			t.Fatal(err)
		}
		raw := sha256.Sum256(want)
		if got.SHA256 != hex.EncodeToString(raw[:]) || got.Size != int64(len(want)) || reads != read {
			t.Errorf("%s: %+v after %d reads, want %d", why, got, reads, read)
		}
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
	}
	old := now.Add(-time.Hour)
	write := func(body []byte, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, body, 0o644), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	big, other := make([]byte, 5<<20), make([]byte, 5<<20)
	other[7] = 1
	write(big, old)
	sum(big, 1, "first")
	sum(big, 0, "again")
	write(other, old.Add(time.Second))
	sum(other, 1, "another time")
	sum(other, 0, "again")
	if err := os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	write(big, old.Add(time.Second))
	sum(big, 1, "another inode with the same time and size")
	write(other, now.Add(-time.Second))
	sum(other, 1, "changed at this moment")
	sum(other, 1, "what changed at this moment may change again")
	write([]byte("small"), old)
	sum([]byte("small"), 1, "small")
	sum([]byte("small"), 1, "small again")
	if err := os.WriteFile(cache, []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(big, old)
	sum(big, 1, "a cache that is none")
	sum(big, 0, "was written anew")
	c := checksum.Open(cache, func() time.Time { return now })
	if _, _, err := c.Known(files, dir, "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := c.Of(context.Background(), files, dir, "state"); err == nil {
		t.Error("a folder has a sum")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Of(ctx, files, "", "model"); !errors.Is(err, context.Canceled) {
		t.Errorf("reading does not end with the context: %v", err)
	}
}
