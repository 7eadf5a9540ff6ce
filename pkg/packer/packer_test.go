package packer_test

import (
	"slices"
	"strings"
	"testing"

	"reconcile/pkg/packer"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line string
		want packer.Event
		ok   bool
	}{
		{`1700000000,,ui,say,==> worker: Creating AMI a%!(PACKER_COMMA) b`, packer.Event{Kind: packer.Say, Text: "==> worker: Creating AMI a, b"}, true},
		{`1700000000,worker,ui,message,    worker: one\ntwo`, packer.Event{Kind: packer.Message, Text: "    worker: one\ntwo"}, true},
		{`1700000000,worker,error,no capacity`, packer.Event{Kind: packer.Error, Text: "no capacity"}, true},
		{`1700000000,worker,artifact,0,id,us-east-1:ami-1`, packer.Event{Kind: packer.Artifact, Text: "id", Data: []string{"us-east-1:ami-1"}}, true},
		{`1700000000,,version,1.6.6`, packer.Event{}, false},
		{`1700000000,,ui,say`, packer.Event{}, false},
		{`1700000000,worker,artifact,0`, packer.Event{}, false},
		{`Warning, this is, no message, of Packer`, packer.Event{}, false},
		{``, packer.Event{}, false},
	} {
		got, ok := packer.Parse(c.line)
		if ok != c.ok || got.Kind != c.want.Kind || got.Text != c.want.Text || !slices.Equal(got.Data, c.want.Data) {
			t.Errorf("%q: %+v %v", c.line, got, ok)
		}
	}
}

// FuzzParse: no line brings the reader down, and what is read has no escape left.
func FuzzParse(f *testing.F) {
	f.Add(`1700000000,worker,artifact,0,id,us-east-1:ami-1%!(PACKER_COMMA)eu-west-1:ami-2`)
	f.Add(`1,,ui,say,`)
	f.Fuzz(func(t *testing.T, line string) {
		e, ok := packer.Parse(line)
		if ok && strings.Contains(e.Text, "%!(PACKER_COMMA)") && strings.Count(line, "%!(") < 2 {
			t.Errorf("%q: %+v", line, e)
		}
	})
}
