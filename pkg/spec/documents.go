package spec

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"golang.org/x/sync/errgroup"

	"reconcile/schema"
)

// kinds of documents, in the order of docs and messages.
func kinds() []Kind { return []Kind{KindPlatform, KindFleet, KindBundle, KindStack} }

// shape is pass 2: every document against the JSON Schema of its kind.
func (l *loader) shape(docs []*document, templates *node) error {
	validators := map[Kind]*validator{}
	for _, d := range docs {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if !slices.Contains(kinds(), d.kind) {
			l.unknownKind(d)
			continue
		}
		v := validators[d.kind]
		if v == nil {
			var err error
			if v, err = newValidator(string(d.kind)); err != nil {
				return err
			}
			validators[d.kind] = v
		}
		l.issues = append(l.issues, v.check(string(d.kind), d.root)...)
		d.value, _ = d.root.value(v.shape).(map[string]any)
	}
	if templates != nil {
		v, err := newValidator("fleet-templates")
		if err != nil {
			return err
		}
		l.issues = append(l.issues, v.check(fleetTemplates, templates)...)
	}
	return nil
}

func (l *loader) unknownKind(d *document) {
	var names []string
	for _, k := range kinds() {
		names = append(names, string(k))
	}
	kind := d.root.get("kind")
	if kind == nil {
		key := ""
		for i := range d.root.members {
			if nearest(d.root.members[i].key, []string{"kind"}) != "" {
				key = fmt.Sprintf("did you mean \"kind\" by %q?", d.root.members[i].key)
			}
		}
		if key == "" {
			key = "write kind: " + strings.Join(names, ", kind: ")
		}
		l.issues.suggest(d.root.at, "kind", "missing", "is missing", key)
		return
	}
	l.issues.suggest(d.at("kind"), "kind", "unknown-kind", fmt.Sprintf("%s is not a kind: there are %s", quote(d.root.scalar("kind")), list(names)), didYouMean(d.root.scalar("kind"), names))
}

// batch is how many documents share a CUE context. A context keeps what it
// evaluated, so one for all would grow with the folder.
const batch = 500

// unify is pass 3's first half: every document unified with its definition in
// CUE, which fills the defaults in, and decoded.
func (l *loader) unify(docs []*document, templates *node) (Set, error) {
	filled := make([]json.RawMessage, len(docs))
	found := make([]Issues, (len(docs)+batch-1)/batch)
	g, ctx := errgroup.WithContext(l.ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for b := range found {
		g.Go(func() error {
			from, to := b*batch, min((b+1)*batch, len(docs))
			issues, err := unifyBatch(ctx, docs[from:to], filled[from:to])
			found[b] = issues
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Set{}, err
	}
	for _, issues := range found {
		l.issues = append(l.issues, issues...)
	}
	if len(l.issues) > 0 {
		return Set{}, nil
	}
	return l.decode(docs, filled, templates)
}

func unifyBatch(ctx context.Context, docs []*document, filled []json.RawMessage) (Issues, error) {
	c := cuecontext.New()
	definitions, err := definitions(c)
	if err != nil {
		return nil, err
	}
	var issues Issues
	for i, d := range docs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := definitions.LookupPath(cue.ParsePath("#" + string(d.kind))).Unify(c.Encode(d.value))
		if err := v.Validate(cue.Concrete(true)); err != nil {
			for _, one := range errors.Errors(err) {
				path := cuePath(one.Path())
				format, args := one.Msg()
				issues.add(d.at(path), path, "definition", strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
			}
			continue
		}
		if filled[i], err = v.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("%s at %s:%d: %w", d.kind, d.root.at.File, d.root.at.Line, err)
		}
	}
	return issues, nil
}

// definitions compiles the CUE files of package schema.
func definitions(c *cue.Context) (cue.Value, error) {
	inst := build.NewContext().NewInstance("schema", nil)
	files, err := fs.Glob(schema.CUE(), "*.cue")
	if err != nil {
		return cue.Value{}, err
	}
	for _, name := range files {
		text, err := fs.ReadFile(schema.CUE(), name)
		if err != nil {
			return cue.Value{}, err
		}
		file, err := parser.ParseFile(name, text, parser.ParseComments)
		if err != nil {
			return cue.Value{}, fmt.Errorf("definitions: %w", err)
		}
		if err := inst.AddSyntax(file); err != nil {
			return cue.Value{}, fmt.Errorf("definitions: %w", err)
		}
	}
	if err := inst.Complete(); err != nil {
		return cue.Value{}, fmt.Errorf("definitions: %w", err)
	}
	v := c.BuildInstance(inst)
	if err := v.Err(); err != nil {
		return cue.Value{}, fmt.Errorf("definitions: %w", err)
	}
	return v, nil
}

// cuePath writes CUE's path as ours: "spec.instanceTypes[0]".
func cuePath(parts []string) string {
	path := ""
	for _, p := range parts {
		switch {
		case strings.HasPrefix(p, "#"):
		case p != "" && strings.Trim(p, "0123456789") == "":
			path += "[" + p + "]"
		default:
			path = joinPath(path, strings.Trim(p, `"`))
		}
	}
	return path
}
