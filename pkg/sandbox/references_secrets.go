package sandbox

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reconcile/pkg/sandbox/stackengine"
)

var dynamicSecret = regexp.MustCompile(`\{\{resolve:secretsmanager:([^}]+)\}\}`)

// checkSecrets refuses dynamic references to secrets, versions or keys that do
// not exist. No text ever holds a value. Texts: as users report them.
func (c *call) checkSecrets(v any) error {
	switch v := v.(type) {
	case string:
		for _, m := range dynamicSecret.FindAllStringSubmatch(v, -1) {
			if err := c.checkSecret(m[1]); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := c.checkSecrets(v[k]); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := c.checkSecrets(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSecret takes SECRET:SecretString:KEY:STAGE:VERSION, where all but the
// secret may be absent and the secret may be an ARN.
func (c *call) checkSecret(ref string) error {
	id, rest := ref, ""
	if strings.HasPrefix(ref, "arn:") {
		parts := strings.SplitN(ref, ":", 8)
		if len(parts) == 8 {
			id, rest = strings.Join(parts[:7], ":"), parts[7]
		}
	} else {
		id, rest, _ = strings.Cut(ref, ":")
	}
	if c.foreign(id) {
		return nil
	}
	parts := append(strings.Split(rest, ":"), "", "", "")
	out, err := getSecretValue(c, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: text(parts[2]), VersionId: text(parts[3])})
	if err != nil {
		f := asFail(err)
		return &stackengine.HandlerError{Message: f.Message + " (Service: AWSSecretsManager; Status Code: 400; Error Code: " + f.Code + ")"}
	}
	if key := parts[1]; key != "" {
		var document map[string]json.RawMessage
		if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &document) != nil {
			return &stackengine.HandlerError{Message: "Could not parse SecretString JSON"}
		}
		if document[key] == nil {
			return &stackengine.HandlerError{Message: "Could not find a value associated with JSONKey in SecretString"}
		}
	}
	return nil
}
