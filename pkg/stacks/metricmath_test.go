package stacks_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// evaluate computes a CloudWatch metric maths expression over q and d: IF,
// comparisons, AND, division. A missing value makes the result missing.
func evaluate(t testing.TB, expression string, q, d float64) float64 {
	t.Helper()
	if math.IsNaN(q) || math.IsNaN(d) {
		return math.NaN()
	}
	e := &mathParser{t: t, tokens: tokens(expression), vars: map[string]float64{"q": q, "d": d}}
	v := e.conjunction()
	if len(e.tokens) > 0 {
		t.Fatalf("%s: left over: %v", expression, e.tokens)
	}
	return v
}

func tokens(s string) []string {
	for _, sign := range []string{"(", ")", ",", "/"} {
		s = strings.ReplaceAll(s, sign, " "+sign+" ")
	}
	return strings.Fields(s)
}

type mathParser struct {
	t      testing.TB
	tokens []string
	vars   map[string]float64
}

func (e *mathParser) next() string {
	if len(e.tokens) == 0 {
		e.t.Fatal("the expression ends too early")
	}
	tok := e.tokens[0]
	e.tokens = e.tokens[1:]
	return tok
}

func (e *mathParser) expect(tok string) {
	if got := e.next(); got != tok {
		e.t.Fatalf("%q instead of %q", got, tok)
	}
}

func (e *mathParser) peek() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

func (e *mathParser) conjunction() float64 {
	v := e.comparison()
	for e.peek() == "AND" {
		e.next()
		w := e.comparison()
		v = truth(v != 0 && w != 0)
	}
	return v
}

func (e *mathParser) comparison() float64 {
	v := e.quotient()
	switch e.peek() {
	case "<":
		e.next()
		return truth(v < e.quotient())
	case ">":
		e.next()
		return truth(v > e.quotient())
	}
	return v
}

func (e *mathParser) quotient() float64 {
	v := e.operand()
	for e.peek() == "/" {
		e.next()
		v /= e.operand()
	}
	return v
}

func (e *mathParser) operand() float64 {
	tok := e.next()
	if tok == "IF" {
		e.expect("(")
		condition := e.conjunction()
		e.expect(",")
		yes := e.conjunction()
		e.expect(",")
		no := e.conjunction()
		e.expect(")")
		if condition != 0 {
			return yes
		}
		return no
	}
	if v, ok := e.vars[tok]; ok {
		return v
	}
	v, err := strconv.ParseFloat(tok, 64)
	if err != nil {
		e.t.Fatalf("operand %q", tok)
	}
	return v
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
