package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// A bucket's settings that somebody put by hand, in CloudFormation's names (the
// reference of AWS::S3::Bucket): what its handler reads, and so what drift
// detection sees.

// settingTree is a setting as S3's XML has it.
type settingTree struct {
	XMLName  xml.Name
	Children []settingTree `xml:",any"`
	Text     string        `xml:",chardata"`
}

func (n settingTree) all(name string) []settingTree {
	var out []settingTree
	for _, c := range n.Children {
		if c.XMLName.Local == name {
			out = append(out, c)
		}
	}
	return out
}

func (n settingTree) sub(name string) settingTree {
	for _, c := range n.all(name) {
		return c
	}
	return settingTree{}
}

func (n settingTree) text(name string) string { return strings.TrimSpace(n.sub(name).Text) }

// fields maps S3's elements to properties; what is absent is left out.
func (n settingTree) fields(names ...[2]string) map[string]any {
	out := map[string]any{}
	for _, name := range names {
		if v := n.text(name[0]); v != "" {
			out[name[1]] = v
		}
	}
	return out
}

func (n settingTree) texts(name string) []any {
	var out []any
	for _, c := range n.all(name) {
		out = append(out, strings.TrimSpace(c.Text))
	}
	return out
}

// liveSetting is how one setting shows as a property.
type liveSetting struct {
	query, property string
	usual           func() any // what a bucket without it has; nil for nothing
	read            func(settingTree) any
}

func liveSettings() []liveSetting {
	return []liveSetting{
		{"encryption", "BucketEncryption", func() any {
			return map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}}
		}, func(n settingTree) any { return ruled(n, "Rule", "ServerSideEncryptionConfiguration", encryptionRule) }},
		{"publicAccessBlock", "PublicAccessBlockConfiguration", func() any {
			return map[string]any{"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}
		}, func(n settingTree) any {
			out := map[string]any{}
			for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
				out[name] = n.text(name) == "true"
			}
			return out
		}},
		{"ownershipControls", "OwnershipControls", func() any {
			return map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}}
		}, func(n settingTree) any {
			return ruled(n, "Rule", "Rules", func(r settingTree) map[string]any { return r.fields([2]string{"ObjectOwnership", "ObjectOwnership"}) })
		}},
		{"cors", "CorsConfiguration", nil, func(n settingTree) any { return ruled(n, "CORSRule", "CorsRules", corsRule) }},
		{"lifecycle", "LifecycleConfiguration", nil, func(n settingTree) any { return ruled(n, "Rule", "Rules", lifecycleRule) }},
		{"logging", "LoggingConfiguration", nil, func(n settingTree) any {
			if len(n.all("LoggingEnabled")) == 0 {
				return nil
			}
			return n.sub("LoggingEnabled").fields([2]string{"TargetBucket", "DestinationBucketName"}, [2]string{"TargetPrefix", "LogFilePrefix"})
		}},
	}
}

func ruled(n settingTree, element, property string, of func(settingTree) map[string]any) any {
	var rules []any
	for _, r := range n.all(element) {
		rules = append(rules, of(r))
	}
	if rules == nil {
		return nil
	}
	return map[string]any{property: rules}
}

func encryptionRule(r settingTree) map[string]any {
	out := map[string]any{"ServerSideEncryptionByDefault": r.sub("ApplyServerSideEncryptionByDefault").fields(
		[2]string{"SSEAlgorithm", "SSEAlgorithm"}, [2]string{"KMSMasterKeyID", "KMSMasterKeyID"})}
	if r.text("BucketKeyEnabled") == "true" {
		out["BucketKeyEnabled"] = true
	}
	return out
}

func corsRule(r settingTree) map[string]any {
	out := r.fields([2]string{"ID", "Id"}, [2]string{"MaxAgeSeconds", "MaxAge"})
	for _, name := range [][2]string{{"AllowedMethod", "AllowedMethods"}, {"AllowedOrigin", "AllowedOrigins"}, {"AllowedHeader", "AllowedHeaders"}, {"ExposeHeader", "ExposedHeaders"}} {
		if list := r.texts(name[0]); list != nil {
			out[name[1]] = list
		}
	}
	return out
}

func lifecycleRule(r settingTree) map[string]any {
	out := r.fields([2]string{"ID", "Id"}, [2]string{"Status", "Status"}, [2]string{"Prefix", "Prefix"})
	for k, v := range r.sub("Filter").fields([2]string{"Prefix", "Prefix"}) {
		out[k] = v
	}
	for k, v := range r.sub("Expiration").fields([2]string{"Days", "ExpirationInDays"}, [2]string{"Date", "ExpirationDate"}, [2]string{"ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"}) {
		out[k] = v
	}
	for _, name := range []string{"AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"} {
		fields := r.sub(name).fields([2]string{"DaysAfterInitiation", "DaysAfterInitiation"}, [2]string{"NoncurrentDays", "NoncurrentDays"},
			[2]string{"NewerNoncurrentVersions", "NewerNoncurrentVersions"})
		if len(fields) > 0 {
			out[name] = fields
		}
	}
	var moves []any
	for _, t := range r.all("Transition") {
		moves = append(moves, t.fields([2]string{"Days", "TransitionInDays"}, [2]string{"StorageClass", "StorageClass"}))
	}
	if moves != nil {
		out["Transitions"] = moves
	}
	return out
}

// byHand adds what somebody set through S3 to the properties that are live. A
// setting that says what the template says is none: S3 answers both in one form.
func (b *bucket) byHand(r stackengine.Resource, live map[string]any) {
	for _, s := range liveSettings() {
		text, put := b.Settings[s.query]
		switch {
		case !put || text != "" && saysTheSame(s.query, text, props(r.Properties)):
		case text != "":
			var n settingTree
			if xml.Unmarshal([]byte(text), &n) == nil { // it was checked when it was put
				live[s.property] = s.read(n)
			}
		case s.usual != nil:
			live[s.property] = s.usual()
		default:
			live[s.property] = nil
		}
	}
	if declared := props(r.Properties).list("Tags"); declared != nil {
		live["Tags"] = b.liveTags(r, declared)
	}
}

// liveTags are the declared tags as they are now, then those that somebody added.
func (b *bucket) liveTags(r stackengine.Resource, declared []props) []any {
	out, names := []any{}, []string{}
	for _, d := range declared {
		name := d.text("Key")
		names = append(names, name)
		if v, ok := b.Tags[name]; ok {
			out = append(out, map[string]any{"Key": name, "Value": v})
		}
	}
	for _, name := range sortedKeys(b.Tags) {
		if _, stack := r.Tags[name]; !stack && !slices.Contains(names, name) {
			out = append(out, map[string]any{"Key": name, "Value": b.Tags[name]})
		}
	}
	return out
}

// saysTheSame tells whether XML that was put is what the template's properties
// are in S3's words.
func saysTheSame(query, text string, p props) bool {
	for _, s := range settings() {
		if s.query != query || s.from == nil {
			continue
		}
		d := s.from(p)
		if d == nil {
			return false
		}
		var a, b settingTree
		return xml.Unmarshal([]byte(text), &a) == nil && xml.Unmarshal(d.document(s.root), &b) == nil && a.canonical() == b.canonical()
	}
	return false
}

// canonical is a setting without namespaces, blanks, empty elements and what is
// false: S3 takes its absence for the same.
func (n settingTree) canonical() string {
	if len(n.Children) == 0 {
		return n.XMLName.Local + "=" + strings.TrimSpace(n.Text)
	}
	var parts []string
	for _, c := range n.Children {
		if text := c.canonical(); !strings.HasSuffix(text, "=") && !strings.HasSuffix(text, "=false") && !strings.HasSuffix(text, "()") {
			parts = append(parts, text)
		}
	}
	slices.Sort(parts)
	return n.XMLName.Local + "(" + strings.Join(parts, ",") + ")"
}

// forget drops settings put by hand that a template sets anew.
func (b *bucket) forget(old, r stackengine.Resource) {
	for _, s := range liveSettings() {
		before, err1 := json.Marshal(old.Properties[s.property])
		after, err2 := json.Marshal(r.Properties[s.property])
		if err1 == nil && err2 == nil && string(before) != string(after) {
			delete(b.Settings, s.query)
		}
	}
}
