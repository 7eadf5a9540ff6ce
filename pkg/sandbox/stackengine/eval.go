package stackengine

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// knownAfterApply stands for a value that only the execution will tell. It is
// what DescribeChangeSet shows (LocalStack's recordings of change sets).
const knownAfterApply = "{{changeSet:KNOWN_AFTER_APPLY}}"

// noValue is the value of AWS::NoValue: what holds it disappears.
type noValue struct{}

// resolver gives the values of other resources and stacks. Ref and GetAtt may
// return knownAfterApply.
type resolver interface {
	ref(logical string) (any, error)
	att(logical, attribute string) (any, error)
	imported(name string) (string, error)
	output(region, stack, key string) (string, error)
}

// evaluate computes the properties of a resource.
func (p *program) evaluate(id string, r resolver) (map[string]any, error) {
	v, err := p.eval(p.nodes[id].props, r)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m, nil
}

func (p *program) eval(v any, r resolver) (any, error) {
	if name, arg, ok := function(v); ok {
		return p.call(name, arg, r)
	}
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for _, k := range keys(v) {
			e, err := p.eval(v[k], r)
			if err != nil {
				return nil, err
			}
			if _, gone := e.(noValue); !gone {
				m[k] = e
			}
		}
		return m, nil
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			e, err := p.eval(e, r)
			if err != nil {
				return nil, err
			}
			if _, gone := e.(noValue); !gone {
				list = append(list, e)
			}
		}
		return list, nil
	}
	return v, nil
}

// call evaluates one intrinsic function. Texts of the refusals: AWS's
// reference pages of the functions and LocalStack's test_template_engine.
func (p *program) call(name string, arg any, r resolver) (any, error) {
	switch name {
	case "Ref":
		s, ok := arg.(string)
		if !ok {
			return nil, invalid("Template error: every Ref object must have a single String value.")
		}
		return p.ref(s, r)
	case "Fn::GetAtt":
		logical, attribute, ok := getAttArgs(arg)
		if !ok || r == nil {
			return nil, invalid("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
		}
		return r.att(logical, attribute)
	case "Fn::Sub":
		return p.sub(arg, r)
	case "Fn::FindInMap":
		return p.findInMap(arg, r)
	case "Fn::If":
		v, err := p.prune(map[string]any{name: arg})
		if err != nil {
			return nil, err
		}
		if isNoValue(v) {
			return noValue{}, nil
		}
		return p.eval(v, r)
	case "Condition", "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not":
		v, err := p.truth(map[string]any{name: arg})
		return v.value(), err
	}
	v, err := p.eval(arg, r)
	if err != nil {
		return nil, err
	}
	if unknown(v) {
		return p.callUnknown(name, v), nil
	}
	return p.callOn(name, v, r)
}

// callUnknown is a call whose argument holds a value that is not known yet.
func (p *program) callUnknown(name string, v any) any {
	if name == "Fn::Select" {
		// An index into a known list element is known, whatever its neighbours are.
		if list, ok := v.([]any); ok && len(list) == 2 {
			index, isText := text(list[0])
			items, isList := list[1].([]any)
			if i, err := strconv.Atoi(index); isText && isList && err == nil && i >= 0 && i < len(items) {
				return items[i]
			}
		}
	}
	return knownAfterApply
}

func (p *program) callOn(name string, v any, r resolver) (any, error) {
	list, _ := v.([]any)
	switch name {
	case "Fn::Join":
		return join(list)
	case "Fn::Select":
		return selectItem(list)
	case "Fn::Split":
		return split(list)
	case "Fn::Base64":
		s, ok := text(v)
		if !ok {
			return nil, invalid("Template error: every Fn::Base64 object must have a String-typed value.")
		}
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	case "Fn::Cidr":
		return cidr(list)
	case "Fn::GetAZs":
		region, _ := text(v)
		var out []any
		for _, z := range p.zones(region) {
			out = append(out, z)
		}
		return out, nil
	case "Fn::ImportValue":
		s, ok := text(v)
		if !ok || r == nil {
			return nil, invalid("Template error: every Fn::ImportValue object must have a String-typed value.")
		}
		return r.imported(s)
	case "Fn::GetStackOutput":
		return p.stackOutput(v, r)
	case "Fn::Length":
		if list == nil {
			return nil, transformFailed("Fn::Length layout is incorrect")
		}
		return json.Number(strconv.Itoa(len(list))), nil
	case "Fn::ToJsonString":
		return string(compact(v)), nil
	}
	return nil, invalid("Template format error: Unknown function %s", name)
}

// stackOutput reads the output of another stack: a weak reference (reference of
// Fn::GetStackOutput; where it is refused: cfn-lint #4519).
func (p *program) stackOutput(v any, r resolver) (any, error) {
	m, _ := v.(map[string]any)
	stack, ok1 := text(m["StackName"])
	key, ok2 := text(m["OutputName"])
	switch {
	case r == nil:
		return nil, invalid("Template error: Cannot use Fn::GetStackOutput in Conditions")
	case !ok1 || !ok2 || stack == "" || key == "":
		return nil, invalid("Template error: every Fn::GetStackOutput object requires StackName and OutputName")
	}
	if role, given := text(m["RoleArn"]); given && !strings.Contains(role, ":"+p.account()+":") {
		return nil, invalid("Role %s is invalid or cannot be assumed", role)
	}
	region, given := text(m["Region"])
	if own, _ := text(p.pseudo["AWS::Region"]); !given || region == own {
		region = ""
	}
	return r.output(region, stack, key)
}

func (p *program) account() string {
	s, _ := text(p.pseudo["AWS::AccountId"])
	return s
}

// unknown tells whether v holds a value that is known only after the execution.
func unknown(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, knownAfterApply)
	case map[string]any:
		for _, e := range v {
			if unknown(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if unknown(e) {
				return true
			}
		}
	}
	return false
}

func (p *program) ref(name string, r resolver) (any, error) {
	if v, ok := p.params[name]; ok {
		return v, nil
	}
	if v, ok := p.pseudo[name]; ok {
		return v, nil
	}
	if r == nil {
		return nil, invalid("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", name)
	}
	return r.ref(name)
}

func (p *program) findInMap(arg any, r resolver) (any, error) {
	list, _ := arg.([]any)
	if len(list) < 3 {
		return nil, invalid("Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
	}
	var path [3]string
	for i := range path {
		v, err := p.eval(list[i], r)
		if err != nil {
			return nil, err
		}
		path[i], _ = text(v)
	}
	if level, ok := p.t.Mappings[path[0]].(map[string]any); ok {
		if level, ok = level[path[1]].(map[string]any); ok {
			if v, ok := level[path[2]]; ok {
				return v, nil // a mapping holds literals only
			}
		}
	} else {
		return nil, invalid("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", path[0])
	}
	if len(list) == 4 {
		if fallback, ok := list[3].(map[string]any); ok {
			if d, ok := fallback["DefaultValue"]; ok {
				return p.eval(d, r)
			}
		}
	}
	return nil, invalid("Template error: Unable to get mapping for %s::%s::%s", path[0], path[1], path[2])
}

func join(list []any) (any, error) {
	bad := invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
	if len(list) != 2 {
		return nil, bad
	}
	sep, ok := text(list[0])
	items, isList := list[1].([]any)
	if !ok || !isList {
		return nil, bad
	}
	parts := make([]string, len(items))
	for i, e := range items {
		if parts[i], ok = text(e); !ok {
			return nil, bad
		}
	}
	return strings.Join(parts, sep), nil
}

func selectItem(list []any) (any, error) {
	if len(list) != 2 {
		return nil, invalid("Template error: every Fn::Select object requires two non-empty parameters, the first being an integer index and the second being a list to select from")
	}
	index, _ := text(list[0])
	i, err := strconv.Atoi(index)
	items, ok := list[1].([]any)
	if err != nil || !ok {
		return nil, invalid("Template error: Fn::Select requires a list argument with a valid index value")
	}
	if i < 0 || i >= len(items) {
		return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %d", i)
	}
	return items[i], nil
}

func split(list []any) (any, error) {
	if len(list) == 2 {
		sep, ok1 := text(list[0])
		s, ok2 := text(list[1])
		if ok1 && ok2 && sep != "" {
			var out []any
			for _, part := range strings.Split(s, sep) {
				out = append(out, part)
			}
			return out, nil
		}
	}
	return nil, invalid("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.")
}

// cidr cuts count blocks with the given number of host bits out of a block, of
// IPv4 or IPv6.
func cidr(list []any) (any, error) {
	bad := invalid("Template error: every Fn::Cidr object requires two parameters, (1) a CIDR block and (2) a count")
	if len(list) < 2 || len(list) > 3 {
		return nil, bad
	}
	block, _ := text(list[0])
	prefix, err := netip.ParsePrefix(block)
	countText, _ := text(list[1])
	count, err2 := strconv.Atoi(countText)
	if err != nil || err2 != nil || count < 1 || count > 256 {
		return nil, bad
	}
	bits, width := 8, prefix.Addr().BitLen()
	if len(list) > 2 {
		s, _ := text(list[2])
		if bits, err = strconv.Atoi(s); err != nil || bits < 1 || bits >= width {
			return nil, bad
		}
	}
	if free := width - bits - prefix.Bits(); free < 0 || free < 9 && count > 1<<free {
		return nil, invalid("Template error: Fn::Cidr cannot cut %d blocks with %d bits out of %s", count, bits, block)
	}
	start := new(big.Int).SetBytes(prefix.Masked().Addr().AsSlice())
	var out []any
	for i := range count {
		n := new(big.Int).Lsh(big.NewInt(int64(i)), uint(bits))
		addr, _ := netip.AddrFromSlice(n.Add(n, start).FillBytes(make([]byte, width/8)))
		out = append(out, netip.PrefixFrom(addr, width-bits).String())
	}
	return out, nil
}
