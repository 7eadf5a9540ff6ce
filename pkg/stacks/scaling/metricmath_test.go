package scaling_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// formula is a CloudWatch metric maths expression, compiled: IF, comparisons,
// AND, division. A missing value (NaN) makes the result missing, because an
// expression has no data point where one of its series has none (CloudWatch
// User Guide, "Using math expressions").
type formula struct {
	variables []string
	value     func(vars map[string]float64) float64
}

func (f formula) at(vars map[string]float64) float64 {
	for _, name := range f.variables {
		if math.IsNaN(vars[name]) {
			return math.NaN()
		}
	}
	return f.value(vars)
}

type term = func(map[string]float64) float64

func compile(t testing.TB, expression string) formula {
	t.Helper()
	for _, sign := range []string{"(", ")", ",", "/"} {
		expression = strings.ReplaceAll(expression, sign, " "+sign+" ")
	}
	p := &mathParser{t: t, tokens: strings.Fields(expression)}
	value := p.conjunction()
	if len(p.tokens) > 0 {
		t.Fatalf("%s: left over: %v", expression, p.tokens)
	}
	return formula{p.variables, value}
}

type mathParser struct {
	t         testing.TB
	tokens    []string
	variables []string
}

func (p *mathParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *mathParser) next() string {
	tok := p.peek()
	if tok == "" {
		p.t.Fatal("the expression ends too early")
	}
	p.tokens = p.tokens[1:]
	return tok
}

func (p *mathParser) expect(tok string) {
	if got := p.next(); got != tok {
		p.t.Fatalf("%q instead of %q", got, tok)
	}
}

func (p *mathParser) conjunction() term {
	v := p.comparison()
	for p.peek() == "AND" {
		p.next()
		a, b := v, p.comparison()
		v = func(m map[string]float64) float64 { return truth(a(m) != 0 && b(m) != 0) }
	}
	return v
}

func (p *mathParser) comparison() term {
	a := p.quotient()
	switch p.peek() {
	case "<":
		p.next()
		b := p.quotient()
		return func(m map[string]float64) float64 { return truth(a(m) < b(m)) }
	case ">":
		p.next()
		b := p.quotient()
		return func(m map[string]float64) float64 { return truth(a(m) > b(m)) }
	}
	return a
}

func (p *mathParser) quotient() term {
	v := p.operand()
	for p.peek() == "/" {
		p.next()
		a, b := v, p.operand()
		v = func(m map[string]float64) float64 { return a(m) / b(m) }
	}
	return v
}

func (p *mathParser) operand() term {
	tok := p.next()
	if tok == "IF" {
		p.expect("(")
		condition := p.conjunction()
		p.expect(",")
		yes := p.conjunction()
		p.expect(",")
		no := p.conjunction()
		p.expect(")")
		return func(m map[string]float64) float64 {
			if condition(m) != 0 {
				return yes(m)
			}
			return no(m)
		}
	}
	if v, err := strconv.ParseFloat(tok, 64); err == nil {
		return func(map[string]float64) float64 { return v }
	}
	if strings.ToLower(tok) != tok { // ids begin with a lower-case letter
		p.t.Fatalf("operand %q", tok)
	}
	if !slices.Contains(p.variables, tok) {
		p.variables = append(p.variables, tok)
	}
	return func(m map[string]float64) float64 { return m[tok] }
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
