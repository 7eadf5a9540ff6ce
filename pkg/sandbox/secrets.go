package sandbox

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func secretOperations() map[string]operation {
	return map[string]operation{
		"CreateSecret":             writes(createSecret),
		"DeleteSecret":             writes(deleteSecret),
		"PutSecretValue":           writes(putSecretValue),
		"RestoreSecret":            writes(restoreSecret),
		"RotateSecret":             writes(rotateSecret),
		"CancelRotateSecret":       writes(cancelRotation),
		"TagResource":              writes(tagSecret),
		"UntagResource":            writes(untagSecret),
		"UpdateSecret":             writes(updateSecret),
		"UpdateSecretVersionStage": writes(updateSecretVersionStage),

		"DescribeSecret":       reads(describeSecret),
		"GetRandomPassword":    writes(getRandomPassword), // it draws, so it must be replayed
		"GetSecretValue":       reads(getSecretValue),
		"ListSecretVersionIds": reads(listSecretVersions),
		"ListSecrets":          reads(listSecrets),
	}
}

// secret is a secret of Secrets Manager.
type secret struct {
	Name     string                    `json:"name"`
	ARN      string                    `json:"arn"`
	Describe string                    `json:"description,omitempty"`
	KeyID    string                    `json:"key,omitempty"`
	Created  time.Time                 `json:"created"`
	Changed  time.Time                 `json:"changed"`
	Deleted  time.Time                 `json:"deleted,omitzero"` // when its deletion was asked for
	Ends     time.Time                 `json:"ends,omitzero"`    // when it is gone for good
	Tags     map[string]string         `json:"tags,omitempty"`
	Versions map[string]*secretVersion `json:"versions,omitempty"` // by version id
	Rotation *rotation                 `json:"rotation,omitempty"`
	Stack    string                    `json:"stack,omitempty"` // ARN of the stack that made it
}

type secretVersion struct {
	Text    *string   `json:"text,omitempty"`
	Binary  []byte    `json:"binary,omitempty"`
	Stages  []string  `json:"stages,omitempty"`
	Created time.Time `json:"created"`
}

// The staging labels that Secrets Manager moves by itself.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

const maxSecretBytes = 65536

var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]+$`)

// stage finds the version that carries a label.
func (s *secret) stage(label string) (id string, v *secretVersion) {
	for _, id := range sortedKeys(s.Versions) {
		if slices.Contains(s.Versions[id].Stages, label) {
			return id, s.Versions[id]
		}
	}
	return "", nil
}

// secret finds a secret by name, ARN or ARN without its six random
// characters; one whose recovery window is over is gone.
func (c *call) secret(id *string) (*secret, error) {
	want := aws.ToString(id)
	for _, name := range sortedKeys(c.region.Secrets) {
		s := c.region.Secrets[name]
		if s.gone(c.now) {
			continue
		}
		if name == want || s.ARN == want || strings.HasPrefix(want, "arn:") && s.ARN[:len(s.ARN)-7] == want {
			return s, nil
		}
	}
	return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// secretValue is what {{resolve:secretsmanager:…}} is held against: the value,
// or the refusal as users report it.
func (s *Sandbox) secretValue(r *region, id, stage, version string) (value, refusal string) {
	c := &call{now: s.clock, account: s.account, region: r, sandbox: s}
	out, err := getSecretValue(c, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: text(stage), VersionId: text(version)})
	if err != nil {
		f := asFail(err)
		return "", f.Message + " (Service: AWSSecretsManager; Status Code: 400; Error Code: " + f.Code + ")"
	}
	return aws.ToString(out.SecretString), ""
}

func (s *secret) gone(now time.Time) bool { return !s.Ends.IsZero() && !now.Before(s.Ends) }

// live finds a secret that is not scheduled for deletion.
func (c *call) liveSecret(id *string) (*secret, error) {
	s, err := c.secret(id)
	if err != nil {
		return nil, err
	}
	if !s.Deleted.IsZero() {
		return nil, fail("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return s, nil
}

func createSecret(c *call, in *secretsmanager.CreateSecretInput) (*secretsmanager.CreateSecretOutput, error) {
	name := aws.ToString(in.Name)
	if len(name) > 512 || !secretName.MatchString(name) {
		return nil, fail("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := checkSecretSize(in.SecretString, in.SecretBinary); err != nil {
		return nil, err
	}
	token := aws.ToString(in.ClientRequestToken)
	if old := c.region.Secrets[name]; old != nil && !old.gone(c.now) {
		if !old.Deleted.IsZero() {
			return nil, fail("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		if v := old.Versions[token]; v != nil && v.same(in.SecretString, in.SecretBinary) {
			return &secretsmanager.CreateSecretOutput{ARN: &old.ARN, Name: &old.Name, VersionId: &token}, nil
		}
		return nil, fail("ResourceExistsException", "The operation failed because the secret %s already exists.", name)
	}
	s := c.newSecret(name, c.arn("secretsmanager", "secret:"+name+"-"+c.account.draw("secret")[:6]))
	s.Describe, s.KeyID = aws.ToString(in.Description), aws.ToString(in.KmsKeyId)
	for _, t := range in.Tags {
		s.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	out := &secretsmanager.CreateSecretOutput{ARN: &s.ARN, Name: &s.Name}
	if in.SecretString == nil && in.SecretBinary == nil {
		return out, nil // declared without a value: no version, no AWSCURRENT
	}
	id := c.versionID(in.ClientRequestToken)
	s.put(c.now, id, &secretVersion{Text: in.SecretString, Binary: in.SecretBinary}, []string{stageCurrent})
	out.VersionId = &id
	return out, nil
}

func (c *call) newSecret(name, arn string) *secret {
	s := &secret{Name: name, ARN: arn, Created: c.now, Changed: c.now, Tags: map[string]string{}, Versions: map[string]*secretVersion{}}
	c.region.Secrets[name] = s
	return s
}

// versionID is the caller's token: that makes a retried write harmless.
func (c *call) versionID(token *string) string {
	if t := aws.ToString(token); t != "" {
		return t
	}
	return uuid(c.account.draw("version"))
}

func checkSecretSize(text *string, binary []byte) error {
	if text != nil && binary != nil {
		return fail("InvalidParameterException", "You can't specify both a binary secret value and a string secret value in the same secret.")
	}
	if len(aws.ToString(text))+len(binary) > maxSecretBytes {
		return fail("ValidationException", "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to %d", maxSecretBytes)
	}
	return nil
}

func (v *secretVersion) same(text *string, binary []byte) bool {
	return aws.ToString(v.Text) == aws.ToString(text) && bytes.Equal(v.Binary, binary)
}

// put stores a version and moves the labels to it. The version that was
// current becomes the previous one; versions without label are dropped.
func (s *secret) put(now time.Time, id string, v *secretVersion, stages []string) {
	makeMap(&s.Versions)
	v.Created = now
	s.Versions[id] = v
	s.Changed = now
	for _, label := range stages {
		s.move(label, id)
	}
	for _, old := range sortedKeys(s.Versions) {
		if len(s.Versions[old].Stages) == 0 {
			delete(s.Versions, old)
		}
	}
}

func (s *secret) move(label, to string) {
	from, old := s.stage(label)
	if from == to {
		return
	}
	if old != nil {
		old.Stages = slices.DeleteFunc(old.Stages, func(l string) bool { return l == label })
		if label == stageCurrent {
			s.move(stagePrevious, from)
		}
	}
	v := s.Versions[to]
	v.Stages = append(v.Stages, label)
	sort.Strings(v.Stages)
}

func putSecretValue(c *call, in *secretsmanager.PutSecretValueInput) (*secretsmanager.PutSecretValueOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.SecretString == nil && in.SecretBinary == nil {
		return nil, fail("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	if err := checkSecretSize(in.SecretString, in.SecretBinary); err != nil {
		return nil, err
	}
	id := c.versionID(in.ClientRequestToken)
	if v := s.Versions[id]; v != nil {
		if !v.same(in.SecretString, in.SecretBinary) {
			return nil, fail("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, s.ARN)
		}
		return &secretsmanager.PutSecretValueOutput{ARN: &s.ARN, Name: &s.Name, VersionId: &id, VersionStages: slices.Clone(v.Stages)}, nil
	}
	stages := in.VersionStages
	if len(stages) == 0 {
		stages = []string{stageCurrent}
	}
	v := &secretVersion{Text: in.SecretString, Binary: in.SecretBinary}
	if len(s.Versions) == 0 && !slices.Contains(stages, stageCurrent) {
		stages = append(slices.Clone(stages), stageCurrent) // the first version is always current
	}
	s.put(c.now, id, v, stages)
	return &secretsmanager.PutSecretValueOutput{ARN: &s.ARN, Name: &s.Name, VersionId: &id, VersionStages: slices.Clone(v.Stages)}, nil
}

func updateSecret(c *call, in *secretsmanager.UpdateSecretInput) (*secretsmanager.UpdateSecretOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	set(&s.Describe, in.Description)
	set(&s.KeyID, in.KmsKeyId)
	out := &secretsmanager.UpdateSecretOutput{ARN: &s.ARN, Name: &s.Name}
	if in.SecretString != nil || in.SecretBinary != nil {
		put, err := putSecretValue(c, &secretsmanager.PutSecretValueInput{SecretId: in.SecretId, ClientRequestToken: in.ClientRequestToken, SecretString: in.SecretString, SecretBinary: in.SecretBinary})
		if err != nil {
			return nil, err
		}
		out.VersionId = put.VersionId
	}
	s.Changed = c.now
	return out, nil
}

func getSecretValue(c *call, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	var id string
	var v *secretVersion
	if in.VersionId != nil {
		id = *in.VersionId
		v = s.Versions[id]
		if v == nil {
			return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %.80s", id)
		}
		if label := aws.ToString(in.VersionStage); label != "" && !slices.Contains(v.Stages, label) {
			return nil, fail("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		}
	} else {
		label := stageCurrent
		set(&label, in.VersionStage)
		if id, v = s.stage(label); v == nil {
			return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %.80s", label)
		}
	}
	return &secretsmanager.GetSecretValueOutput{
		ARN: &s.ARN, Name: &s.Name, VersionId: &id, VersionStages: slices.Clone(v.Stages), SecretString: v.Text, SecretBinary: v.Binary, CreatedDate: &v.Created,
	}, nil
}

func describeSecret(c *call, in *secretsmanager.DescribeSecretInput) (*secretsmanager.DescribeSecretOutput, error) {
	s, err := c.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	out := &secretsmanager.DescribeSecretOutput{
		ARN: &s.ARN, Name: &s.Name, Description: text(s.Describe), KmsKeyId: text(s.KeyID), CreatedDate: &s.Created, LastChangedDate: &s.Changed,
		Tags: s.tagList(), VersionIdsToStages: s.stages(),
	}
	if !s.Deleted.IsZero() {
		out.DeletedDate = &s.Deleted
	}
	s.showRotation(out)
	return out, nil
}

// stages is nil, so that the member is left out, for a secret without a value.
func (s *secret) stages() map[string][]string {
	if len(s.Versions) == 0 {
		return nil
	}
	out := map[string][]string{}
	for id, v := range s.Versions {
		out[id] = slices.Clone(v.Stages)
	}
	return out
}

func (s *secret) tagList() []types.Tag {
	out := []types.Tag{}
	for _, key := range sortedKeys(s.Tags) {
		out = append(out, types.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
	return out
}
