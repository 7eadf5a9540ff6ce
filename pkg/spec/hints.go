package spec

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	parameterName = regexp.MustCompile(`^[A-Za-z0-9]+$`)
	tagKey        = regexp.MustCompile(`^[A-Za-z0-9 _.:/=+@-]+$`)
)

// mapKeyProblem says why a key of a map is refused.
func mapKeyProblem(path, key string) string {
	switch {
	case path == "spec.parameters" && (len(key) > 255 || !parameterName.MatchString(key)):
		return "is not a name that a template parameter can have: letters and digits"
	case path == "spec.tags" && (len(key) > 128 || !tagKey.MatchString(key)):
		return "is not a tag key: 1 to 128 letters, digits, spaces and _ . : / = + - @"
	}
	return ""
}

// find is the path of a field with this name anywhere in the kind, or "".
func (s *shape) find(name, path string) string {
	for _, n := range s.names() {
		sub := joinPath(path, n)
		if n == name {
			return sub
		}
		if found := s.Properties[n].find(name, sub); found != "" {
			return found
		}
	}
	return ""
}

// fromTemplate answers settings that the backend and the templates own, under
// the names that people try.
func fromTemplate(kind, field string) string {
	if kind != string(KindFleet) {
		return ""
	}
	key := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(field))
	switch key {
	case "maxsize", "minsize", "size", "desiredcapacity", "capacity", "warmupseconds", "warmup", "backlogtarget", "scaletozerominutes":
		return "is decided by the fleet template alone (fleet-templates.json); a fleet cannot set it"
	case "amissmparameter", "ami", "amiid", "imageid":
		return "is decided by the AMI build, which writes /PLATFORM/ami/fleets/STAGE/SLUG; a fleet cannot set it"
	}
	return ""
}

// textHint says what a text in the place of a number or of true was meant to be.
func textHint(n *node, s *shape) string {
	lower := strings.ToLower(n.text)
	switch {
	case s.wants("boolean") && (lower == "yes" || lower == "on" || lower == "y" || lower == "true"):
		return "write true"
	case s.wants("boolean") && (lower == "no" || lower == "off" || lower == "n" || lower == "false"):
		return "write false"
	case s.wants("integer") && canonicalInt.MatchString(n.text):
		return "remove the quotes"
	case s.wants("integer") && n.plain && strings.HasPrefix(n.text, "0"):
		return "write it in plain decimal, without leading zeros"
	case s.wants("array") && n.text != "":
		return fmt.Sprintf("write [%s]", quoteFree(n.text))
	}
	return ""
}

func quoteFree(s string) string {
	if len(s) > 40 {
		return "…"
	}
	return s
}

// patternHint knows the nearest right text of fields that people get wrong in
// a known way.
func patternHint(path, text string) string {
	switch path {
	case "spec.database.instanceClass":
		if len(strings.Split(text, ".")) == 2 && !strings.HasPrefix(text, "db.") {
			return fmt.Sprintf("did you mean %q?", "db."+text)
		}
	case "spec.cache.nodeType":
		if len(strings.Split(text, ".")) == 2 && !strings.HasPrefix(text, "cache.") {
			return fmt.Sprintf("did you mean %q?", "cache."+text)
		}
	case "spec.database.engineVersion":
		if text == "10.11" {
			return fmt.Sprintf("did you mean %q?", "10.11.16")
		}
	case "spec.domain.name":
		if host := hostOf(text); host != text {
			return fmt.Sprintf("did you mean %q?", host)
		}
	case "metadata.name", "spec.bundle":
		if fixed := slugOf(text); fixed != "" && fixed != text {
			return fmt.Sprintf("did you mean %q?", fixed)
		}
	case "spec.region":
		return didYouMean(text, regions())
	case "spec.account":
		if digits := strings.ReplaceAll(text, "-", ""); len(digits) == 12 && digits != text {
			return fmt.Sprintf("did you mean %q?", digits)
		}
	}
	if strings.HasSuffix(path, ".sha256") && strings.ToLower(text) != text {
		return "write it in lower case"
	}
	if t := strings.TrimSpace(text); t != text && t != "" {
		return "remove the spaces around it"
	}
	return ""
}

// regions are the names of AWS's regions as far as this program knows them; it
// takes others too.
func regions() []string {
	return strings.Fields(`us-east-1 us-east-2 us-west-1 us-west-2 af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2
		ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
		ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2
		eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1`)
}

// hostOf is the host name in a URL.
func hostOf(text string) string {
	if _, after, ok := strings.Cut(text, "://"); ok {
		text = after
	}
	text, _, _ = strings.Cut(text, "/")
	text, _, _ = strings.Cut(text, ":")
	return strings.TrimSuffix(text, ".")
}

// slugOf is a text as a slug would spell it.
func slugOf(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '-' || r == '_' || r == ' ' || r == '.':
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
