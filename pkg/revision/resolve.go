package revision

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Resolve gives the commit, as 40 hex digits, that a revision names: a branch,
// a remote's branch, a tag, HEAD or @, the id of a commit or its start, each
// with any of ~N, ^N and ^{commit} after it. What git would resolve otherwise
// is refused. The error is an *UnknownError, an *AmbiguousError or an
// *IncompleteError.
func (r *Repository) Resolve(rev string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	base, steps, err := parse(rev)
	if err != nil {
		return "", err
	}
	id, err := r.base(rev, base)
	if err != nil {
		return "", err
	}
	for _, s := range steps {
		for range s.times {
			if id, err = r.parent(rev, id, s.parent); err != nil {
				return "", err
			}
		}
	}
	return id.String(), nil
}

// step goes times to the parent of that number.
type step struct{ times, parent int }

const maxSteps = 1 << 20

func parse(rev string) (base string, steps []step, err error) {
	end := strings.IndexAny(rev, "~^")
	if end < 0 {
		end = len(rev)
	}
	base, rest := rev[:end], strings.ReplaceAll(strings.ReplaceAll(rev[end:], "^{commit}", ""), "^{}", "")
	if base == "" || strings.ContainsAny(base, " :?*[\\\x00\n\t") || strings.Contains(base, "@{") || strings.Contains(base, "..") || strings.HasPrefix(base, "-") {
		return "", nil, &UnknownError{Rev: rev, Detail: "write a branch, a tag, a commit, or one of them with ~N or ^N"}
	}
	for rest != "" {
		kind, digits := rest[0], 0
		for digits+1 < len(rest) && rest[digits+1] >= '0' && rest[digits+1] <= '9' {
			digits++
		}
		n := 1
		if digits > 0 {
			if n, err = strconv.Atoi(rest[1 : 1+digits]); err != nil || n > maxSteps {
				return "", nil, &UnknownError{Rev: rev, Detail: "the number is too large"}
			}
		}
		switch {
		case kind == '~':
			steps = append(steps, step{n, 1})
		case kind == '^' && n > 0:
			steps = append(steps, step{1, n})
		case kind != '^':
			return "", nil, &UnknownError{Rev: rev, Detail: fmt.Sprintf("%q is not understood after %q", rest, base)}
		}
		rest = rest[1+digits:]
	}
	return base, steps, nil
}

// base resolves what has no ~ and ^: a whole id, then a name, then a start.
func (r *Repository) base(rev, base string) (plumbing.Hash, error) {
	if plumbing.IsHash(base) {
		return r.commit(rev, plumbing.NewHash(base))
	}
	name := base
	if name == "@" {
		name = "HEAD"
	}
	for _, rule := range plumbing.RefRevParseRules {
		ref, err := storer.ResolveReference(r.git.Storer, plumbing.ReferenceName(fmt.Sprintf(rule, name)))
		if err == nil && !ref.Hash().IsZero() {
			return r.commit(rev, ref.Hash())
		}
	}
	ids, err := r.startingWith(base)
	switch {
	case err != nil:
		return plumbing.ZeroHash, err
	case len(ids) == 1:
		return plumbing.NewHash(ids[0]), nil
	case len(ids) > 1:
		return plumbing.ZeroHash, &AmbiguousError{Rev: base, Commits: ids}
	}
	return plumbing.ZeroHash, r.unknown(rev, base)
}

// startingWith lists the commits whose ids begin so; git wants four digits.
func (r *Repository) startingWith(start string) ([]string, error) {
	prefix, err := hex.DecodeString(start[:len(start)&^1])
	if err != nil || len(start) < 4 || len(start) > 40 || strings.Trim(start, "0123456789abcdefABCDEF") != "" {
		return nil, nil
	}
	found, err := r.store.HashesWithPrefix(prefix)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", start, err)
	}
	set := map[string]bool{}
	for _, h := range found {
		if !strings.HasPrefix(h.String(), strings.ToLower(start)) {
			continue
		}
		if c, err := r.peel(h); err == nil {
			set[c.String()] = true
		}
	}
	ids := make([]string, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids, nil
}

var errNoCommit = errors.New("is no commit")

// peel follows annotated tags to their commit.
func (r *Repository) peel(h plumbing.Hash) (plumbing.Hash, error) {
	for range 10 {
		o, err := r.git.Storer.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return h, err
		}
		switch o.Type() {
		case plumbing.CommitObject:
			return h, nil
		case plumbing.TagObject:
			tag, err := object.DecodeTag(r.git.Storer, o)
			if err != nil {
				return h, err
			}
			h = tag.Target
		default:
			return h, errNoCommit
		}
	}
	return h, errNoCommit
}

func (r *Repository) commit(rev string, h plumbing.Hash) (plumbing.Hash, error) {
	c, err := r.peel(h)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return c, r.unknown(rev, h.String())
	}
	return c, &UnknownError{Rev: rev, Detail: fmt.Sprintf("%s %v", Short(h.String()), err)}
}

func (r *Repository) parent(rev string, of plumbing.Hash, n int) (plumbing.Hash, error) {
	c, err := r.git.CommitObject(of)
	if err != nil {
		return of, r.lacking("read commit "+Short(of.String()), err)
	}
	if n > len(c.ParentHashes) {
		return of, &UnknownError{Rev: rev, Detail: fmt.Sprintf("commit %s has %d parents", Short(of.String()), len(c.ParentHashes))}
	}
	to := c.ParentHashes[n-1]
	if _, err := r.git.CommitObject(to); err != nil {
		return of, r.lacking(fmt.Sprintf("resolve %q", rev), err)
	}
	return to, nil
}

// unknown says what is near a name that is not there, and what would fetch it.
func (r *Repository) unknown(rev, base string) error {
	e := &UnknownError{Rev: rev}
	remote := r.remote()
	var names []string
	if refs, err := r.git.References(); err == nil {
		_ = refs.ForEach(func(ref *plumbing.Reference) error {
			if n := ref.Name(); n.IsBranch() || n.IsTag() || n.IsRemote() && n.Short() != remote+"/HEAD" {
				names = append(names, n.Short())
			}
			return nil
		})
	}
	hash := len(base) >= 7 && strings.Trim(base, "0123456789abcdef") == ""
	branch, ofRemote := strings.CutPrefix(base, remote+"/")
	switch {
	case remote == "":
	case hash && r.shallow():
		e.Next = "git fetch --unshallow " + remote
	case len(base) == 40 && hash:
		e.Next = "git fetch " + remote + " " + base
	case ofRemote:
		e.Next = fmt.Sprintf("git fetch %s %s:refs/remotes/%s/%s", remote, branch, remote, branch)
	default:
		e.Next = "git fetch --tags " + remote
	}
	if hash {
		e.Detail = "the commit is not in this clone; a force push may have taken it away"
	} else {
		e.Nearest = nearest(base, names)
	}
	return e
}

// nearest gives up to three names: the same last part first, then by letters.
func nearest(want string, names []string) []string {
	type near struct {
		name string
		far  int
	}
	var all []near
	last := want[strings.LastIndexByte(want, '/')+1:]
	for _, n := range names {
		d := distance(want, n)
		switch {
		case strings.HasSuffix(n, "/"+want) || n == last:
			d = 0
		case 2*d > max(len(want), len(n)):
			continue
		}
		all = append(all, near{n, d})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].far < all[j].far || all[i].far == all[j].far && all[i].name < all[j].name
	})
	var out []string
	for i := 0; i < len(all) && i < 3; i++ {
		out = append(out, all[i].name)
	}
	return out
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
