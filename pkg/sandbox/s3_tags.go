package sandbox

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"
)

// tagSet is the body of the tagging operations.
type tagSet struct {
	XMLName xml.Name   `xml:"Tagging"`
	Space   string     `xml:"xmlns,attr,omitempty"`
	Tags    []tagEntry `xml:"TagSet>Tag"`
}

type tagEntry struct {
	Key   string `xml:"Key"`
	Value string `xml:"Value"`
}

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// serveBucketTags answers GetBucketTagging, PutBucketTagging and
// DeleteBucketTagging. Codes and texts: S3's error code reference. The tags that
// AWS itself sets are shown and stay.
func (s *Sandbox) serveBucketTags(c *call, q *s3Request, name string) *answer {
	id := uuid(hexOf("s3", q.URI))
	b := c.account.Buckets[name]
	switch {
	case b == nil:
		return s.refuse(s3Fail("NoSuchBucket", 404, "The specified bucket does not exist"), protocolS3, nil, id)
	case q.Method == http.MethodGet && len(b.Tags) == 0:
		return s.refuse(s3Fail("NoSuchTagSet", 404, "The TagSet does not exist"), protocolS3, nil, id)
	case q.Method == http.MethodGet:
		return tagAnswer(b.Tags)
	case q.Method == http.MethodDelete:
		b.Tags = systemTags(b.Tags)
		return &answer{status: http.StatusNoContent, header: http.Header{}}
	case q.Method != http.MethodPut:
		return s.refuse(s3Fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource."), protocolS3, nil, id)
	}
	var in tagSet
	if xml.Unmarshal(q.Body, &in) != nil {
		return s.refuse(s3Fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"), protocolS3, nil, id)
	}
	tags := systemTags(b.Tags)
	for _, t := range in.Tags {
		if _, twice := tags[t.Key]; twice || strings.HasPrefix(t.Key, "aws:") {
			message := "System tags cannot be added/updated by requester"
			if twice && !strings.HasPrefix(t.Key, "aws:") {
				message = "Cannot provide multiple Tags with the same key"
			}
			return s.refuse(s3Fail("InvalidTag", 400, message), protocolS3, nil, id)
		}
		tags[t.Key] = t.Value
	}
	b.Tags = tags
	return &answer{status: http.StatusNoContent, header: http.Header{}}
}

func systemTags(tags map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range tags {
		if strings.HasPrefix(k, "aws:") {
			out[k] = v
		}
	}
	return out
}

// objectTags answers the tagging operations of an object: ten tags at most.
func (c *s3Call) objectTags() (*answer, *Fail) {
	o, refused := c.wanted(c.query.Get("versionId"))
	if refused != nil {
		return nil, refused
	}
	switch c.q.Method {
	case http.MethodGet:
		return tagAnswer(o.Tags), nil
	case http.MethodDelete:
		o.Tags = nil
		return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
	}
	var in tagSet
	if xml.Unmarshal(c.q.Body, &in) != nil {
		return nil, s3Fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	if len(in.Tags) > 10 {
		return nil, s3Fail("BadRequest", 400, "Object tags cannot be greater than 10")
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		if _, twice := tags[t.Key]; twice {
			return nil, s3Fail("InvalidTag", 400, "Cannot provide multiple Tags with the same key")
		}
		tags[t.Key] = t.Value
	}
	o.Tags = tags
	return ok(http.Header{}), nil
}

func tagAnswer(tags map[string]string) *answer {
	out := tagSet{Space: s3Namespace}
	for _, k := range sortedKeys(tags) {
		out.Tags = append(out.Tags, tagEntry{k, tags[k]})
	}
	var w bytes.Buffer
	w.WriteString(xml.Header)
	if err := xml.NewEncoder(&w).Encode(out); err != nil {
		return &answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/xml"}}, body: w.Bytes()}
}
