package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Limits of the child process that evaluates CUE.
const (
	childArgument = "reconcile-evaluate-cue"
	// childMark is the child's whole environment. A program whose main forgets
	// ChildMain finds it and starts no further children.
	childMark    = "RECONCILE_EVALUATE_CUE"
	childGreets  = "reconcile-cue-1\n"
	childCPU     = 10 // seconds
	childWall    = 20 * time.Second
	childHeap    = 512 << 20
	childSoft    = 384 << 20 // from here on the collector works harder
	childOutput  = 32 << 20
	exitMemory   = 91
	exitTime     = 92
	exitProtocol = 93
)

// cueFile is one CUE file for the child.
type cueFile struct {
	Folder string `json:"folder"` // files of one folder are one package
	Name   string `json:"name"`   // as the user would write it
	Text   string `json:"text"`
}

// childResult is what the child answers.
type childResult struct {
	Issues    Issues     `json:"issues,omitempty"`
	Files     []string   `json:"files,omitempty"` // names that nodes refer to by number
	Documents []wireNode `json:"documents,omitempty"`
}

// wireNode is a node in the child's answer, short because there are many.
type wireNode struct {
	Kind    nodeKind   `json:"k"`
	Text    string     `json:"t,omitempty"`
	File    int        `json:"f,omitempty"`
	Line    int        `json:"l"`
	Column  int        `json:"c"`
	Keys    []string   `json:"n,omitempty"` // of an object, one for each item
	Members []wireNode `json:"m,omitempty"` // items of a list, values of an object
}

func (w wireNode) node(files []string) (*node, error) {
	if w.File < 0 || w.File >= len(files) || w.Kind > nodeObject || w.Kind == nodeObject && len(w.Keys) != len(w.Members) {
		return nil, errors.New("the CUE evaluator answered nonsense")
	}
	n := &node{kind: w.Kind, text: w.Text, at: Source{File: files[w.File], Line: w.Line, Column: w.Column}}
	for i, m := range w.Members {
		sub, err := m.node(files)
		if err != nil {
			return nil, err
		}
		if w.Kind == nodeObject {
			n.members = append(n.members, member{key: w.Keys[i], at: sub.at, value: sub})
		} else {
			n.items = append(n.items, sub)
		}
	}
	return n, nil
}

// ChildMain is the other half of Load's evaluation of CUE: a program that calls
// Load calls it first, with its arguments, and exits with the code if it was
// started as that child. It reads files from stdin and writes values to
// stdout, opens nothing and calls nobody.
func ChildMain(args []string, stdin io.Reader, stdout io.Writer) (handled bool, exitCode int) {
	if len(args) != 2 || args[1] != childArgument {
		return false, 0
	}
	if _, err := io.WriteString(stdout, childGreets); err != nil {
		return true, exitProtocol
	}
	limitChild()
	debug.SetMemoryLimit(childSoft)
	stop := make(chan struct{})
	defer close(stop)
	go watchMemory(stop)

	var files []cueFile
	if err := json.NewDecoder(stdin).Decode(&files); err != nil {
		return true, exitProtocol
	}
	if err := json.NewEncoder(stdout).Encode(evaluate(files)); err != nil {
		return true, exitProtocol
	}
	return true, 0
}

// watchMemory ends the process when its heap outgrows its limit, or when it
// lives too long: the parent may be gone.
func watchMemory(stop <-chan struct{}) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(childWall)
	for {
		select {
		case <-stop:
			return
		case <-end:
			os.Exit(exitTime)
		case <-tick.C:
			metrics.Read(sample)
			if sample[0].Value.Uint64()-sample[1].Value.Uint64() > childHeap {
				os.Exit(exitMemory)
			}
		}
	}
}

// evaluateCUE runs the child over the CUE files and returns their documents. It
// starts no process without files.
func evaluateCUE(ctx context.Context, files []cueFile) ([]*document, Issues, error) {
	if len(files) == 0 {
		return nil, nil, nil
	}
	if os.Getenv(childMark) != "" {
		return nil, nil, errors.New("evaluating CUE needs a program whose main calls spec.ChildMain first")
	}
	out, blame, err := runChild(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	if blame != "" {
		var issues Issues
		issues.suggest(Source{File: files[0].Name}, "", "cue-limits", blame+blameScope(files), "look for disjunctions that multiply, comprehensions over large lists, and structs that refer to themselves")
		return nil, issues, nil
	}
	var result childResult
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, nil, fmt.Errorf("the CUE evaluator's answer: %w", err)
	}
	var docs []*document
	for _, w := range result.Documents {
		root, err := w.node(result.Files)
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, newDocument(root))
	}
	return docs, result.Issues, nil
}

func blameScope(files []cueFile) string {
	if len(files) == 1 {
		return ""
	}
	return fmt.Sprintf(" (this and %d more CUE files were evaluated together)", len(files)-1)
}
