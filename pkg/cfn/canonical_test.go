package cfn_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
)

// The bytes are those of encoding/json, so that no digest in an account moves.
func TestCanonicalIsEncodingJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("ab\"\\\n\r\t\b\f\x00\x1f\x7f<>&\u2028\u00e9\ufffd"))),
		rapid.Just("\xff\xfe"), rapid.Just("plain text"))
	var value *rapid.Generator[any]
	value = rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int(), func(i int) any { return i }),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64(), func(i int64) float64 { return float64(i) }),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e21, 1e-7, 1 << 53, 1<<53 + 2})), func(f float64) any { return f }),
		rapid.SampledFrom([]any{nil, []any(nil), map[string]any(nil), []string{"a", "<"}, map[string]string{"b": "\n", "a": "&"}, uint8(3), json.Number("1.50")}),
		rapid.Deferred(func() *rapid.Generator[any] {
			return rapid.Map(rapid.SliceOfN(value, 0, 3), func(l []any) any { return l })
		}),
		rapid.Deferred(func() *rapid.Generator[any] {
			return rapid.Map(rapid.MapOfN(text, value, 0, 3), func(m map[string]any) any { return m })
		}),
	)
	objects := rapid.MapOfN(text, value, 0, 2)
	resource := rapid.Custom(func(t *rapid.T) cfn.Resource {
		return cfn.Resource{Type: text.Draw(t, "type"), Condition: text.Draw(t, "condition"), DependsOn: rapid.SliceOfN(text, 0, 2).Draw(t, "needs"),
			Metadata: objects.Draw(t, "metadata"), CreationPolicy: objects.Draw(t, "creation"), UpdatePolicy: objects.Draw(t, "update"),
			DeletionPolicy: text.Draw(t, "deletion"), UpdateReplacePolicy: text.Draw(t, "replace"), Properties: objects.Draw(t, "properties")}
	})
	output := rapid.Custom(func(t *rapid.T) cfn.Output {
		return cfn.Output{Description: text.Draw(t, "description"), Condition: text.Draw(t, "condition"), Value: value.Draw(t, "value"), Export: objects.Draw(t, "export")}
	})
	template := rapid.Custom(func(t *rapid.T) any {
		return cfn.Template{AWSTemplateFormatVersion: text.Draw(t, "version"), Description: text.Draw(t, "description"), Metadata: objects.Draw(t, "metadata"),
			Parameters: objects.Draw(t, "parameters"), Mappings: objects.Draw(t, "mappings"), Conditions: objects.Draw(t, "conditions"), Rules: objects.Draw(t, "rules"),
			Transform: value.Draw(t, "transform"), Resources: rapid.MapOfN(text, resource, 0, 2).Draw(t, "resources"), Outputs: rapid.MapOfN(text, output, 0, 2).Draw(t, "outputs")}
	})
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(value, template, rapid.Map(template, func(v any) any { return map[string]any{"template": v} })).Draw(t, "value")
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		wantErr := enc.Encode(v)
		got, err := cfn.Canonical(v)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("error %v, encoding/json %v", err, wantErr)
		}
		if want := bytes.TrimRight(buf.Bytes(), "\n"); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
		if template, ok := v.(cfn.Template); ok && err == nil {
			size, err := cfn.Size(template)
			if err != nil || size != len(got) {
				t.Fatalf("Size is %d, %v; it has %d bytes", size, err, len(got))
			}
			if size > 0 && cfn.SurelyWithin(template, size-1) {
				t.Fatalf("surely within %d bytes, but it has %d", size-1, size)
			}
		}
	})
}
