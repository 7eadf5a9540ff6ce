package stackengine

// equal compares two property values as CloudFormation does: scalars by their
// text, so that 80 and "80" are the same (aws-limits: template values are
// converted to the property's type).
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	s, ok1 := text(a)
	t, ok2 := text(b)
	return ok1 && ok2 && s == t || a == nil && b == nil
}
