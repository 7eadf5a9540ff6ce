package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/cbor"
)

// Fail is an error as AWS answers it: a code and a text on the wire.
type Fail struct {
	Code    string
	Message string
	Status  int // HTTP status; 0 means 400, or 500 for a fault of the server
	Server  bool

	header http.Header // goes with it; nil for none
}

func (f *Fail) Error() string { return f.Code + ": " + f.Message }

// ErrorCode implements smithy.APIError.
func (f *Fail) ErrorCode() string { return f.Code }

// ErrorMessage implements smithy.APIError.
func (f *Fail) ErrorMessage() string { return f.Message }

// ErrorFault implements smithy.APIError.
func (f *Fail) ErrorFault() smithy.ErrorFault {
	if f.Server {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

func fail(code, format string, args ...any) *Fail {
	return &Fail{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asFail turns any error of a service into the one to answer. An error that
// is no API error is a fault of the sandbox itself and says so.
func asFail(err error) *Fail {
	var f *Fail
	if errors.As(err, &f) {
		return f
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return &Fail{Code: api.ErrorCode(), Message: api.ErrorMessage(), Server: api.ErrorFault() == smithy.FaultServer}
	}
	return &Fail{Code: "InternalFailure", Message: "sandbox: " + err.Error(), Server: true}
}

// side says whose fault it is, as XML answers do.
func (f *Fail) side() string {
	if f.ErrorFault() == smithy.FaultServer {
		return "Receiver"
	}
	return "Sender"
}

func (f *Fail) status() int {
	switch {
	case f.Status != 0:
		return f.Status
	case f.Server:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// body writes the error in the form of the protocol that the caller speaks.
func (f *Fail) body(p protocol, namespace, requestID string) []byte {
	var w bytes.Buffer
	text := func(s string) string {
		var e bytes.Buffer
		writeText(&e, s)
		return e.String()
	}
	switch p {
	case protocolCBOR:
		return cbor.Encode(cbor.Map{"__type": cbor.String(f.Code), "message": cbor.String(f.Message)})
	case protocolJSON, protocolREST:
		// Two plain strings always marshal.
		b, _ := json.Marshal(map[string]string{"__type": f.Code, "message": f.Message})
		return b
	case protocolEC2:
		fmt.Fprintf(&w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>\n",
			text(f.Code), text(f.Message), requestID)
	case protocolS3:
		fmt.Fprintf(&w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>\n",
			text(f.Code), text(f.Message), requestID)
	default:
		fmt.Fprintf(&w, "<ErrorResponse xmlns=%q><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>\n",
			namespace, f.side(), text(f.Code), text(f.Message), requestID)
	}
	return w.Bytes()
}
