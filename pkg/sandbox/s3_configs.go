package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// Settings of a bucket: what its stack deployed, in S3's own words, unless
// somebody put others by hand.

// setting is one of them: the query that names it and what S3 calls its absence.
type setting struct {
	query, name string // "cors", "BucketCors"
	code, text  string
	root        string // of the XML; "" for JSON
	from        func(p props) doc
	usual       func() doc // what a bucket without it has; nil for none
}

func settings() []setting {
	return []setting{
		{"encryption", "BucketEncryption", "ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found", "ServerSideEncryptionConfiguration", encryptionDoc,
			func() doc {
				return doc{"Rule": repeats{doc{"ApplyServerSideEncryptionByDefault": doc{"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}}}
			}},
		{"publicAccessBlock", "PublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", "PublicAccessBlockConfiguration", func(p props) doc {
			return accessDoc(p.sub("PublicAccessBlockConfiguration"))
		}, func() doc {
			return doc{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}
		}},
		{"ownershipControls", "BucketOwnershipControls", "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", "OwnershipControls", func(p props) doc {
			return rulesDoc(p.sub("OwnershipControls").list("Rules"), "Rule", func(r props) doc { return doc{"ObjectOwnership": r.text("ObjectOwnership")} })
		}, func() doc { return doc{"Rule": repeats{doc{"ObjectOwnership": "BucketOwnerEnforced"}}} }},
		{"cors", "BucketCors", "NoSuchCORSConfiguration", "The CORS configuration does not exist", "CORSConfiguration", func(p props) doc {
			return rulesDoc(p.sub("CorsConfiguration").list("CorsRules"), "CORSRule", corsDoc)
		}, nil},
		{"lifecycle", "BucketLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", "LifecycleConfiguration", func(p props) doc {
			return rulesDoc(p.sub("LifecycleConfiguration").list("Rules"), "Rule", lifecycleDoc)
		}, nil},
		{"logging", "BucketLogging", "", "", "BucketLoggingStatus", func(p props) doc {
			l := p.sub("LoggingConfiguration")
			if l == nil {
				return nil
			}
			return doc{"LoggingEnabled": doc{"TargetBucket": opt(l.text("DestinationBucketName")), "TargetPrefix": l.text("LogFilePrefix")}}
		}, func() doc { return doc{} }},
		{"policy", "BucketPolicy", "NoSuchBucketPolicy", "The bucket policy does not exist", "", nil, nil},
	}
}

// operation is what the API reference calls a request of the setting.
func (s *setting) operation(method string) string {
	if method == http.MethodDelete && s.query == "lifecycle" {
		return "DeleteBucketLifecycle"
	}
	return map[string]string{"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[method] + s.name
}

func settingOf(q *s3Request) *setting {
	_, _, query := q.target()
	for _, s := range settings() {
		if query.Has(s.query) {
			return &s
		}
	}
	return nil
}

func rulesDoc(rules []props, name string, of func(props) doc) doc {
	if len(rules) == 0 {
		return nil
	}
	var list repeats
	for _, r := range rules {
		list = append(list, of(r))
	}
	return doc{name: list}
}

func encryptionDoc(p props) doc {
	return rulesDoc(p.sub("BucketEncryption").list("ServerSideEncryptionConfiguration"), "Rule", func(r props) doc {
		by := r.sub("ServerSideEncryptionByDefault")
		return doc{"ApplyServerSideEncryptionByDefault": doc{"SSEAlgorithm": by.text("SSEAlgorithm"), "KMSMasterKeyID": opt(by.text("KMSMasterKeyID"))}, "BucketKeyEnabled": r.flag("BucketKeyEnabled")}
	})
}

func accessDoc(p props) doc {
	if p == nil {
		return nil
	}
	out := doc{}
	for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		out[name] = p.flag(name)
	}
	return out
}

func corsDoc(r props) doc {
	return doc{
		"ID": opt(r.text("Id")), "AllowedMethod": repeated(r.texts("AllowedMethods")), "AllowedOrigin": repeated(r.texts("AllowedOrigins")),
		"AllowedHeader": repeated(r.texts("AllowedHeaders")), "ExposeHeader": repeated(r.texts("ExposedHeaders")), "MaxAgeSeconds": opt(r.text("MaxAge")),
	}
}

func lifecycleDoc(r props) doc {
	out := doc{"ID": opt(r.text("Id")), "Status": r.text("Status"), "Filter": doc{"Prefix": r.text("Prefix")}}
	if days := r.text("ExpirationInDays"); days != "" {
		out["Expiration"] = doc{"Days": days}
	} else if r.flag("ExpiredObjectDeleteMarker") {
		out["Expiration"] = doc{"ExpiredObjectDeleteMarker": true}
	}
	if days := r.sub("AbortIncompleteMultipartUpload").text("DaysAfterInitiation"); days != "" {
		out["AbortIncompleteMultipartUpload"] = doc{"DaysAfterInitiation": days}
	}
	if n := r.sub("NoncurrentVersionExpiration"); n != nil {
		out["NoncurrentVersionExpiration"] = doc{"NoncurrentDays": opt(n.text("NoncurrentDays")), "NewerNoncurrentVersions": opt(n.text("NewerNoncurrentVersions"))}
	} else if days := r.text("NoncurrentVersionExpirationInDays"); days != "" {
		out["NoncurrentVersionExpiration"] = doc{"NoncurrentDays": days}
	}
	var moves repeats
	for _, t := range r.list("Transitions") {
		moves = append(moves, doc{"Days": opt(t.text("TransitionInDays")), "StorageClass": t.text("StorageClass")})
	}
	out["Transition"] = moves
	return out
}

// declared are the live properties of the bucket in its stack.
func (c *s3Call) declared(typeName string) (props, bool) {
	at := c.home()
	i, found := at.thing(typeName, c.bucket.Name)
	return i.props, found
}

// home is the call in the bucket's own region.
func (c *s3Call) home() *call {
	at := *c.call
	at.region, at.engine = c.sandbox.regionFor(c.bucket.Region, false)
	return &at
}

// putPolicy changes the policy that a stack made, which is drift; false where
// none did. "" takes it away.
func (c *s3Call) putPolicy(text string) bool {
	const policy = "AWS::S3::BucketPolicy"
	at := c.home()
	if at.item(policy, c.bucket.Name) == nil {
		return false
	}
	delete(c.bucket.Settings, "policy")
	if text == "" {
		at.drop(policy, c.bucket.Name)
	} else {
		at.put(policy, c.bucket.Name, props{"Bucket": c.bucket.Name, "PolicyDocument": json.RawMessage(text)}, nil)
	}
	return true
}

// serveSetting answers GET, PUT and DELETE of a setting.
func (c *s3Call) serveSetting(s *setting) (*answer, *Fail) {
	switch c.q.Method {
	case http.MethodGet:
		return c.getSetting(s)
	case http.MethodDelete:
		if s.root == "" && c.putPolicy("") {
			return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
		}
		makeMap(&c.bucket.Settings)
		c.bucket.Settings[s.query] = ""
		return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
	case http.MethodPut:
		text := string(c.q.Body)
		if s.root == "" && !validJSON(text) {
			return nil, s3Fail("MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'")
		}
		var any struct{ XMLName xml.Name }
		if s.root != "" && (xml.Unmarshal(c.q.Body, &any) != nil || any.XMLName.Local != s.root) {
			return nil, s3Fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
		}
		if s.root == "" && c.putPolicy(text) {
			return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
		}
		makeMap(&c.bucket.Settings)
		c.bucket.Settings[s.query] = text
		if s.root == "" {
			return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
		}
		return ok(http.Header{}), nil
	}
	return nil, s3Fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
}

func (c *s3Call) getSetting(s *setting) (*answer, *Fail) {
	h := http.Header{"Content-Type": {"application/xml"}}
	text, byHand := c.bucket.Settings[s.query]
	if s.root == "" {
		h.Set("Content-Type", "application/json")
		if p, found := c.declared("AWS::S3::BucketPolicy"); found && !byHand {
			text = string(p.raw("PolicyDocument"))
		}
	}
	if text != "" {
		return &answer{status: http.StatusOK, header: h, body: []byte(text)}, nil
	}
	var d doc
	if p, found := c.declared("AWS::S3::Bucket"); found && !byHand && s.from != nil {
		d = s.from(p)
	}
	if d == nil && s.usual != nil && (!byHand || s.code == "") {
		d = s.usual()
	}
	if d == nil {
		return nil, s3Fail(s.code, http.StatusNotFound, s.text)
	}
	return s3XML(s.root, d, h), nil
}

// headerTags reads the tags of X-Amz-Tagging.
func headerTags(header string) (map[string]string, *Fail) {
	if header == "" {
		return nil, nil
	}
	out := map[string]string{}
	for pair := range strings.SplitSeq(header, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil || key == "" {
			return nil, s3Fail("InvalidArgument", 400, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		out[key] = value
	}
	return out, nil
}
