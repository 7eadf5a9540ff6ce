package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/sandbox/stackengine"
)

// everyCall is how a rule for all calls is written.
const everyCall = "*"

// s3Operations are what s3Request.operation names.
func s3Operations() []string {
	all := []string{
		"AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateBucket", "CreateMultipartUpload", "DeleteBucket",
		"DeleteBucketTagging", "DeleteObject", "DeleteObjects", "GetBucketLocation", "GetBucketTagging", "GetBucketVersioning", "GetObject",
		"HeadBucket", "HeadObject", "ListBuckets", "ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2", "ListParts",
		"PutBucketTagging", "PutBucketVersioning", "PutObject", "UploadPart",
		"DeleteObjectTagging", "GetObjectAttributes", "GetObjectTagging", "PutObjectTagging", "UploadPartCopy",
	}
	for _, s := range settings() {
		all = append(all, s.operation(http.MethodGet), s.operation(http.MethodPut))
		if s.query != "logging" { // it is switched off by an empty one
			all = append(all, s.operation(http.MethodDelete))
		}
	}
	return all
}

// ParseCall reads SERVICE or SERVICE.OPERATION; "*" is every call. It refuses
// what the sandbox does not have, with the nearest that it has.
func ParseCall(text string) (service, operation string, err error) {
	if text == everyCall {
		return "", "", nil
	}
	service, operation, dotted := strings.Cut(strings.Replace(text, ":", ".", 1), ".")
	if dotted && operation == "" || service == "" {
		return "", "", fmt.Errorf("%q names no call; write SERVICE or SERVICE.OPERATION, like ssm.PutParameter", text)
	}
	return service, operation, checkCall(services(), service, operation)
}

// ownCourse are what the account does by itself, as if it were called: a
// group's launches, the start of a service's tasks.
func ownCourse() map[string][]string {
	return map[string][]string{"ec2": {"RunInstances"}, "ecs": {"StartTask"}}
}

func checkCall(known map[string]*service, name, operation string) error {
	if name == "" {
		if operation != "" {
			return fmt.Errorf("operation %s of which service? write SERVICE.%s", operation, operation)
		}
		return nil
	}
	svc := known[name]
	if svc == nil {
		return fmt.Errorf("the sandbox has no service %q%s; it has %s", name, meant(name, sortedKeys(known)), strings.Join(sortedKeys(known), ", "))
	}
	all := sortedKeys(svc.operations)
	if svc.protocol == protocolS3 {
		all = s3Operations()
	}
	all = append(all, ownCourse()[name]...)
	if operation != "" && !slices.Contains(all, operation) {
		return fmt.Errorf("the sandbox's %s has no operation %q%s", name, operation, meant(operation, all))
	}
	return nil
}

func checkType(name string) error {
	if name == "" {
		return nil
	}
	if _, ok := awstype.Lookup(name); !ok {
		return fmt.Errorf("no resource type %q is known%s", name, meant(name, awstype.Names()))
	}
	return nil
}

// ResourceFault is what goes wrong with a stack's operations on resources.
type ResourceFault = stackengine.Fault

// ParseResource reads what stack operations a fault is about: a type, as
// AWS::EC2::Subnet, or STACK/LOGICALID, where * stands for any; in all phases,
// or in one: create, update, delete, rollback.
func ParseResource(text, phase string) (ResourceFault, error) {
	phases := []string{"create", "update", "delete", "rollback"}
	if phase != "" && !slices.Contains(phases, phase) {
		return ResourceFault{}, fmt.Errorf("no phase %q%s; there are %s", phase, meant(phase, phases), strings.Join(phases, ", "))
	}
	f, err := parseResource(text)
	f.Phase = stackengine.Phase(phase)
	return f, err
}

func parseResource(text string) (stackengine.Fault, error) {
	if strings.Contains(text, "::") {
		return stackengine.Fault{Type: text}, checkType(text)
	}
	stack, logical, ok := strings.Cut(text, "/")
	if !ok || stack == "" || logical == "" || strings.Contains(logical, "/") {
		return stackengine.Fault{}, fmt.Errorf("%q names no resource; write a type like AWS::EC2::Subnet, or STACK/LOGICALID with * for any", text)
	}
	f := stackengine.Fault{Stack: stack, Logical: logical}
	if stack == everyCall {
		f.Stack = ""
	}
	if logical == everyCall {
		f.Logical = ""
	}
	return f, nil
}

// resourceTarget is what a fault is about, as ParseResource reads it.
func resourceTarget(f stackengine.Fault) string {
	if f.Type != "" {
		return f.Type
	}
	return or(f.Stack, everyCall) + "/" + or(f.Logical, everyCall)
}
