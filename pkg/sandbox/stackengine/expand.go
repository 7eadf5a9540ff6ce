package stackengine

import (
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/awstype"
)

// expander fills the texts of a form.
type expander struct {
	e    *Engine
	r    Resource
	id   string
	name string
}

func (x expander) expand(form, label string) string {
	var b strings.Builder
	for form != "" {
		start := strings.IndexByte(form, '{')
		end := strings.IndexByte(form, '}')
		if start < 0 || end < start {
			b.WriteString(form)
			break
		}
		b.WriteString(form[:start])
		b.WriteString(x.field(form[start+1:end], label))
		form = form[end+1:]
	}
	return b.String()
}

func (x expander) field(f, label string) string {
	switch f {
	case "name":
		return x.name
	case "name16":
		return clip(x.name, 128)
	case "id":
		return x.id
	case "account":
		return x.r.Account
	case "region":
		return x.r.Region
	case "partition":
		return partition(x.r.Region)
	case "uuid":
		h := x.r.Random(label, hexDigits, 32)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	case "ip":
		return x.address(label)
	case "privateip":
		return "10.0.0." + strconv.Itoa(4+x.number(label)%250)
	case "cluster":
		return x.cluster()
	case "family":
		if s, ok := text(x.r.Properties["Family"]); ok && s != "" {
			return s
		}
		return strings.ReplaceAll(x.r.Stack+x.r.LogicalID, "-", "") + x.r.Random("family", hexDigits, 8)
	case "count":
		return x.count()
	}
	switch {
	case strings.HasPrefix(f, "."):
		return x.property(f[1:])
	case strings.HasPrefix(f, "tail:"):
		_, after, _ := strings.Cut(x.id, f[len("tail:"):])
		return after
	}
	return x.letters(f, label)
}

// letters gives {hex17}, {upper14} and their kin.
func (x expander) letters(f, label string) string {
	for _, a := range []struct{ prefix, alphabet string }{
		{"hex", hexDigits}, {"upper", upperAlnum}, {"lower", lowerAlnum}, {"mixed", mixedAlnum}, {"digits", digits},
	} {
		if rest, ok := strings.CutPrefix(f, a.prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				return x.r.Random(label, a.alphabet, n)
			}
		}
	}
	return f
}

// address draws a public IPv4 address until nothing has it, from 198.18.0.0/15:
// RFC 2544 keeps it for measurements, so it belongs to nobody.
func (x expander) address(label string) string {
	for try := 0; ; try++ {
		n := x.number(label + strings.Repeat("+", try))
		ip := fmt.Sprintf("198.%d.%d.%d", 18+n>>16&1, n>>8&255, n&255)
		if x.e.State.Items[x.r.Type+"|"+ip] == nil || try == addressTries {
			return ip
		}
	}
}

// addressTries is where a draw gives up: the name is then refused as taken.
const addressTries = 100

func (x expander) number(label string) int {
	n, err := strconv.Atoi(x.r.Random(label, digits, 6))
	if err != nil {
		return 0
	}
	return n
}

// property gives a property's text; "LoadBalancerArn:a=b" replaces a by b in it.
func (x expander) property(f string) string {
	name, edit, _ := strings.Cut(f, ":")
	s, _ := text(x.r.Properties[name])
	if from, to, ok := strings.Cut(edit, "="); ok {
		s = strings.Replace(s, ":"+from+"/", ":"+to+"/", 1)
	}
	return s
}

func (x expander) cluster() string {
	s, _ := text(x.r.Properties["Cluster"])
	if s == "" {
		return "default"
	}
	return s[strings.LastIndexByte(s, '/')+1:]
}

// count numbers revisions and versions of one family.
func (x expander) count() string {
	key := x.r.Type + "|" + x.field("family", "")
	if x.r.Type == "AWS::Lambda::Version" {
		key = x.r.Type + "|" + x.property("FunctionName")
	}
	x.e.State.Count[key]++
	return itoa(x.e.State.Count[key])
}

// guess gives a plausible value of a read-only property that no form tells.
func (x expander) guess(t awstype.Type, attribute string) (string, bool) {
	if len(t.Identifier) == 1 && t.Identifier[0] == attribute {
		return x.id, true
	}
	last := attribute[strings.LastIndexByte(attribute, '.')+1:]
	lower := strings.ToLower(last)
	switch {
	case strings.HasSuffix(lower, "arn"):
		if strings.HasPrefix(x.id, "arn:") {
			return x.id, true
		}
		return x.expand(awsARN+serviceOf(x.r.Type)+":{region}:{account}:"+kindOf(x.r.Type)+"/"+x.id, attribute), true
	case strings.HasSuffix(last, "Id"):
		return x.r.Random(attribute, hexDigits, 17), true
	case strings.HasSuffix(lower, "address"), strings.HasSuffix(lower, "dnsname"), strings.HasSuffix(lower, "domainname"):
		return strings.ToLower(x.name) + "." + x.r.Random(attribute, lowerAlnum, 8) + "." + x.r.Region + ".amazonaws.com", true
	case strings.HasSuffix(lower, "name"):
		return x.name, true
	}
	return "", false
}

func increment(s string) string {
	n, err := strconv.Atoi(s)
	if err != nil {
		return "1"
	}
	return strconv.Itoa(n + 1)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// generatedName is the name that CloudFormation gives: STACK-LOGICALID-RANDOM,
// cut to the type's length, in lower case where the type asks for it.
func (e *Engine) generatedName(typeName, stack, logical string, random string) string {
	shape := formOf(typeName).name
	var parts []string
	switch shape.prefix {
	case "":
		parts = append(parts, stack)
	case "-":
	default:
		parts = append(parts, shape.prefix)
	}
	limit := shape.max
	if limit == 0 {
		limit = 255
	}
	base := strings.Join(append(parts, logical), "-")
	name := clip(base, limit-len(random)-1) + "-" + random
	if shape.lower {
		name = strings.ToLower(name)
	}
	return name
}
