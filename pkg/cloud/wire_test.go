package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is an AWS of exact bytes: each operation has a handler, each request is
// recorded. It is an aws.HTTPClient, so the real SDK signs, retries and decodes.
type wire struct {
	t        *testing.T
	handlers map[string]func(ask) answer

	mu    sync.Mutex
	calls []string
	times []time.Time
}

// ask is one request as a handler sees it.
type ask struct {
	op     string
	n      int // which request of this operation, from 1
	form   url.Values
	json   map[string]any
	header http.Header
	url    *url.URL
}

func (a ask) str(key string) string {
	if a.form != nil {
		return a.form.Get(key)
	}
	s, _ := a.json[key].(string)
	return s
}

// answer is what goes back; err is a failure of the transport.
type answer struct {
	status int
	body   string
	err    error
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a := ask{header: r.Header, url: r.URL}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		a.op = target[strings.LastIndexByte(target, '.')+1:]
		_ = json.Unmarshal(body, &a.json)
	case strings.Contains(r.Header.Get("Content-Type"), "x-www-form-urlencoded"):
		a.form, _ = url.ParseQuery(string(body))
		a.op = a.form.Get("Action")
	default:
		a.op = r.Method + " " + r.URL.Path
	}
	w.mu.Lock()
	w.calls = append(w.calls, a.op)
	w.times = append(w.times, time.Now())
	for _, c := range w.calls {
		if c == a.op {
			a.n++
		}
	}
	h := w.handlers[a.op]
	w.mu.Unlock()
	if h == nil {
		w.t.Errorf("unexpected call %s", a.op)
		return nil, fmt.Errorf("no handler for %s", a.op)
	}
	out := h(a)
	if out.err != nil {
		return nil, out.err
	}
	if out.status == 0 {
		out.status = 200
	}
	contentType := "text/xml"
	if a.json != nil {
		contentType = "application/x-amz-json-1.1"
	}
	return &http.Response{
		StatusCode: out.status, Status: http.StatusText(out.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {contentType}, "X-Amzn-Requestid": {"test"}},
		Body:   io.NopCloser(strings.NewReader(out.body)), ContentLength: int64(len(out.body)), Request: r,
	}, nil
}

func (w *wire) count(op string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == op {
			n++
		}
	}
	return n
}

// open is a Cloud over handlers.
func open(t *testing.T, handlers map[string]func(ask) answer, change ...func(*Options)) (*Cloud, *wire) {
	t.Helper()
	w := &wire{t: t, handlers: handlers}
	o := Options{Region: "us-east-1", HTTPClient: w, StaticCredentials: true}
	for _, f := range change {
		f(&o)
	}
	c, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

// always answers every request of an operation alike.
func always(body string) func(ask) answer { return func(ask) answer { return answer{body: body} } }

// query is a body of the Query protocol.
func query(op, result string) string {
	return fmt.Sprintf(`<%[1]sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, op, result)
}

// refuse is an error of the Query protocol.
func refuse(code, message string) answer {
	return answer{status: 400, body: fmt.Sprintf(
		`<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>x</RequestId></ErrorResponse>`, code, message)}
}

// refuseJSON is an error of the JSON protocols.
func refuseJSON(code, message string) answer {
	b, _ := json.Marshal(map[string]string{"__type": code, "message": message})
	return answer{status: 400, body: string(b)}
}

const stackARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/bp-network/11111111-2222-3333-4444-555555555555"

// stackXML is a member of DescribeStacks and of ListStacks: a stack of ours.
func stackXML(name, id, status, reason string) string {
	mark := "ours [reconcile owner=bp digest=" + strings.Repeat("0", 64) + "]"
	return fmt.Sprintf(`<member><StackName>%s</StackName><StackId>%s</StackId><StackStatus>%s</StackStatus><StackStatusReason>%s</StackStatusReason><CreationTime>2026-11-23T10:00:00.123Z</CreationTime><Description>%s</Description><TemplateDescription>%[5]s</TemplateDescription></member>`,
		name, id, status, reason, mark)
}

func describeStacks(status, reason string) string {
	return query("DescribeStacks", "<Stacks>"+stackXML("bp-network", stackARN, status, reason)+"</Stacks>")
}
