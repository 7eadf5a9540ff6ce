package stackengine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Dynamic references, as text in a template: {{resolve:ssm:NAME[:VERSION]}},
// {{resolve:ssm-secure:NAME[:VERSION]}} and {{resolve:secretsmanager:ID[:…]}}.
// From the documentation dynamic-references; texts: data-mesh-datazone #19,
// aws-cdk #18729, serverless-application-model #1528, roadmap #1822. Those of
// secrets are looked at and never replaced: nothing here stores a secret's value.

var (
	dynamicAny  = regexp.MustCompile(`\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]*)\}\}`)
	dynamicName = regexp.MustCompile(`^[a-zA-Z0-9_./-]+(:\d+)?$`)
)

// secureProperties are where ssm-secure is taken, of the types that are known here.
var secureProperties = map[string]string{
	"AWS::ElastiCache::ReplicationGroup": "AuthToken",
	"AWS::RDS::DBCluster":                "MasterUserPassword",
	"AWS::RDS::DBInstance":               "MasterUserPassword",
}

// checkDynamic refuses a template whose references to parameters cannot be
// resolved. References that functions put together are seen in the execution.
func (e *Engine) checkDynamic(p *program) error {
	var missing, wrong []string
	var malformed string
	for _, id := range keys(p.nodes) {
		n := p.nodes[id]
		walkTexts(n.props, "", func(path, s string) {
			for _, m := range dynamicAny.FindAllStringSubmatch(s, -1) {
				kind, arg := m[1], m[2]
				name, version, _ := strings.Cut(arg, ":")
				switch {
				case kind == "secretsmanager" || strings.Contains(arg, "${"):
				case !dynamicName.MatchString(arg):
					malformed = m[0]
				case kind == "ssm-secure" && path != "/"+secureProperties[n.Type]:
					wrong = append(wrong, n.Type+"/Properties"+path)
				case kind == "ssm-secure":
					if e.Secure != nil && !e.Secure(name, version) {
						missing = append(missing, "ssm-secure:"+arg)
					}
				case e.Parameter != nil:
					if _, ok := e.Parameter(name, version); !ok {
						missing = append(missing, "ssm:"+arg)
					}
				}
			}
		})
	}
	slices.Sort(missing)
	switch {
	case malformed != "":
		return invalid("Incorrect format is used in the following SSM reference: [%s]", malformed)
	case wrong != nil:
		return invalid("SSM Secure reference is not supported in: [%s]", strings.Join(wrong, ","))
	case missing != nil:
		return invalid("Parameters: [%s] cannot be found.", strings.Join(slices.Compact(missing), ", "))
	}
	return nil
}

// checkSecrets refuses references to secrets, or to parts of them, that do not
// exist when a resource is made.
func (e *Engine) checkSecrets(props map[string]any) *HandlerError {
	if e.Secret == nil {
		return nil
	}
	var refusal *HandlerError
	walkTexts(props, "", func(_, s string) {
		for _, m := range dynamicAny.FindAllStringSubmatch(s, -1) {
			if m[1] == "secretsmanager" && refusal == nil {
				refusal = e.checkSecret(m[2])
			}
		}
	})
	return refusal
}

// checkSecret takes ID:SecretString:KEY:STAGE:VERSION, where the ID may be an ARN
// and all that follows it may be absent. CloudFormation resolves it before it
// calls a handler, so its refusals carry no handler's code.
func (e *Engine) checkSecret(arg string) *HandlerError {
	fields := 1
	if strings.HasPrefix(arg, "arn:") {
		fields = 7
	}
	parts := strings.Split(arg, ":")
	if len(parts) < fields {
		return &HandlerError{Message: fmt.Sprintf("Incorrect format is used in the following Secrets Manager reference: [{{resolve:secretsmanager:%s}}]", arg)}
	}
	id := strings.Join(parts[:fields], ":")
	rest := append(parts[fields:], "", "", "", "")
	if fields > 1 && (parts[3] != e.State.Region || parts[4] != e.State.Account) {
		return nil // of another region or account, of which nothing is known here
	}
	value, refusal := e.Secret(id, rest[2], rest[3])
	if refusal != "" {
		return &HandlerError{Message: refusal}
	}
	if rest[1] == "" {
		return nil
	}
	var fieldsOf map[string]any
	if json.Unmarshal([]byte(value), &fieldsOf) != nil {
		return &HandlerError{Message: "Could not parse SecretString JSON"}
	}
	if _, ok := fieldsOf[rest[1]]; !ok {
		return &HandlerError{Message: "Could not find a value associated with JSONKey in SecretString"}
	}
	return nil
}

// walkTexts calls f for every text of v with its path, "/A/0/B".
func walkTexts(v any, path string, f func(path, s string)) {
	switch v := v.(type) {
	case string:
		f(path, v)
	case map[string]any:
		for _, k := range keys(v) {
			walkTexts(v[k], path+"/"+k, f)
		}
	case []any:
		for i, x := range v {
			walkTexts(x, path+"/"+itoa(i), f)
		}
	}
}
