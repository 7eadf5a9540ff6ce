package sandbox

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const stagePending = "AWSPENDING"

// rotation is how a secret is rotated. No function runs here: whoever plays it
// puts the pending version and moves the labels, as its four steps do (Secrets
// Manager user guide, "Rotation by Lambda function").
type rotation struct {
	On       bool      `json:"on,omitempty"`
	Function string    `json:"function"` // ARN
	Days     int64     `json:"days,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	Duration string    `json:"duration,omitempty"`
	Token    string    `json:"token,omitempty"` // version that the last rotation is to make
	Asked    time.Time `json:"asked,omitzero"`
}

// pending is the version of a rotation that is not complete; "" when none is.
func (s *secret) pending() string {
	r := s.Rotation
	if r == nil || r.Token == "" {
		return ""
	}
	if id, _ := s.stage(stageCurrent); id == r.Token {
		return ""
	}
	return r.Token
}

// rotateSecret sets the rotation up and begins one, unless RotateImmediately is
// false. A rotation that is not complete is in the way of the next (API
// reference of RotateSecret).
func rotateSecret(c *call, in *secretsmanager.RotateSecretInput) (*secretsmanager.RotateSecretOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	r := rotation{}
	if s.Rotation != nil {
		r = *s.Rotation
	}
	set(&r.Function, in.RotationLambdaARN)
	if r.Function == "" {
		return nil, fail("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
	}
	if !c.foreign(r.Function) && !c.exists("AWS::Lambda::Function", lastPart(r.Function, ':')) {
		return nil, fail("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}
	if rules := in.RotationRules; rules != nil {
		if rules.AutomaticallyAfterDays != nil && rules.ScheduleExpression != nil {
			return nil, fail("InvalidParameterException", "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules.")
		}
		r.Days, r.Schedule, r.Duration = aws.ToInt64(rules.AutomaticallyAfterDays), aws.ToString(rules.ScheduleExpression), aws.ToString(rules.Duration)
		if rules.AutomaticallyAfterDays != nil && (r.Days < 1 || r.Days > 1000) {
			return nil, fail("InvalidParameterException", "AutomaticallyAfterDays must be between 1 and 1000.")
		}
	}
	if r.Days == 0 && r.Schedule == "" {
		return nil, fail("InvalidParameterException", "RotationRules must specify AutomaticallyAfterDays or ScheduleExpression.")
	}
	r.On = true
	out := &secretsmanager.RotateSecretOutput{ARN: &s.ARN, Name: &s.Name}
	if in.RotateImmediately == nil || *in.RotateImmediately {
		if s.pending() != "" {
			return nil, fail("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
		}
		if r.Token = aws.ToString(in.ClientRequestToken); r.Token == "" {
			r.Token = uuid(c.account.draw("rotation"))
		}
		r.Asked = c.now
		out.VersionId = aws.String(r.Token)
	}
	s.Rotation = &r
	return out, nil
}

// cancelRotation turns automatic rotation off; a pending version stays.
func cancelRotation(c *call, in *secretsmanager.CancelRotateSecretInput) (*secretsmanager.CancelRotateSecretOutput, error) {
	s, err := c.liveSecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	out := &secretsmanager.CancelRotateSecretOutput{ARN: &s.ARN, Name: &s.Name}
	if s.Rotation == nil {
		return out, nil
	}
	if id, _ := s.stage(stagePending); id != "" {
		out.VersionId = &id
	}
	s.Rotation.On, s.Rotation.Token = false, ""
	return out, nil
}

// showRotation fills in what DescribeSecret says of it.
func (s *secret) showRotation(out *secretsmanager.DescribeSecretOutput) {
	r := s.Rotation
	if r == nil {
		return
	}
	out.RotationEnabled, out.RotationLambdaARN = &r.On, &r.Function
	out.RotationRules = &types.RotationRulesType{ScheduleExpression: text(r.Schedule), Duration: text(r.Duration)}
	if r.Days > 0 {
		out.RotationRules.AutomaticallyAfterDays = &r.Days
	}
	if v := s.Versions[r.Token]; v != nil && s.pending() == "" {
		out.LastRotatedDate = &v.Created
	}
	if r.On && r.Days > 0 && !r.Asked.IsZero() {
		out.NextRotationDate = aws.Time(r.Asked.Add(time.Duration(r.Days) * 24 * time.Hour))
	}
}
