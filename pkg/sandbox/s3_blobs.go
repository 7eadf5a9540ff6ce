package sandbox

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Bodies of objects are not kept in the state: a long one is written to a
// file beside the state file, named by its SHA-256, while it arrives. So a
// body of any size passes in bounded memory, and equal ones are stored once.

const (
	inlineBody = 64 << 10 // bodies up to here stay in the state
	spoolAge   = 15 * time.Minute
)

// chunk is a stretch of bytes: inline, or a part of a file.
type chunk struct {
	Body   []byte `json:"b,omitempty"`
	Hash   string `json:"h,omitempty"` // SHA-256 in hex, the file's name
	Offset int64  `json:"o,omitempty"`
	Size   int64  `json:"n"`
}

// spooled is a body that has arrived.
type spooled struct {
	chunk
	MD5  string            `json:"md5"`           // hex
	SHA  string            `json:"sha,omitempty"` // hex
	Sums map[string]string `json:"sums,omitempty"`
}

// blobs is the folder of the bodies; made when the first long one comes.
type blobs struct {
	mu     sync.Mutex
	folder string
	temp   bool // removed at the end: the account is in memory
}

func blobFolder(statePath string) string { return statePath + ".objects" }

// dir is the folder; it is made if need be.
func (b *blobs) dir() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folder == "" {
		folder, err := os.MkdirTemp("", "reconcile-sandbox-*")
		if err != nil {
			return "", fmt.Errorf("sandbox objects: %w", err)
		}
		b.folder, b.temp = folder, true
	}
	if err := os.MkdirAll(b.folder, 0o755); err != nil {
		return "", fmt.Errorf("sandbox objects: %w", err)
	}
	return b.folder, nil
}

// close removes a folder that was only for this process.
func (b *blobs) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.temp {
		return nil
	}
	return os.RemoveAll(b.folder)
}

// spool reads a body to its end. sums are the checksums to compute, by name.
func (b *blobs) spool(r io.Reader, sums []string) (*spooled, error) {
	md, sha := md5.New(), sha256.New()
	all := []io.Writer{md, sha}
	wanted := map[string]hash.Hash{}
	for _, name := range sums {
		wanted[name] = newChecksum(name)
		all = append(all, wanted[name])
	}
	in := io.TeeReader(r, io.MultiWriter(all...))
	head, err := io.ReadAll(io.LimitReader(in, inlineBody+1))
	if err != nil {
		return nil, err
	}
	out := &spooled{chunk: chunk{Body: head, Size: int64(len(head))}, Sums: map[string]string{}}
	if len(head) > inlineBody {
		if out.Size, err = b.store(head, in, sha); err != nil {
			return nil, err
		}
		out.Body, out.Hash = nil, hex.EncodeToString(sha.Sum(nil))
	}
	out.MD5, out.SHA = hex.EncodeToString(md.Sum(nil)), hex.EncodeToString(sha.Sum(nil))
	for name, h := range wanted {
		out.Sums[name] = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return out, nil
}

// store writes head and the rest of r to a file, and gives it its name.
func (b *blobs) store(head []byte, r io.Reader, sha hash.Hash) (size int64, err error) {
	dir, err := b.dir()
	if err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(dir, "tmp-*")
	if err != nil {
		return 0, fmt.Errorf("sandbox objects: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	holes := &sparseWriter{f: f}
	_, err = holes.Write(head)
	rest := int64(0)
	if err == nil {
		rest, err = io.CopyBuffer(struct{ io.Writer }{holes}, r, make([]byte, 1<<20))
	}
	if err == nil {
		err = f.Truncate(holes.at) // a hole at the end, too
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	name := filepath.Join(dir, hex.EncodeToString(sha.Sum(nil)))
	if _, stat := os.Stat(name); stat == nil { // known already: fresh for the collection, and no second copy
		now := time.Now()
		return int64(len(head)) + rest, errors.Join(os.Chtimes(name, now, now), os.Remove(f.Name()))
	}
	return int64(len(head)) + rest, os.Rename(f.Name(), name)
}

// sparseWriter leaves holes where there are only zeros, so that a long body of
// them takes no room on the disk.
type sparseWriter struct {
	f  *os.File
	at int64
}

const hole = 64 << 10 // the blocks that are looked at

// Write implements io.Writer.
func (w *sparseWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		block := p[done:min(done+hole, len(p))]
		if !allZero(block) {
			if _, err := w.f.WriteAt(block, w.at); err != nil {
				return done, err
			}
		}
		w.at += int64(len(block))
		done += len(block)
	}
	return done, nil
}

func allZero(p []byte) bool {
	return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1])
}

// open reads a stretch of chunks.
func (b *blobs) open(chunks []chunk, from, length int64) io.ReadCloser {
	var parts []chunk
	for _, c := range chunks {
		if from >= c.Size {
			from -= c.Size
			continue
		}
		n := min(c.Size-from, length)
		if n <= 0 {
			break
		}
		parts = append(parts, cut(c, from, n))
		from, length = 0, length-n
	}
	return &chunkReader{blobs: b, rest: parts}
}

// cut is a stretch of a chunk.
func cut(c chunk, from, n int64) chunk {
	if c.Hash == "" {
		return chunk{Body: c.Body[from : from+n], Size: n}
	}
	return chunk{Hash: c.Hash, Offset: c.Offset + from, Size: n}
}

// chunkReader reads chunks one after the other, one file open at a time.
type chunkReader struct {
	blobs *blobs
	rest  []chunk
	now   io.Reader
	file  *os.File
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for {
		if r.now != nil {
			n, err := r.now.Read(p)
			if n > 0 || err != nil && !errors.Is(err, io.EOF) {
				return n, ignoreEOF(err)
			}
			if err := r.Close(); err != nil {
				return 0, err
			}
		}
		if len(r.rest) == 0 {
			return 0, io.EOF
		}
		c := r.rest[0]
		r.rest = r.rest[1:]
		if c.Hash == "" {
			r.now = strings.NewReader(string(c.Body))
			continue
		}
		f, err := os.Open(filepath.Join(r.blobs.folder, c.Hash))
		if err != nil {
			return 0, fmt.Errorf("sandbox objects: %w", err)
		}
		r.file, r.now = f, io.NewSectionReader(f, c.Offset, c.Size)
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Close implements io.Closer.
func (r *chunkReader) Close() error {
	r.now = nil
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// collect removes what no object and no upload needs and nobody wrote lately.
// It is called right after a snapshot was written, so that no journal needs it.
func (b *blobs) collect(a *account, now time.Time) error {
	list, err := os.ReadDir(b.folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox objects: %w", err)
	}
	needed := a.blobs()
	for _, e := range list {
		info, err := e.Info()
		if err != nil || needed[e.Name()] || now.Sub(info.ModTime()) < spoolAge {
			continue
		}
		if err := os.Remove(filepath.Join(b.folder, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sandbox objects: %w", err)
		}
	}
	return nil
}

// blobs are the files that objects and uploads need.
func (a *account) blobs() map[string]bool {
	out := map[string]bool{}
	add := func(chunks []chunk) {
		for _, c := range chunks {
			out[c.Hash] = true
		}
	}
	for _, b := range a.Buckets {
		for _, versions := range b.Objects {
			for _, o := range versions {
				add(o.Chunks)
			}
		}
		for _, u := range b.Uploads {
			for _, p := range u.Parts {
				add(p.Chunks)
			}
		}
	}
	return out
}
