package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How the scenarios speak: the bytes of each protocol, written here a second
// time, so that a codec of the sandbox is not judged by itself.

var targets = map[string]string{
	"ssm": "AmazonSSM", "secretsmanager": "secretsmanager", "logs": "Logs_20140328", "ecr": "AmazonEC2ContainerRegistry_V20150921", "ecs": "AmazonEC2ContainerServiceV20141113",
	"application-autoscaling": "AnyScaleFrontendService",
}

var versions = map[string]string{"cloudformation": "2010-05-15", "autoscaling": "2011-01-01", "sts": "2011-06-15", "ec2": "2016-11-15", "iam": "2010-05-08",
	"monitoring": "2010-08-01", "rds": "2014-10-31", "sns": "2010-03-31"}

// bodies are the templates that scenarios name with an @.
var bodies = map[string]string{
	"@queue":   `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"s-queue","VisibilityTimeout":30}}},"Outputs":{"Name":{"Value":{"Fn::GetAtt":["Q","QueueName"]}}}}`,
	"@slower":  `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"s-queue","VisibilityTimeout":60}}},"Outputs":{"Name":{"Value":{"Fn::GetAtt":["Q","QueueName"]}}}}`,
	"@renamed": `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"s-renamed","VisibilityTimeout":30}}},"Outputs":{"Name":{"Value":{"Fn::GetAtt":["Q","QueueName"]}}}}`,
	"@other":   `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"s-other"}}}}`,
	"@role":    `{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"R":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}}}}}`,
}

func expanded(v any) any {
	switch v := v.(type) {
	case string:
		if body, ok := bodies[v]; ok {
			return body
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(v, "@")); err == nil && strings.HasPrefix(v, "@") {
			return strings.Repeat("x", n)
		}
	case map[string]any:
		for k := range v {
			v[k] = expanded(v[k])
		}
	}
	return v
}

// wireAnswer is what came back.
type wireAnswer struct {
	status int
	body   []byte
}

func (s *scenarioStep) send(t *testing.T, endpoint string) wireAnswer {
	t.Helper()
	return s.sendBy(t, endpoint, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
}

// sendBy sends the call through a client: a network's, or the sandbox itself.
func (s *scenarioStep) sendBy(t *testing.T, endpoint string, client interface {
	Do(*http.Request) (*http.Response, error)
}) wireAnswer {
	t.Helper()
	service, operation, _ := strings.Cut(s.Call, ".")
	method, address, body := http.MethodPost, endpoint+"/", []byte(s.Body)
	header := http.Header{}
	switch m, path, isS3 := strings.Cut(s.Call, " "); {
	case isS3:
		service, method, address = "s3", m, endpoint+path
	case targets[service] != "":
		header.Set("Content-Type", "application/x-amz-json-1.1")
		header.Set("X-Amz-Target", targets[service]+"."+operation)
		in, _ := expanded(s.In).(map[string]any)
		if in == nil {
			in = map[string]any{}
		}
		body = must[[]byte](t)(json.Marshal(in))
	default:
		form := url.Values{"Action": {operation}, "Version": {versions[service]}}
		flatten(form, "", expanded(s.In), service == "ec2")
		header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		body = []byte(form.Encode())
	}
	r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body)))
	r.Header = header
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	for k, v := range s.Header {
		r.Header.Set(k, v)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(s.Call, err)
	}
	got, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(s.Call, err)
	}
	return wireAnswer{resp.StatusCode, got}
}

// flatten writes the parameters of the Query protocol, or of EC2's own kind.
func flatten(form url.Values, prefix string, v any, ec2 bool) {
	join := func(name string) string {
		if prefix == "" {
			return name
		}
		return prefix + "." + name
	}
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			flatten(form, join(name), x, ec2)
		}
	case []any:
		for i, x := range v {
			n := strconv.Itoa(i + 1)
			if !ec2 {
				n = "member." + n
			}
			flatten(form, join(n), x, ec2)
		}
	case nil:
	default:
		form.Set(prefix, fmt.Sprint(v))
	}
}

// code is the error's, in whichever form the protocol has it.
func (a wireAnswer) code() string {
	if a.status < 300 {
		return ""
	}
	var j struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(a.body, &j) == nil {
		return j.Type[strings.LastIndexByte(j.Type, '#')+1:]
	}
	_, rest, _ := strings.Cut(string(a.body), "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}

// at is a scalar of the answer: "Stacks.0.StackStatus".
func (a wireAnswer) at(path string) (string, bool) {
	parts := strings.Split(path, ".")
	var doc any
	if json.Unmarshal(a.body, &doc) == nil {
		for _, p := range parts {
			switch d := doc.(type) {
			case map[string]any:
				doc = d[p]
			case []any:
				i, err := strconv.Atoi(p)
				if err != nil || i >= len(d) {
					return "", false
				}
				doc = d[i]
			default:
				return "", false
			}
		}
		return fmt.Sprint(doc), doc != nil
	}
	var root xmlNode
	if err := xml.Unmarshal(a.body, &root); err != nil {
		return "", false
	}
	for _, child := range root.Children {
		if strings.HasSuffix(child.XMLName.Local, "Result") {
			root = child
			break
		}
	}
	return root.at(parts)
}

type xmlNode struct {
	XMLName  xml.Name
	Children []xmlNode `xml:",any"`
	Text     string    `xml:",chardata"`
}

func (n xmlNode) at(parts []string) (string, bool) {
	if len(parts) == 0 {
		return strings.TrimSpace(n.Text), true
	}
	if i, err := strconv.Atoi(parts[0]); err == nil {
		if i >= len(n.Children) {
			return "", false
		}
		return n.Children[i].at(parts[1:])
	}
	for _, child := range n.Children {
		if child.XMLName.Local == parts[0] {
			return child.at(parts[1:])
		}
	}
	return "", false
}

// startMoto runs moto_server on a free loopback port until the test ends.
func startMoto(t *testing.T) string {
	t.Helper()
	moto, err := exec.LookPath("moto_server")
	if err != nil && os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
		t.Fatal("moto_server is missing")
	}
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(ctx, moto, "-H", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	for range 600 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return "http://" + address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("moto_server does not answer")
	return ""
}
