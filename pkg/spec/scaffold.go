package spec

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"reconcile/schema"
)

//go:embed scaffold
var scaffoldFiles embed.FS

// ScaffoldOptions fill in a new folder of specs. Empty ones have the defaults
// in brackets.
type ScaffoldOptions struct {
	Name    string // prefix of everything that the platform owns [bp]
	Account string // AWS account id [123456789012, to be replaced]
	Region  string // [us-east-1]
}

// Scaffold writes a new folder of specs that validates: a platform, a fleet,
// the fleet templates, and the JSON Schemas for editors below .schema. It
// overwrites nothing: a folder that holds anything but hidden files is
// refused, and so are options that would not validate, as Issues. It returns
// the files written, in the order of their names.
func Scaffold(ctx context.Context, dir string, opts ScaffoldOptions) ([]string, error) {
	files, err := scaffoldContents(opts)
	if err != nil {
		return nil, err
	}
	if err := trial(ctx, files); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("new specs folder %s: %w", dir, plainPathError(err))
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || e.Name() == ".schema" {
			return nil, fmt.Errorf("folder %s holds %s already; a new folder of specs must be empty", dir, e.Name())
		}
	}
	return writeAll(dir, files)
}

// trial loads the contents from a temporary folder, so that options that do
// not validate leave nothing behind.
func trial(ctx context.Context, files map[string]string) (err error) {
	dir, err := os.MkdirTemp("", "reconcile-specs-")
	if err != nil {
		return fmt.Errorf("new specs: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := writeAll(dir, files); err != nil {
		return err
	}
	_, err = Load(ctx, LoadOptions{Dir: dir, Name: "specs"})
	return err
}

func scaffoldContents(opts ScaffoldOptions) (map[string]string, error) {
	fill := strings.NewReplacer("NAME", orText(opts.Name, "bp"), "ACCOUNT", orText(opts.Account, "123456789012"), "REGION", orText(opts.Region, "us-east-1"))
	files := map[string]string{}
	entries, err := scaffoldFiles.ReadDir("scaffold")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := scaffoldFiles.ReadFile("scaffold/" + e.Name())
		if err != nil {
			return nil, err
		}
		files[e.Name()] = fill.Replace(string(b))
	}
	for _, kind := range schema.Kinds() {
		b, err := schema.JSON(kind)
		if err != nil {
			return nil, err
		}
		files[filepath.Join(".schema", kind+".schema.json")] = string(b)
	}
	return files, nil
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func writeAll(dir string, files map[string]string) ([]string, error) {
	var written []string
	for _, name := range sortedKeys(files) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return written, fmt.Errorf("new specs folder %s: %w", dir, plainPathError(err))
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return written, fmt.Errorf("new spec %s: %w", path, plainPathError(err))
		}
		_, err = f.WriteString(files[name])
		if err = errors.Join(err, f.Close()); err != nil {
			return written, fmt.Errorf("new spec %s: %w", path, plainPathError(err))
		}
		written = append(written, path)
	}
	return written, nil
}
