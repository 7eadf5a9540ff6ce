package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is the longest request that is read.
const maxBody = 64 << 20

// Do answers a request; a Sandbox is an aws.HTTPClient. It fails, without an
// answer, only when the context has ended or a fault asks for it.
func (s *Sandbox) Do(r *http.Request) (*http.Response, error) {
	a, err := s.handle(r)
	if err != nil {
		return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: err}
	}
	header := a.header
	length := int64(len(a.body))
	if r.Method == http.MethodHead {
		if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
			length = n // what a GET would answer
		}
		a.body = nil
	}
	header.Set("Content-Length", strconv.FormatInt(length, 10))
	body := io.NopCloser(bytes.NewReader(a.body))
	if a.stream != nil {
		body, length = a.stream, a.length
		header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: length, Request: r,
	}, nil
}

// ServeHTTP answers on a port. An answer that a fault loses closes the connection.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.handle(r)
	if err != nil {
		hangUp(w)
		return
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.stream != nil {
		defer func() { _ = a.stream.Close() }() // it was only read
	} else if r.Method != http.MethodHead || w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if a.stream != nil {
		_, _ = io.Copy(w, a.stream) // what is missing shows in the length
		return
	}
	_, _ = w.Write(a.body) // a client that went away needs no answer
}

// hangUp closes the connection without an answer. Where that cannot be done,
// as with HTTP/2, the answer is one that a client takes for a broken gateway.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = conn.Close() // nobody is told
}

// answer is what goes back over HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte
	stream io.ReadCloser // instead of body: length bytes of an object
	length int64
}

// handle is the way of every request, from bytes to bytes.
func (s *Sandbox) handle(r *http.Request) (a *answer, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	id := s.traffic.requestID()
	e := Exchange{ID: id}
	if s.options.Observe != nil {
		start := time.Now()
		defer func() { s.observe(e, a, err, time.Since(start)) }()
	}
	var body []byte
	var blob *spooled
	if isUpload(r) {
		got, trailers, err := s.receive(r)
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		if errors.Is(err, errTorn) {
			return s.refuse(s3Fail("IncompleteBody", 400, "The request body terminated unexpectedly"), protocolS3, nil, id), nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		blob = got
		for name, value := range trailers {
			r.Header.Set(name, value)
		}
	} else if r.Body != nil {
		b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err := errors.Join(err, r.Body.Close()); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		body = b
	}
	req, proto, refused := route(r, body, s.services)
	if blob != nil && refused == nil {
		req.S3.Blob = blob
		refused = req.S3.hold(r)
	}
	e.Service, e.Operation, e.Region = req.Service, req.name(), req.Region
	if len(body) > maxBody {
		refused = &Fail{Code: "RequestEntityTooLarge", Message: "the sandbox reads at most 64 MiB", Status: http.StatusRequestEntityTooLarge}
	}
	if refused != nil {
		return s.refuse(refused, proto, s.services[req.Service], id), nil
	}
	ruled, err := s.ruled(req)
	if err != nil {
		return s.refuse(asFail(err), proto, s.services[req.Service], id), nil
	}
	fault, err := s.traffic.enter(r.Context(), s.services[req.Service], req.Service, req.name(), s.options, ruled)
	if err != nil {
		return nil, err
	}
	e.Fault = fault != nil
	if fault != nil && fault.Lost == LostBefore {
		return nil, errLost
	}
	if fault != nil && fault.Code != "" {
		return s.refuse(fault.fail(), proto, s.services[req.Service], id), nil
	}
	// From here on the request counts: a caller that goes away does not undo it.
	a = s.locked(context.WithoutCancel(r.Context()), req, proto, id, fault != nil && fault.Stale > 0)
	if fault != nil && fault.Lost == LostAfter {
		return nil, errLost
	}
	return a, nil
}

var errLost = errors.New("connection reset by peer (a fault of the sandbox's plan)")

// result is a served request before it is encoded.
type result struct {
	out any     // SDK output, or a struct of ec2_wire.go
	raw *answer // S3 answers by itself
}

// locked serves one request while nobody else does, and keeps it. The answer
// is encoded before the lock is given back, for it points into the state.
func (s *Sandbox) locked(ctx context.Context, req request, proto protocol, id string, stale bool) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.exclusive(ctx, req, proto, id, stale)
	if err != nil {
		return s.refuse(asFail(err), proto, s.services[req.Service], id)
	}
	return a
}

func (s *Sandbox) exclusive(ctx context.Context, req request, proto protocol, id string, stale bool) (a *answer, err error) {
	if s.closed {
		return nil, errClosed
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	if s.store != nil {
		defer func() { err = errors.Join(err, s.store.unlock()) }()
	}
	run := s.serveNow
	if stale {
		run = s.serveStale
	}
	return s.awaited(ctx, req, func() (*answer, error) {
		res, err := run(ctx, req)
		if err != nil {
			return nil, err
		}
		return s.accept(res, proto, req, id)
	})
}

func (s *Sandbox) serveNow(ctx context.Context, req request) (*result, error) {
	now := s.now()
	if err := s.advance(ctx, now); err != nil {
		return nil, err
	}
	write := s.isWrite(req)
	if write {
		s.account.Last = now
	}
	served := s.serve(ctx, req)
	if !write || s.store == nil {
		return served.res, served.err
	}
	if err := s.store.append(entry{At: now, request: req}); err != nil {
		s.stale = true // memory is ahead of the file
		return nil, err
	}
	if s.store.wantsCompaction() {
		if err := errors.Join(s.store.compact(s.account), s.blobs.collect(s.account, time.Now())); err != nil {
			s.stale = true
			return nil, err
		}
	}
	return served.res, served.err
}

// served is what a service said: an answer or a refusal.
type served struct {
	res *result
	err error
}

// serve runs a request against the state at the sandbox's clock.
func (s *Sandbox) serve(ctx context.Context, req request) served {
	if req.Service == adminService {
		out, err := s.applyAdmin(ctx, req)
		return served{res: &result{out: out}, err: err}
	}
	if s.isWrite(req) {
		if err := s.remember(); err != nil {
			return served{err: err}
		}
	}
	r, engine := s.regionFor(req.region(s.account), s.isWrite(req))
	c := &call{ctx: ctx, now: s.clock, account: s.account, region: r, engine: engine, sandbox: s}
	if req.S3 != nil {
		return served{res: &result{raw: s.serveS3(c, req.S3)}}
	}
	op, ok := s.services[req.Service].operations[req.Operation]
	if !ok {
		return served{err: s.services[req.Service].unknown(req.Operation)}
	}
	in := op.newIn()
	if err := s.decode(req, in); err != nil {
		return served{err: err}
	}
	out, err := op.run(c, in)
	return served{res: &result{out: out}, err: err}
}

func (s *Sandbox) decode(req request, in any) error {
	if d, ok := in.(*docInput); ok {
		return decodeDoc(req.Body, s.services[req.Service].protocol, d)
	}
	switch s.services[req.Service].protocol {
	case protocolJSON:
		return s.fields.decodeJSON([]byte(req.Body), in)
	case protocolEC2:
		return decodeEC2(req.Body, in)
	}
	form, err := url.ParseQuery(req.Body)
	if err != nil {
		return malformed("the body is not a form")
	}
	return s.fields.decodeQuery(form, in)
}

func (s *Sandbox) isWrite(req request) bool {
	if req.Service == adminService {
		return true
	}
	if req.S3 != nil {
		return req.S3.Method != http.MethodGet && req.S3.Method != http.MethodHead
	}
	return s.services[req.Service].operations[req.Operation].write
}

// accept encodes an answer.
func (s *Sandbox) accept(res *result, proto protocol, req request, id string) (*answer, error) {
	if res.raw != nil {
		return res.raw, nil
	}
	a := &answer{status: http.StatusOK, header: http.Header{"X-Amzn-Requestid": {id}}}
	if d, ok := res.out.(doc); ok {
		body, err := d.encode(proto, req.Operation, s.services[req.Service].namespace, id)
		a.body = body
		contentType(a.header, proto)
		return a, err
	}
	switch proto {
	case protocolJSON:
		b, err := encodeJSON(res.out)
		if err != nil {
			return nil, err
		}
		a.header.Set("Content-Type", "application/x-amz-json-1.1")
		a.body = b
	case protocolEC2:
		b, err := encodeEC2(req.Operation, id, res.out)
		if err != nil {
			return nil, err
		}
		a.header.Set("Content-Type", "text/xml;charset=UTF-8")
		a.body = b
	default:
		a.header.Set("Content-Type", "text/xml")
		a.body = s.fields.encodeQuery(req.Operation, s.services[req.Service].namespace, id, res.out)
	}
	return a, nil
}

// refuse encodes a refusal.
func (s *Sandbox) refuse(f *Fail, proto protocol, svc *service, id string) *answer {
	a := &answer{status: f.status(), header: http.Header{"X-Amzn-Requestid": {id}}}
	namespace := ""
	if svc != nil {
		namespace = svc.namespace
	}
	contentType(a.header, proto)
	for name, values := range f.header {
		a.header[name] = values
	}
	switch proto {
	case protocolCBOR:
		a.header.Set("X-Amzn-Query-Error", f.Code+";"+f.side())
	case protocolJSON, protocolREST:
		a.header.Set("X-Amzn-Errortype", f.Code)
		if svc != nil && svc.many {
			a.header.Set("X-Amzn-Query-Error", f.Code+";"+f.side())
		}
	}
	a.body = f.body(proto, namespace, id)
	return a
}

// contentType is what the protocol's answers say of themselves.
func contentType(h http.Header, p protocol) {
	switch p {
	case protocolCBOR:
		h.Set("Content-Type", "application/cbor")
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	case protocolJSON:
		h.Set("Content-Type", "application/x-amz-json-1.1")
	case protocolREST:
		h.Set("Content-Type", "application/json")
	case protocolEC2:
		h.Set("Content-Type", "text/xml;charset=UTF-8")
	case protocolS3:
		h.Set("Content-Type", "application/xml")
	default:
		h.Set("Content-Type", "text/xml")
	}
}

// name is the operation for counting, faults and rates.
func (r request) name() string {
	if r.S3 != nil {
		return r.S3.operation()
	}
	return r.Operation
}

// region is where the request goes; signatures of global endpoints name a
// pseudo region.
func (r request) region(a *account) string {
	if r.Region == "" || strings.HasSuffix(r.Region, "-global") {
		return a.Region
	}
	return r.Region
}
