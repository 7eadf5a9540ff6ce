package cfn

import (
	"regexp"
	"strings"
)

// secretName matches the last word of a property or variable whose literal
// value is a secret. Plurals ("Secrets", "HttpTokens") and references
// ("SecretArn", "SecretId") are not.
var secretName = regexp.MustCompile(`(?i)(password|passwd|pwd|passphrase|secret|secret[_-]?string|token|(api|private|secret|access|app)[_-]?key)$`)

func secretLooking(name string) bool { return secretName.MatchString(name) }

// namedSecret tells whether an object is a pair like {Name: DB_PASSWORD, Value: …}.
func namedSecret(m map[string]any) bool {
	name, _ := m["Name"].(string)
	_, ok := m["Value"]
	return ok && secretLooking(name)
}

// noEcho tells whether a template parameter hides its value.
func noEcho(v any) bool {
	m, _ := v.(map[string]any)
	s, _ := scalar(m["NoEcho"])
	return strings.EqualFold(s, "true")
}

// Shown returns the properties as they may be shown: literals that look secret
// are Masked.
func (r Resource) Shown() map[string]any {
	w := newWalker("", r.Type)
	w.secretName = secretLooking(scalarText(r.Properties["Name"]))
	v, _ := w.mask(place{path: "Properties"}, orEmpty(r.Properties))
	shown, _ := v.(map[string]any)
	return shown
}

// mask replaces the literals at p, and those below it that look secret. What
// CloudFormation resolves itself (intrinsics, dynamic references) stays.
func (w *walker) mask(p place, v any) (any, bool) {
	if _, open := v.(absent); open || isIntrinsic(v) && !joined(v) {
		return v, false
	}
	switch e := v.(type) {
	case nil:
		return nil, false
	case map[string]any:
		out, hid := make(map[string]any, len(e)), false
		hides := namedSecret(e)
		for _, k := range sortedKeys(e) {
			at := p.key(k)
			at.secret = at.secret || hides && k == "Value" || w.noEcho && k == "Default" ||
				w.secretName && k == "Value" && p.path == "Properties"
			var h bool
			out[k], h = w.mask(at, e[k])
			hid = hid || h
		}
		return out, hid
	case []any:
		out, hid := make([]any, len(e)), false
		for i := range e {
			var h bool
			out[i], h = w.mask(p, e[i])
			hid = hid || h
		}
		return out, hid
	case string:
		if strings.HasPrefix(e, "{{resolve:") && strings.HasSuffix(e, "}}") {
			return v, false
		}
	}
	if p.hides() {
		return Masked, true
	}
	return v, false
}

// joined tells whether an intrinsic carries literal text.
func joined(v any) bool {
	m, _ := v.(map[string]any)
	for _, f := range []string{"Fn::Join", "Fn::Sub", "Fn::Base64", "Fn::If"} {
		if _, ok := m[f]; ok {
			return true
		}
	}
	return false
}
