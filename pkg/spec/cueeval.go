package spec

import (
	"fmt"
	"sort"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// cuePackage is the package clause of every CUE file.
const cuePackage = "specs"

// pureImport tells CUE's builtin packages that compute and nothing else: no
// files, no network, no processes, no registry.
func pureImport(path string) bool {
	switch path {
	case "crypto/hmac", "crypto/md5", "crypto/sha1", "crypto/sha256", "crypto/sha512",
		"encoding/base64", "encoding/csv", "encoding/hex", "encoding/json", "encoding/yaml",
		"html", "list", "math", "math/bits", "net", "path", "regexp", "strconv", "strings", "struct",
		"text/tabwriter", "text/template", "time", "uuid":
		return true
	}
	return false
}

// evaluate is what the child does: the packages of CUE files to documents.
func evaluate(files []cueFile) childResult {
	e := evaluator{fileNumbers: map[string]int{}}
	byFolder := map[string][]cueFile{}
	var folders []string
	for _, f := range files {
		if byFolder[f.Folder] == nil {
			folders = append(folders, f.Folder)
		}
		byFolder[f.Folder] = append(byFolder[f.Folder], f)
	}
	sort.Strings(folders)
	for _, folder := range folders {
		e.folder(byFolder[folder])
	}
	if len(e.result.Issues) > 0 {
		e.result.Documents, e.result.Files = nil, nil
	}
	return e.result
}

type evaluator struct {
	result      childResult
	fileNumbers map[string]int
}

func (e *evaluator) folder(files []cueFile) {
	inst := build.NewContext().NewInstance(files[0].Folder, nil)
	before := len(e.result.Issues)
	for _, f := range files {
		syntax, err := parser.ParseFile(f.Name, f.Text)
		if err != nil {
			e.blame(err, "cue-syntax", f.Name)
			continue
		}
		if !e.checkFile(f.Name, syntax) {
			continue
		}
		if err := inst.AddSyntax(syntax); err != nil {
			e.blame(err, "cue-syntax", f.Name)
		}
	}
	if len(e.result.Issues) > before {
		return
	}
	if err := inst.Complete(); err != nil {
		e.blame(err, "cue-syntax", files[0].Name)
		return
	}
	v := cuecontext.New().BuildInstance(inst)
	if err := v.Err(); err != nil {
		e.blame(err, "cue-value", files[0].Name)
		return
	}
	fields, err := v.Fields()
	if err != nil {
		e.blame(err, "cue-value", files[0].Name)
		return
	}
	for fields.Next() {
		e.topLevel(fields.Selector().Unquoted(), fields.Value(), files[0].Name)
	}
}

// checkFile refuses what reaches outside of the file: imports that are not
// pure, and attributes that CUE's tools act on.
func (e *evaluator) checkFile(name string, f *ast.File) (ok bool) {
	before := len(e.result.Issues)
	if p := f.PackageName(); p != cuePackage {
		at := Source{File: name, Line: 1, Column: 1}
		if p == "" {
			e.result.Issues.suggest(at, "", "cue-package", "has no package clause", "begin the file with: package "+cuePackage)
		} else {
			e.result.Issues.suggest(at, "", "cue-package", "is package "+p, "every CUE file of the folder is: package "+cuePackage)
		}
	}
	for spec := range f.ImportSpecs() {
		path := strings.Trim(spec.Path.Value, `"`)
		if base, _, ok := strings.Cut(path, ":"); ok {
			path = base
		}
		if !pureImport(path) {
			e.result.Issues.suggest(source(spec.Pos(), name), "", "cue-import",
				fmt.Sprintf("imports %s; specs may import only CUE's own packages that compute", quote(path)),
				didYouMean(path, []string{"list", "strings", "strconv", "struct", "math", "net", "regexp", "time", "encoding/json"}))
		}
	}
	ast.Walk(f, func(n ast.Node) bool {
		a, ok := n.(*ast.Attribute)
		if !ok {
			return true
		}
		switch key, _ := a.Split(); key {
		case "embed", "extern", "tag", "if", "ignore", "experiment":
			e.result.Issues.add(source(a.Pos(), name), "", "cue-attribute",
				fmt.Sprintf("uses @%s; specs read no other files and take no values from outside", key))
		}
		return true
	}, nil)
	return len(e.result.Issues) == before
}

// topLevel takes a top-level value that is a document, passes over one that is
// a helper, and refuses one that only looks like a document.
func (e *evaluator) topLevel(name string, v cue.Value, file string) {
	if v.IncompleteKind() != cue.StructKind {
		if err := v.Validate(); err != nil {
			e.blame(err, "cue-value", file)
		}
		return
	}
	hasVersion, hasKind := hasField(v, "apiVersion"), hasField(v, "kind")
	if !hasVersion && !hasKind {
		e.helper(name, v, file)
		return
	}
	if err := v.Validate(cue.Concrete(true)); err != nil {
		e.blame(err, "cue-value", file)
		return
	}
	at := Source{File: file}
	if w, ok := e.export(v, spot{at, name}, 1); ok {
		e.result.Documents = append(e.result.Documents, w)
	}
}

func hasField(v cue.Value, name string) bool {
	return v.LookupPath(cue.MakePath(cue.Str(name))).Exists()
}

// helper checks a top-level value that is no document. Documents inside of it
// would be forgotten silently, so they are refused.
func (e *evaluator) helper(name string, v cue.Value, file string) {
	if err := v.Validate(); err != nil {
		e.blame(err, "cue-value", file)
		return
	}
	fields, err := v.Fields()
	if err != nil {
		return
	}
	for fields.Next() {
		if inner := fields.Value(); inner.IncompleteKind() == cue.StructKind && hasField(inner, "apiVersion") && hasField(inner, "kind") {
			e.result.Issues.suggest(source(inner.Pos(), file), name+"."+fields.Selector().Unquoted(), "cue-nested",
				"is a document inside of "+quote(name)+"; only top-level values are documents",
				"write it at the top level, or generate it there: for k, v in "+name+" {(k): v}")
			return
		}
	}
}

// spot is where a value without a place of its own is.
type spot struct {
	at   Source
	path string
}

// export turns a concrete value into a node with places.
func (e *evaluator) export(v cue.Value, parent spot, depth int) (wireNode, bool) {
	v, _ = v.Default()
	here := spot{source(position(v), ""), parent.path}
	if here.at.File == "" {
		here.at = parent.at
	}
	w := wireNode{File: e.fileNumber(here.at.File), Line: here.at.Line, Column: here.at.Column}
	if depth > maxDepth {
		e.result.Issues.add(here.at, "", "too-deep", fmt.Sprintf("nested more than %d deep", maxDepth))
		return w, false
	}
	switch v.Kind() {
	case cue.NullKind:
		w.Kind = nodeNull
	case cue.BoolKind:
		w.Kind = nodeBool
		b, _ := v.Bool()
		w.Text = fmt.Sprint(b)
	case cue.IntKind:
		w.Kind = nodeInt
		w.Text = fmt.Sprint(v)
	case cue.FloatKind:
		w.Kind = nodeFloat
		w.Text = fmt.Sprint(v)
	case cue.StringKind:
		w.Kind = nodeText
		w.Text, _ = v.String()
		if problem := oddText(w.Text); problem != "" {
			e.result.Issues.add(here.at, here.path, "characters", "holds "+problem)
		}
	case cue.ListKind:
		w.Kind = nodeList
		return e.exportList(v, w, here, depth)
	case cue.StructKind:
		w.Kind = nodeObject
		return e.exportStruct(v, w, here, depth)
	default:
		e.result.Issues.add(here.at, here.path, "cue-value", fmt.Sprintf("is %s, which a spec cannot hold", v.Kind()))
		return w, false
	}
	return w, true
}

// position is where a value is written: a scalar's own place, of a list or
// struct the place of its field.
func position(v cue.Value) token.Pos {
	if f, ok := v.Source().(*ast.Field); ok && v.Kind()&(cue.StructKind|cue.ListKind) == 0 && f.Value != nil {
		return f.Value.Pos()
	}
	return v.Pos()
}

func (e *evaluator) exportList(v cue.Value, w wireNode, here spot, depth int) (wireNode, bool) {
	items, err := v.List()
	if err != nil {
		e.blame(err, "cue-value", here.at.File)
		return w, false
	}
	for items.Next() {
		item, ok := e.export(items.Value(), here, depth+1)
		if !ok {
			return w, false
		}
		w.Members = append(w.Members, item)
	}
	return w, true
}

func (e *evaluator) exportStruct(v cue.Value, w wireNode, here spot, depth int) (wireNode, bool) {
	fields, err := v.Fields()
	if err != nil {
		e.blame(err, "cue-value", here.at.File)
		return w, false
	}
	for fields.Next() {
		key := fields.Selector().Unquoted()
		value, ok := e.export(fields.Value(), spot{here.at, joinPath(here.path, key)}, depth+1)
		if !ok {
			return w, false
		}
		w.Keys, w.Members = append(w.Keys, key), append(w.Members, value)
	}
	return w, true
}

func (e *evaluator) fileNumber(name string) int {
	i, ok := e.fileNumbers[name]
	if !ok {
		i = len(e.result.Files)
		e.fileNumbers[name] = i
		e.result.Files = append(e.result.Files, name)
	}
	return i
}

// blame turns CUE's errors into issues, each at the first place that it names.
func (e *evaluator) blame(err error, rule, file string) {
	for _, one := range errors.Errors(err) {
		at := Source{File: file, Line: 1, Column: 1}
		for _, p := range append([]token.Pos{one.Position()}, one.InputPositions()...) {
			if s := source(p, ""); s.File != "" {
				at = s
				break
			}
		}
		path := strings.Join(one.Path(), ".")
		message := strings.ReplaceAll(strings.TrimPrefix(one.Error(), path+": "), "\n", " ")
		if r := []rune(message); len(r) > 200 {
			message = string(r[:200]) + "…"
		}
		e.result.Issues.add(at, path, rule, message)
	}
}

// source is a place of CUE's; fallback names the file when it has none.
func source(p token.Pos, fallback string) Source {
	if !p.IsValid() {
		return Source{File: fallback, Line: 1, Column: 1}
	}
	at := p.Position()
	return Source{File: at.Filename, Line: at.Line, Column: at.Column}
}
