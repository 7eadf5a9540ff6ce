package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"

	"reconcile/pkg/sandbox"
)

// cborCall calls CloudWatch as its Go client does and gives the answer as JSON.
func cborCall(t testing.TB, box *sandbox.Sandbox, op string, in any) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://sandbox/service/GraniteServiceVersion20100801/operation/"+op, bytes.NewReader(cbor.Encode(toCBOR(in))))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	res, err := box.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Smithy-Protocol"); got != "rpc-v2-cbor" {
		t.Errorf("%s answers in %q", op, got)
	}
	v := must[cbor.Value](t)(cbor.Decode(must[[]byte](t)(io.ReadAll(res.Body))))
	return string(must[[]byte](t)(json.Marshal(fromCBOR(v))))
}

func toCBOR(v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		out := cbor.Map{}
		for k, e := range v {
			out[k] = toCBOR(e)
		}
		return out
	case []any:
		out := cbor.List{}
		for _, e := range v {
			out = append(out, toCBOR(e))
		}
		return out
	case []string:
		out := cbor.List{}
		for _, e := range v {
			out = append(out, cbor.String(e))
		}
		return out
	case float64:
		return cbor.Float64(v)
	}
	return cbor.String(v.(string))
}

func fromCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, e := range v {
			out[k] = fromCBOR(e)
		}
		return out
	case cbor.List:
		out := []any{}
		for _, e := range v {
			out = append(out, fromCBOR(e))
		}
		return out
	case *cbor.Tag:
		return fromCBOR(v.Value)
	}
	return v
}
