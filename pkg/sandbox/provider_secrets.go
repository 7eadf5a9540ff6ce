package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reconcile/pkg/sandbox/stackengine"
)

func secretHandlers() handlers {
	return handlers{
		create: createDeclaredSecret, update: updateDeclaredSecret,
		remove: func(c *call, r stackengine.Resource) error {
			// CloudFormation deletes without a recovery window: roadmap #1999, #838.
			if s, err := c.secret(&r.PhysicalID); err == nil && s.Deleted.IsZero() {
				delete(c.region.Secrets, s.Name)
			}
			return nil
		},
		adopt: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			s, err := c.liveSecret(&r.PhysicalID)
			if err != nil {
				return stackengine.Physical{}, err
			}
			s.Tags, s.Stack = ownTags(s.Tags, r), r.StackID
			return stackengine.Physical{ID: s.ARN, Attributes: map[string]string{"Id": s.ARN}}, nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			s, err := c.liveSecret(&r.PhysicalID)
			if err != nil {
				return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
			}
			return shownProperties(r, map[string]any{"Name": s.Name, "Description": nilIfEmpty(s.Describe)}), nil
		},
	}
}

func nilIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func createDeclaredSecret(c *call, r stackengine.Resource) (stackengine.Physical, error) {
	p, name := props(r.Properties), nameOr(r, "Name")
	value, err := c.declaredValue(p)
	if err != nil {
		return stackengine.Physical{}, err
	}
	out, err := createSecret(c, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: value, Description: text(p.text("Description")), KmsKeyId: text(p.text("KmsKeyId")),
	})
	if err != nil {
		return stackengine.Physical{}, err
	}
	s := c.region.Secrets[name]
	s.Tags, s.Stack = allTags(r), r.StackID
	return stackengine.Physical{ID: *out.ARN, Attributes: map[string]string{"Id": *out.ARN}}, nil
}

// declaredValue is the value that a template gives: literal, generated, or
// none at all, and then the secret has no current version.
func (c *call) declaredValue(p props) (*string, error) {
	if _, ok := p["SecretString"]; ok {
		return aws.String(p.text("SecretString")), nil
	}
	g := p.sub("GenerateSecretString")
	if g == nil {
		return nil, nil
	}
	length, _ := g.number("PasswordLength")
	password, err := c.account.generate(passwordRules{
		length: int64(length), exclude: g.text("ExcludeCharacters"), noLower: g.flag("ExcludeLowercase"), noUpper: g.flag("ExcludeUppercase"),
		noDigit: g.flag("ExcludeNumbers"), noPunct: g.flag("ExcludePunctuation"), space: g.flag("IncludeSpace"),
	})
	if err != nil {
		return nil, err
	}
	template, key := g.text("SecretStringTemplate"), g.text("GenerateStringKey")
	if template == "" && key == "" {
		return &password, nil
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(template), &document); err != nil || key == "" {
		return nil, fail("InvalidParameterException", "SecretStringTemplate must be a JSON object, and GenerateStringKey the name of a key.")
	}
	document[key] = password
	return jsonText(document)
}

// jsonText is JSON without HTML escapes, as Secrets Manager writes it.
func jsonText(v any) (*string, error) {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return aws.String(strings.TrimSuffix(w.String(), "\n")), nil
}

// updateDeclaredSecret writes a new value only where the template's own words
// about the value changed; then a generated one is generated anew.
func updateDeclaredSecret(c *call, old, r stackengine.Resource) (stackengine.Physical, error) {
	s, err := c.liveSecret(&r.PhysicalID)
	if err != nil {
		return stackengine.Physical{}, err
	}
	p, before := props(r.Properties), props(old.Properties)
	s.Describe, s.KeyID = p.text("Description"), p.text("KmsKeyId")
	s.Tags = allTags(r)
	changed := !bytes.Equal(p.raw("SecretString"), before.raw("SecretString")) || !bytes.Equal(p.raw("GenerateSecretString"), before.raw("GenerateSecretString"))
	if changed {
		value, err := c.declaredValue(p)
		if err != nil {
			return stackengine.Physical{}, err
		}
		if value != nil {
			if _, err := putSecretValue(c, &secretsmanager.PutSecretValueInput{SecretId: &s.ARN, SecretString: value}); err != nil {
				return stackengine.Physical{}, err
			}
		}
	}
	return stackengine.Physical{ID: s.ARN, Attributes: map[string]string{"Id": s.ARN}}, nil
}

// attachmentHandlers complete a database secret with where the database is.
func attachmentHandlers() handlers {
	attach := func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
		p := props(r.Properties)
		s, err := c.liveSecret(aws.String(p.text("SecretId")))
		if err != nil {
			return stackengine.Physical{}, err
		}
		document := map[string]any{}
		_, v := s.stage(stageCurrent)
		if v == nil || json.Unmarshal([]byte(aws.ToString(v.Text)), &document) != nil {
			return stackengine.Physical{}, fail("InvalidRequestException", "The secret %s has no value that is a JSON object.", s.Name)
		}
		connection, err := c.connection(p.text("TargetType"), p.text("TargetId"))
		if err != nil {
			return stackengine.Physical{}, err
		}
		maps.Copy(document, connection)
		value, err := jsonText(document)
		if err != nil {
			return stackengine.Physical{}, err
		}
		if *value != aws.ToString(v.Text) {
			if _, err := putSecretValue(c, &secretsmanager.PutSecretValueInput{SecretId: &s.ARN, SecretString: value}); err != nil {
				return stackengine.Physical{}, err
			}
		}
		return stackengine.Physical{ID: s.ARN, Attributes: map[string]string{"Id": s.ARN}}, nil
	}
	return handlers{
		create: attach,
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) { return attach(c, r) },
		remove: func(*call, stackengine.Resource) error { return nil }, // the value stays
		read:   func(_ *call, r stackengine.Resource) (map[string]any, error) { return r.Properties, nil },
	}
}

// connection is what a secret learns of its database.
func (c *call) connection(kind, id string) (map[string]any, error) {
	item := c.item(kind, id)
	if item == nil {
		return nil, fail("DBInstanceNotFound", "DBInstance %s not found.", id)
	}
	p := c.itemProps(item)
	engine := p.text("Engine")
	out := map[string]any{"engine": engine, "host": item.Attributes["Endpoint.Address"], "port": json.Number("3306")}
	if port := item.Attributes["Endpoint.Port"]; port != "" {
		out["port"] = json.Number(port)
	}
	if db := p.text("DBName"); db != "" {
		out["dbname"] = db
	}
	if kind == "AWS::RDS::DBInstance" {
		out["dbInstanceIdentifier"] = id
	} else {
		out["dbClusterIdentifier"] = id
	}
	return out, nil
}
