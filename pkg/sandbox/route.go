package sandbox

import (
	"net/http"
	"net/url"
	"strings"
)

// protocol is how a service speaks.
type protocol int

const (
	protocolQuery protocol = iota
	protocolJSON
	protocolEC2
	protocolS3
	protocolCBOR // rpc-v2-cbor, which CloudWatch's clients prefer
	protocolREST // rest-json: Lambda
)

// request is an HTTP request, understood as far as routing needs. It is what
// the journal keeps of a write.
type request struct {
	Service   string `json:"s"`
	Region    string `json:"r,omitempty"`
	Operation string `json:"o,omitempty"`
	Body      string `json:"b,omitempty"`

	S3 *s3Request `json:"s3,omitempty"`
}

// s3Request is what S3 needs of an HTTP request.
type s3Request struct {
	Method string            `json:"m"`
	URI    string            `json:"u"` // path style, with query
	Header map[string]string `json:"h,omitempty"`
	Body   []byte            `json:"b,omitempty"`
	Blob   *spooled          `json:"blob,omitempty"` // the body of an upload
}

// scope is the part of a SigV4 signature that names where a request goes.
type scope struct{ region, service string }

// signatureScope reads the credential scope of the Authorization header or of
// a presigned URL. Any signature is accepted; a missing one is refused, as a
// request that was not signed is a fault of the client.
func signatureScope(r *http.Request, form url.Values) (scope, bool) {
	credential := ""
	if auth := r.Header.Get("Authorization"); auth != "" {
		_, rest, ok := strings.Cut(auth, "Credential=")
		if !ok {
			return scope{}, false
		}
		credential, _, _ = strings.Cut(rest, ",")
	} else {
		credential = form.Get("X-Amz-Credential")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) != 5 || parts[4] != "aws4_request" && parts[4] != "aws4a_request" {
		return scope{}, false
	}
	return scope{region: parts[2], service: parts[3]}, true
}

// route understands an HTTP request whose body was read.
func route(r *http.Request, body []byte, known map[string]*service) (request, protocol, *Fail) {
	guess := guessProtocol(r)
	sc, ok := signatureScope(r, r.URL.Query())
	if !ok {
		return request{}, guess, &Fail{Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden}
	}
	if sc.service == "s3" {
		req, err := s3Route(r, body)
		return request{Service: "s3", Region: sc.region, S3: req}, protocolS3, err
	}
	svc := known[sc.service]
	if svc == nil { // adminService is not in the list, so it is never reached over the wire
		return request{}, guess, &Fail{Code: "UnknownService", Message: "the sandbox has no service " + sc.service, Status: http.StatusNotImplemented}
	}
	req := request{Service: sc.service, Region: sc.region, Body: string(body)}
	if svc.rest != nil {
		return svc.rest(r, req)
	}
	if r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" && svc.many {
		_, op, found := strings.Cut(r.URL.Path, "/operation/")
		text, refused := cborJSON(body)
		if !found && refused == nil {
			refused = &Fail{Code: "UnknownOperationException", Message: "the path names no operation"}
		}
		req.Operation, req.Body = op, text
		return req, protocolCBOR, refused
	}
	if svc.protocol == protocolJSON || svc.many && r.Header.Get("X-Amz-Target") != "" {
		_, op, found := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if !found {
			return req, protocolJSON, &Fail{Code: "UnknownOperationException", Message: "the X-Amz-Target header is missing"}
		}
		req.Operation = op
		if svc.many && strings.TrimSpace(req.Body) == "" {
			req.Body = "{}"
		}
		return req, protocolJSON, nil
	}
	form, err := url.ParseQuery(req.Body)
	if err != nil {
		return req, svc.protocol, malformed("the body is not a form")
	}
	req.Operation = form.Get("Action")
	if req.Operation == "" {
		req.Operation = r.URL.Query().Get("Action")
		req.Body = r.URL.RawQuery
	}
	if req.Operation == "" {
		return req, svc.protocol, &Fail{Code: "MissingAction", Message: "The request must contain the parameter Action"}
	}
	return req, svc.protocol, nil
}

// guessProtocol is how to answer a request that could not be routed.
func guessProtocol(r *http.Request) protocol {
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		return protocolJSON
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		return protocolQuery
	}
	return protocolS3
}
