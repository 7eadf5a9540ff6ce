package sandbox

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// recoveryDays is the window of a deletion that does not name one.
const recoveryDays = 30

func deleteSecret(c *call, in *secretsmanager.DeleteSecretInput) (*secretsmanager.DeleteSecretOutput, error) {
	force := aws.ToBool(in.ForceDeleteWithoutRecovery)
	if force && in.RecoveryWindowInDays != nil {
		return nil, fail("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	}
	days := int64(recoveryDays)
	set(&days, in.RecoveryWindowInDays)
	if days < 7 || days > 30 {
		return nil, fail("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	s, err := c.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	if force {
		delete(c.region.Secrets, s.Name)
		return &secretsmanager.DeleteSecretOutput{ARN: &s.ARN, Name: &s.Name, DeletionDate: &c.now}, nil
	}
	if !s.Deleted.IsZero() {
		return nil, fail("InvalidRequestException", "You tried to perform the operation on a secret that's currently marked deleted.")
	}
	s.schedule(c.now, days)
	return &secretsmanager.DeleteSecretOutput{ARN: &s.ARN, Name: &s.Name, DeletionDate: &s.Ends}, nil
}

// schedule marks the secret for deletion. Recovery windows are for people, so
// they last as long as in AWS whatever the sandbox's pace is.
func (s *secret) schedule(now time.Time, days int64) {
	s.Deleted, s.Ends = now, now.Add(time.Duration(days)*24*time.Hour)
}

func restoreSecret(c *call, in *secretsmanager.RestoreSecretInput) (*secretsmanager.RestoreSecretOutput, error) {
	s, err := c.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	s.Deleted, s.Ends = time.Time{}, time.Time{}
	return &secretsmanager.RestoreSecretOutput{ARN: &s.ARN, Name: &s.Name}, nil
}

func updateSecretVersionStage(c *call, in *secretsmanager.UpdateSecretVersionStageInput) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	label, to := aws.ToString(in.VersionStage), aws.ToString(in.MoveToVersionId)
	from, v := s.stage(label)
	if v != nil && to != from && aws.ToString(in.RemoveFromVersionId) != from {
		return nil, fail("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", label, from)
	}
	if to == "" {
		if label == stageCurrent {
			return nil, fail("InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
		}
		if v != nil {
			v.Stages = slices.DeleteFunc(v.Stages, func(l string) bool { return l == label })
		}
	} else {
		if s.Versions[to] == nil {
			return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %.80s", to)
		}
		s.move(label, to)
	}
	return &secretsmanager.UpdateSecretVersionStageOutput{ARN: &s.ARN, Name: &s.Name}, nil
}

// listSecretVersions lists the versions that have a label; those that lost
// theirs are deprecated, and the sandbox drops them at once.
func listSecretVersions(c *call, in *secretsmanager.ListSecretVersionIdsInput) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	limit, err := pageSize(in.MaxResults, 100, 100)
	if err != nil {
		return nil, err
	}
	s, err := c.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	ids, next, err := page(sortedKeys(s.Versions), func(id string) string { return id }, in.NextToken, limit)
	if err != nil {
		return nil, fail("InvalidNextTokenException", "Invalid token")
	}
	out := &secretsmanager.ListSecretVersionIdsOutput{ARN: &s.ARN, Name: &s.Name, NextToken: next, Versions: []types.SecretVersionsListEntry{}}
	for _, id := range ids {
		v := s.Versions[id]
		out.Versions = append(out.Versions, types.SecretVersionsListEntry{VersionId: aws.String(id), VersionStages: slices.Clone(v.Stages), CreatedDate: &v.Created})
	}
	return out, nil
}

func tagSecret(c *call, in *secretsmanager.TagResourceInput) (*secretsmanager.TagResourceOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	makeMap(&s.Tags)
	for _, t := range in.Tags {
		s.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return &secretsmanager.TagResourceOutput{}, nil
}

func untagSecret(c *call, in *secretsmanager.UntagResourceInput) (*secretsmanager.UntagResourceOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(s.Tags, key)
	}
	return &secretsmanager.UntagResourceOutput{}, nil
}

func listSecrets(c *call, in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
	limit, err := pageSize(in.MaxResults, 100, 100)
	if err != nil {
		return nil, err
	}
	var all []*secret
	for _, name := range sortedKeys(c.region.Secrets) {
		s := c.region.Secrets[name]
		if s.gone(c.now) || !s.Deleted.IsZero() && !aws.ToBool(in.IncludePlannedDeletion) {
			continue
		}
		ok, err := s.matches(in.Filters)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, s)
		}
	}
	all, next, err := page(all, func(s *secret) string { return s.Name }, in.NextToken, limit)
	if err != nil {
		return nil, fail("InvalidNextTokenException", "Invalid token")
	}
	out := &secretsmanager.ListSecretsOutput{SecretList: []types.SecretListEntry{}, NextToken: next}
	for _, s := range all {
		e := types.SecretListEntry{
			ARN: &s.ARN, Name: &s.Name, Description: text(s.Describe), KmsKeyId: text(s.KeyID), CreatedDate: &s.Created, LastChangedDate: &s.Changed,
			Tags: s.tagList(), SecretVersionsToStages: s.stages(),
		}
		if !s.Deleted.IsZero() {
			e.DeletedDate = &s.Deleted
		}
		out.SecretList = append(out.SecretList, e)
	}
	return out, nil
}

// matches applies the filters name, description, tag-key, tag-value and all;
// values match as prefixes, and one with ! in front must not.
func (s *secret) matches(filters []types.Filter) (bool, error) {
	for _, f := range filters {
		var have []string
		switch f.Key {
		case types.FilterNameStringTypeName:
			have = []string{s.Name}
		case types.FilterNameStringTypeDescription:
			have = []string{s.Describe}
		case types.FilterNameStringTypeTagKey:
			have = sortedKeys(s.Tags)
		case types.FilterNameStringTypeTagValue:
			for _, k := range sortedKeys(s.Tags) {
				have = append(have, s.Tags[k])
			}
		case types.FilterNameStringTypeAll:
			have = append([]string{s.Name, s.Describe}, sortedKeys(s.Tags)...)
		default:
			return false, fail("ValidationException", "1 validation error detected: Value '%.80s' at 'filters.member.key' failed to satisfy constraint: Member must satisfy enum value set", f.Key)
		}
		if !slices.ContainsFunc(f.Values, func(want string) bool {
			not, negated := strings.CutPrefix(want, "!")
			hit := slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, not) })
			return hit != negated
		}) {
			return false, nil
		}
	}
	return true, nil
}

// passwordRules say what a generated password looks like, for
// GetRandomPassword and for GenerateSecretString of a template.
type passwordRules struct {
	length                             int64
	exclude                            string
	noLower, noUpper, noDigit, noPunct bool
	space                              bool
}

const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// generate makes a password from the account's seed: in a replay the same one.
func (a *account) generate(r passwordRules) (string, error) {
	if r.length == 0 {
		r.length = 32
	}
	if r.length < 1 || r.length > 4096 {
		return "", fail("InvalidParameterException", "Password length must be between 1 and 4096 characters.")
	}
	var classes []string
	for _, class := range []struct {
		off   bool
		chars string
	}{{r.noLower, "abcdefghijklmnopqrstuvwxyz"}, {r.noUpper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, {r.noDigit, "0123456789"}, {r.noPunct, punctuation}, {!r.space, " "}} {
		chars := strings.Map(func(c rune) rune {
			if strings.ContainsRune(r.exclude, c) {
				return -1
			}
			return c
		}, class.chars)
		if !class.off && chars != "" {
			classes = append(classes, chars)
		}
	}
	if len(classes) == 0 || int64(len(classes)) > r.length {
		return "", fail("InvalidParameterException", "The password can't be generated with these requirements.")
	}
	all := strings.Join(classes, "")
	out := make([]byte, r.length)
	for i := range out {
		set := all
		if i < len(classes) {
			set = classes[i] // each class at least once
		}
		out[i] = set[a.pick(len(set))]
	}
	for i := len(out) - 1; i > 0; i-- {
		j := a.pick(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

// pick draws a number below n.
func (a *account) pick(n int) int {
	a.Serial++
	return int(a.number("pick", versionKey(a.Serial)) % uint64(n))
}

func getRandomPassword(c *call, in *secretsmanager.GetRandomPasswordInput) (*secretsmanager.GetRandomPasswordOutput, error) {
	p, err := c.account.generate(passwordRules{
		length: aws.ToInt64(in.PasswordLength), exclude: aws.ToString(in.ExcludeCharacters), noLower: aws.ToBool(in.ExcludeLowercase), noUpper: aws.ToBool(in.ExcludeUppercase),
		noDigit: aws.ToBool(in.ExcludeNumbers), noPunct: aws.ToBool(in.ExcludePunctuation), space: aws.ToBool(in.IncludeSpace),
	})
	if err != nil {
		return nil, err
	}
	return &secretsmanager.GetRandomPasswordOutput{RandomPassword: &p}, nil
}
