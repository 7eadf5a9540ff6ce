package stacks_test

import "testing"

// CloudFormation refuses a template with a null in it, also one that stands
// for an empty list.
func TestNoNullsInTemplates(t *testing.T) {
	for name, set := range platforms() {
		for _, s := range render(t, set).Stacks {
			for id, r := range s.Template.Resources {
				if path, found := nullIn(r.Properties, "Properties"); found {
					t.Errorf("%s: %s/%s: null at %s", name, s.Name, id, path)
				}
			}
		}
	}
}

func nullIn(v any, path string) (string, bool) {
	switch v := v.(type) {
	case nil:
		return path, true
	case []any:
		if v == nil {
			return path, true
		}
		for _, e := range v {
			if p, found := nullIn(e, path+"[]"); found {
				return p, true
			}
		}
	case map[string]any:
		for k, e := range v {
			if p, found := nullIn(e, path+"."+k); found {
				return p, true
			}
		}
	}
	return "", false
}
