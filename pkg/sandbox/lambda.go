package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// Lambda shows the functions that stacks deployed. It runs none: an Invoke is
// refused with 501, for an answer without running the code would be invented.

const functionType = "AWS::Lambda::Function"

func lambdaOperations() map[string]operation {
	return map[string]operation{
		"GetFunction":              docReads(getFunction),
		"GetFunctionConfiguration": docReads(getFunctionConfiguration),
		"ListFunctions":            docReads(listFunctions),
		"GetPolicy":                docReads(getFunctionPolicy),
		"Invoke":                   docReads(invoke),
	}
}

// lambdaRoute reads /2015-03-31/functions/NAME/….
func lambdaRoute(r *http.Request, req request) (request, protocol, *Fail) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	unknown := &Fail{Code: "UnknownOperationException", Message: "the sandbox's Lambda has no operation for " + r.Method + " " + r.URL.Path, Status: http.StatusNotFound}
	if len(parts) < 2 || parts[1] != "functions" {
		return req, protocolREST, unknown
	}
	in := map[string]string{}
	for name := range r.URL.Query() {
		in[name] = r.URL.Query().Get(name)
	}
	action := r.Method
	if len(parts) > 2 {
		in["FunctionName"] = parts[2]
		action += " NAME"
	}
	if len(parts) > 3 {
		action += "/" + parts[3]
	}
	in["InvocationType"] = r.Header.Get("X-Amz-Invocation-Type")
	req.Operation = map[string]string{
		"GET": "ListFunctions", "GET NAME": "GetFunction", "GET NAME/configuration": "GetFunctionConfiguration", "GET NAME/policy": "GetPolicy", "POST NAME/invocations": "Invoke",
	}[action]
	if req.Operation == "" {
		return req, protocolREST, unknown
	}
	body, err := json.Marshal(in)
	if err != nil {
		return req, protocolREST, notSerial("the request: %v", err)
	}
	req.Body = string(body)
	return req, protocolREST, nil
}

func (c *call) function(in props) (networkItem, error) {
	ref := in.text("FunctionName")
	name := ref
	if _, after, ok := strings.Cut(ref, ":function:"); ok {
		name, _, _ = strings.Cut(after, ":")
	}
	i, ok := c.thing(functionType, name)
	if !ok {
		return i, notThere("ResourceNotFoundException", "Function not found: %s", c.arn("lambda", "function:"+name))
	}
	return i, nil
}

func (c *call) functionDoc(i networkItem) doc {
	code := i.props.sub("Code")
	body := []byte(code.text("ZipFile") + code.text("S3Bucket") + code.text("S3Key") + code.text("S3ObjectVersion") + code.text("ImageUri"))
	sum := sha256.Sum256(body)
	out := doc{"Runtime": nil, "MemorySize": int32(128), "Timeout": int32(3), "PackageType": "Zip", "Architectures": []string{"x86_64"}}
	maps.Copy(out, shape{
		"Runtime": aText, "Role": aText, "Handler": aText, "Description": aText, "Timeout": aNumber, "MemorySize": aNumber, "PackageType": aText, "Architectures": aList, "KmsKeyArn": aText,
		"VpcConfig": shape{"SubnetIds": aList, "SecurityGroupIds": aList}, "TracingConfig": shape{"Mode": aText}, "EphemeralStorage": shape{"Size": aNumber}, "DeadLetterConfig": shape{"TargetArn": aText},
	}.of(i.props))
	if v := i.props.sub("Environment").sub("Variables"); v != nil {
		variables := map[string]string{}
		for k := range v {
			variables[k] = v.text(k)
		}
		out["Environment"] = doc{"Variables": variables}
	}
	out["FunctionName"], out["FunctionArn"], out["Version"], out["State"], out["LastUpdateStatus"] = i.id, c.arn("lambda", "function:"+i.id), "$LATEST", "Active", "Successful"
	out["CodeSize"], out["CodeSha256"], out["LastModified"] = len(body), base64.StdEncoding.EncodeToString(sum[:]), i.created.Format("2006-01-02T15:04:05.000+0000")
	out["RevisionId"] = uuid(hexOf("revision", i.id, string(i.props.raw("Code")), string(i.props.raw("Environment"))))
	return out
}

func getFunctionConfiguration(c *call, in props) (doc, error) {
	i, err := c.function(in)
	if err != nil {
		return nil, err
	}
	return c.functionDoc(i), nil
}

func getFunction(c *call, in props) (doc, error) {
	i, err := c.function(in)
	if err != nil {
		return nil, err
	}
	return doc{"Configuration": c.functionDoc(i), "Code": doc{"RepositoryType": "S3"}, "Tags": i.tags()}, nil
}

func listFunctions(c *call, in props) (doc, error) {
	list, next, err := pageOf(in, "Marker", "MaxItems", 50, 10_000, c.items(functionType), func(i networkItem) string { return i.id })
	out := []doc{}
	for _, i := range list {
		out = append(out, c.functionDoc(i))
	}
	return doc{"Functions": out, "NextMarker": next}, err
}

func getFunctionPolicy(c *call, in props) (doc, error) {
	i, err := c.function(in)
	if err != nil {
		return nil, err
	}
	var statements []any
	for _, p := range c.items("AWS::Lambda::Permission") {
		if name := p.props.text("FunctionName"); name != i.id && !strings.HasSuffix(name, ":function:"+i.id) {
			continue
		}
		s := map[string]any{"Sid": p.id, "Effect": "Allow", "Principal": map[string]any{"Service": p.props.text("Principal")}, "Action": p.props.text("Action"), "Resource": c.arn("lambda", "function:"+i.id)}
		if source := p.props.text("SourceArn"); source != "" {
			s["Condition"] = map[string]any{"ArnLike": map[string]any{"AWS:SourceArn": source}}
		}
		statements = append(statements, s)
	}
	if len(statements) == 0 {
		return nil, notThere("ResourceNotFoundException", "The resource you requested does not exist.")
	}
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": statements})
	return doc{"Policy": string(b), "RevisionId": uuid(hexOf("policy", i.id, string(b)))}, err
}

// invoke answers a dry run, and refuses what would have to run code.
func invoke(c *call, in props) (doc, error) {
	i, err := c.function(in)
	if err != nil {
		return nil, err
	}
	if in.text("InvocationType") == "DryRun" {
		return doc{}, nil
	}
	return nil, &Fail{Code: "NotImplemented", Message: "the sandbox runs no code: " + i.id + " was not invoked", Status: http.StatusNotImplemented}
}
