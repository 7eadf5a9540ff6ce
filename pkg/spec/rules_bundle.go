package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func (l *loader) ruleBundles(set *Set, _ *Platform) {
	first := map[string]Source{}
	for i := range set.Bundles {
		b := &set.Bundles[i]
		if at, again := first[b.Name]; again {
			l.issues.add(b.At("metadata.name"), "metadata.name", "unique-bundle", fmt.Sprintf("bundle %s is declared already, at %s", quote(b.Name), lineOf(at)))
			continue
		}
		first[b.Name] = b.At("metadata.name")
		targets := map[string]int{}
		for j := range b.Assets {
			l.checkAsset(b, j, targets)
		}
		l.checkFilesAsFolders(b, targets)
	}
}

func (l *loader) checkAsset(b *Bundle, j int, targets map[string]int) {
	a := &b.Assets[j]
	p := fmt.Sprintf("spec.assets[%d]", j)
	if a.File != "" && a.S3URL != "" {
		l.issues.add(b.At(p+".s3URL"), p, "asset-source", "names a local file and an S3 object; the asset comes from one of them")
	}
	if a.File != "" {
		var problem string
		if a.Path, problem = l.entry(b.At(p+".file").File, a.File); problem != "" {
			l.issues.add(b.At(p+".file"), p+".file", "asset-file", problem)
		}
	}
	switch {
	case a.Filename == "":
		l.issues.add(b.At(p), p+".filename", "asset-filename", "is missing: without file and s3URL nothing else names the file")
		return
	case a.Filename == "." || a.Filename == "..":
		l.issues.add(b.At(p+".filename"), p+".filename", "asset-filename", quote(a.Filename)+" is no file name")
		return
	}
	l.checkAction(b, a, p)
	if a.TargetPath == "" {
		l.issues.suggest(b.At(p), p+".targetPath", "asset-target", "is missing: an archive needs the folder that it is extracted into", fmt.Sprintf("for example %s%s", AssetFolder(a.Kind), stem(a.Filename)))
		return
	}
	at := b.At(p + ".targetPath")
	if problem, suggestion := badTarget(a); problem != "" {
		l.issues.suggest(at, p+".targetPath", "asset-target", problem, suggestion)
		return
	}
	// The instance's file system tells case apart, the laptops of those who
	// prepare bundles do not.
	key := strings.ToLower(strings.TrimSuffix(a.TargetPath, "/"))
	if k, again := targets[key]; again {
		l.issues.add(at, p+".targetPath", "asset-twice", fmt.Sprintf("%s is the target of assets[%d] already", quote(a.TargetPath), k))
		return
	}
	targets[key] = j
}

// checkFilesAsFolders refuses a file where another asset needs a folder.
func (l *loader) checkFilesAsFolders(b *Bundle, targets map[string]int) {
	for j := range b.Assets {
		t := strings.ToLower(strings.TrimSuffix(b.Assets[j].TargetPath, "/"))
		for dir := path.Dir(t); dir != "." && dir != "/" && t != ""; dir = path.Dir(dir) {
			if k, ok := targets[dir]; ok && b.Assets[k].Action == "copy" {
				p := fmt.Sprintf("spec.assets[%d].targetPath", j)
				l.issues.add(b.At(p), p, "asset-twice", fmt.Sprintf("is below %s, which is a file: the target of assets[%d]", quote(b.Assets[k].TargetPath), k))
			}
		}
	}
}

func (l *loader) checkAction(b *Bundle, a *Asset, p string) {
	name := strings.ToLower(a.Filename)
	tar := strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
	zip := strings.HasSuffix(name, ".zip")
	at := b.At(p + ".action")
	switch {
	case a.Action == "extract_zip" && tar:
		l.issues.suggest(at, p+".action", "asset-action", fmt.Sprintf("extracts a zip; %s is a tar archive", quote(a.Filename)), "write extract_tar_gz")
	case a.Action == "extract_tar_gz" && zip:
		l.issues.suggest(at, p+".action", "asset-action", fmt.Sprintf("extracts a tar archive; %s is a zip", quote(a.Filename)), "write extract_zip")
	case a.Action != "copy" && isModel(name):
		l.issues.suggest(at, p+".action", "asset-action", fmt.Sprintf("extracts an archive; %s is a model", quote(a.Filename)), "write copy")
	}
}

func isModel(name string) bool {
	return slices.Contains([]string{".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx"}, path.Ext(name))
}

func stem(name string) string {
	for _, ext := range []string{".tar.gz", ".tgz", ".zip"} {
		if s := strings.TrimSuffix(strings.ToLower(name), ext); len(s) < len(name) && s != "" {
			return name[:len(s)]
		}
	}
	return name
}

// badTarget says why an asset's path on the instance is refused. The
// instance's installer refuses unsafe paths too; here it is at a line.
func badTarget(a *Asset) (problem, suggestion string) {
	t := a.TargetPath
	trimmed := strings.TrimSuffix(t, "/")
	switch {
	case strings.HasPrefix(t, "/"):
		return "begins with a slash; it is relative to /opt/comfyui", "write " + strings.TrimPrefix(strings.TrimLeft(t, "/"), "opt/comfyui/")
	case strings.Contains(t, `\`):
		return "holds a backslash; separate folders with /", ""
	case strings.Contains(t, "//"):
		return "holds an empty part", ""
	}
	for _, part := range strings.Split(trimmed, "/") {
		switch {
		case part == "." || part == "..":
			return fmt.Sprintf("holds the part %q; a path goes straight down from /opt/comfyui", part), ""
		case strings.TrimSpace(part) != part:
			return "holds a part that begins or ends with a space", ""
		}
	}
	first, _, _ := strings.Cut(trimmed, "/")
	if first == "bin" || strings.HasPrefix(first, ".") {
		return fmt.Sprintf("is below %s, which belongs to the installer", quote(first)), ""
	}
	for _, kind := range assetKinds() {
		folder := AssetFolder(kind)
		if kind != a.Kind && (strings.HasPrefix(t, folder) || t+"/" == folder) {
			return fmt.Sprintf("is in %s, the folder for %s; this is a %s", folder, kind, a.Kind), fmt.Sprintf("write %s%s", AssetFolder(a.Kind), path.Base(trimmed))
		}
	}
	return wrongEnd(a, trimmed)
}

// wrongEnd checks that copy names a file and the others a folder.
func wrongEnd(a *Asset, trimmed string) (problem, suggestion string) {
	isFolder := strings.HasSuffix(a.TargetPath, "/")
	for _, kind := range assetKinds() {
		isFolder = isFolder || trimmed+"/" == AssetFolder(kind)
	}
	isFolder = isFolder || trimmed == "models"
	switch {
	case a.Action == "copy" && isFolder:
		return "is a folder; copy needs the file's whole path", fmt.Sprintf("write %s/%s", trimmed, a.Filename)
	case a.Action != "copy" && (isModel(strings.ToLower(trimmed)) || stem(trimmed) != trimmed):
		folder := stem(trimmed)
		if folder == trimmed {
			folder = strings.TrimSuffix(trimmed, path.Ext(trimmed))
		}
		return a.Action + " needs a folder; this looks like a file", "write " + folder
	}
	return "", ""
}
