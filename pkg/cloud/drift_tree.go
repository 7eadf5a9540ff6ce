package cloud

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// list is the list at a key; a single empty text is an empty list.
func list(m map[string]any, key string) []any {
	l, _ := m[key].([]any)
	return l
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

// pick copies the properties that are there and not empty. A name "A=B" takes
// B and calls it A.
func pick(m map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		to, from, renamed := strings.Cut(name, "=")
		if !renamed {
			from = to
		}
		if v, ok := m[from]; ok && v != "" && v != nil {
			out[to] = v
		}
	}
	return out
}

// members is a form with a numbered list.
func members(form url.Values, name string, values []string) url.Values {
	for i, v := range values {
		form.Set(name+"."+strconv.Itoa(i+1), v)
	}
	return form
}

// askPages asks for one page after another of a Query service; the token goes
// out under the name in and comes back under the name out.
func (c *Cloud) askPages(ctx context.Context, e endpoint, action, in, out string, form url.Values, each func(map[string]any)) error {
	err := pages(func(token *string) (*string, error) {
		if token != nil {
			form.Set(in, *token)
		}
		answer, err := c.ask(ctx, e, action, form)
		if err != nil {
			return nil, err
		}
		each(answer)
		next := text(answer, out)
		return &next, nil
	})
	if err != nil {
		return c.readError(fmt.Sprintf("%s %s", e.id, action), err)
	}
	return nil
}

// askJSONPages is askPages for a JSON service.
func (c *Cloud) askJSONPages(ctx context.Context, e endpoint, action string, in map[string]any, each func(map[string]any)) error {
	err := pages(func(token *string) (*string, error) {
		if token != nil {
			in["NextToken"] = *token
		}
		answer, err := c.askJSON(ctx, e, action, in)
		if err != nil {
			return nil, err
		}
		each(answer)
		next := text(answer, "NextToken")
		return &next, nil
	})
	if err != nil {
		return c.readError(fmt.Sprintf("%s %s", e.id, action), err)
	}
	return nil
}

// upper is a tree whose keys begin with a capital, as a template's do.
func upper(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if k != "" {
				out[strings.ToUpper(k[:1])+k[1:]] = upper(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = upper(e)
		}
		return out
	}
	return v
}

// column is one text of each element of a list.
func column(l []any, key string) []any {
	out := []any{}
	for _, e := range l {
		if s := text(object(e), key); s != "" {
			out = append(out, s)
		}
	}
	return out
}
