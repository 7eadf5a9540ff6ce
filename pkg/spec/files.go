package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// shown is a file's name as the user would write it.
func (l *loader) shown(name string) string {
	return strings.TrimPrefix(path.Join(strings.ReplaceAll(l.name, `\`, "/"), name), "./")
}

// specFiles lists the folder's spec files by ending: .yaml, .yml and .cue, and
// the fleet templates. Folders whose name begins with "." or "_" hold no specs.
func (l *loader) specFiles() ([]string, error) {
	var specs []string
	err := fs.WalkDir(l.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("specs folder %s: %s: %w", l.name, name, plainPathError(err))
		}
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		whole := Source{File: l.shown(name)}
		if problem := oddName(name); problem != "" {
			l.issues.add(Source{File: fmt.Sprintf("%+q", l.shown(name))}, "", "file-name", problem)
			return skip(d)
		}
		hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.Contains(name, "/.") || strings.Contains(name, "/_")
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		isSpec := !hidden && (isSpecName(name) || name == fleetTemplates)
		if d.Type()&fs.ModeSymlink != 0 {
			if isSpec || !hidden && path.Ext(name) == "" {
				l.issues.add(whole, "", "symlink", "is a symbolic link, which is not followed; put the file or folder itself here")
			}
			return nil
		}
		if !d.Type().IsRegular() {
			if isSpec {
				l.issues.add(whole, "", "file-type", "is no regular file")
			}
			return nil
		}
		l.entries = append(l.entries, name)
		l.isEntry[name] = true
		if len(l.entries) > maxEntries {
			return fmt.Errorf("specs folder %s holds more than %d files", l.name, maxEntries)
		}
		if isSpec {
			specs = append(specs, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(specs) > maxSpecFiles {
		return nil, fmt.Errorf("specs folder %s holds %d spec files; at most %d are read", l.name, len(specs), maxSpecFiles)
	}
	return specs, nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func isSpecName(name string) bool { return isYAMLName(name) || isCUEName(name) }

func isYAMLName(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

func isCUEName(name string) bool { return strings.ToLower(path.Ext(name)) == ".cue" }

// readFile reads one file of the folder, bounded, and checks its text. A file
// that must be refused gives an issue and no bytes.
func (l *loader) readFile(name string) ([]byte, error) {
	at := Source{File: l.shown(name)}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.File, plainPathError(err))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", at.File, plainPathError(err))
	}
	if len(data) > maxFileBytes {
		l.issues.add(at, "", "file-size", "is larger than 1 MB; split it")
		return nil, nil
	}
	if l.bytes += len(data); l.bytes > maxTotalBytes {
		return nil, fmt.Errorf("specs folder %s holds more than %d MB of specs", l.name, maxTotalBytes>>20)
	}
	l.read[name] = data
	text, issues := checkText(at.File, data)
	l.issues = append(l.issues, issues...)
	if len(issues) > 0 {
		return nil, nil
	}
	return text, nil
}

// entry resolves a path written in a spec against the spec's own folder. It
// stays inside the folder of specs: "" with the reason otherwise.
func (l *loader) entry(from, written string) (string, string) {
	switch {
	case strings.Contains(written, `\`):
		return "", "uses backslashes; separate folders with /"
	case path.IsAbs(written):
		return "", "is an absolute path; write it relative to this file"
	}
	name := path.Join(path.Dir(l.inFolder(from)), written)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", "leaves the folder of specs"
	}
	return name, ""
}

// inFolder is a shown file name as a path in the folder.
func (l *loader) inFolder(shown string) string {
	prefix := l.shown("x")
	return strings.TrimPrefix(shown, strings.TrimSuffix(prefix, "x"))
}
