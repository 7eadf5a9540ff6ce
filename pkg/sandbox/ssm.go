package sandbox

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func ssmOperations() map[string]operation {
	return map[string]operation{
		"SendCommand":                 docWrites(sendCommand),
		"CancelCommand":               docWrites(cancelCommand),
		"ListCommands":                docReads(listCommands),
		"ListCommandInvocations":      docReads(listCommandInvocations),
		"GetCommandInvocation":        docReads(getCommandInvocation),
		"DescribeInstanceInformation": docReads(describeInstanceInformation),

		"PutParameter":            writes(putParameter),
		"DeleteParameter":         writes(deleteParameter),
		"DeleteParameters":        writes(deleteParameters),
		"LabelParameterVersion":   writes(labelParameterVersion),
		"UnlabelParameterVersion": writes(unlabelParameterVersion),
		"AddTagsToResource":       writes(addParameterTags),
		"RemoveTagsFromResource":  writes(removeParameterTags),

		"GetParameter":        reads(getParameter),
		"GetParameters":       reads(getParameters),
		"GetParametersByPath": reads(getParametersByPath),
		"GetParameterHistory": reads(getParameterHistory),
		"DescribeParameters":  reads(describeParameters),
		"ListTagsForResource": reads(listParameterTags),
	}
}

// parameter is an SSM parameter with its versions, the oldest first.
type parameter struct {
	Name     string             `json:"name"`
	Versions []parameterVersion `json:"versions,omitempty"`
	Pending  *parameterVersion  `json:"pending,omitempty"` // an aws:ec2:image value being validated
	Due      time.Time          `json:"due,omitzero"`      // when Pending is decided
	Tags     map[string]string  `json:"tags,omitempty"`
	Gone     bool               `json:"gone,omitempty"` // a stocked one that was deleted
}

type parameterVersion struct {
	Number   int64     `json:"n"`
	Type     string    `json:"type"`
	DataType string    `json:"dataType"`
	Value    string    `json:"value"`
	Tier     string    `json:"tier"`
	KeyID    string    `json:"key,omitempty"`
	Describe string    `json:"description,omitempty"`
	Pattern  string    `json:"pattern,omitempty"`
	Modified time.Time `json:"modified"`
	Labels   []string  `json:"labels,omitempty"`
}

// imageCheckSeconds is how long SSM takes to validate an AMI id.
const imageCheckSeconds = 5

const typeImage = "aws:ec2:image"

// latest is the newest version; nil for a parameter that does not exist (yet).
func (p *parameter) latest() *parameterVersion {
	if p == nil || len(p.Versions) == 0 {
		return nil
	}
	return &p.Versions[len(p.Versions)-1]
}

// parameter finds a parameter, a stocked one included. nil when there is none.
func (c *call) parameter(name string) *parameter {
	if p := c.region.Parameters[name]; p != nil {
		p = p.settled(c)
		if p.latest() != nil {
			return p
		}
		if p.Gone {
			return nil
		}
	}
	if c.account.Bare || !fleetAMIName.MatchString(name) {
		return nil
	}
	return &parameter{Name: name, Versions: []parameterVersion{{
		Number: 1, Type: string(types.ParameterTypeString), DataType: typeImage, Tier: string(types.ParameterTierStandard),
		Value: stockedAMI(name), Modified: c.account.Created,
	}}}
}

// settled is the parameter as it is once its pending value has been decided:
// a copy, so that reading changes nothing.
func (p *parameter) settled(c *call) *parameter {
	if p.Pending == nil || c.now.Before(p.Due) {
		return p
	}
	done := *p
	done.Pending = nil
	if c.imageExists(p.Pending.Value) {
		v := *p.Pending
		v.Modified = p.Due
		done.Versions = append(append([]parameterVersion{}, p.Versions...), v)
	}
	return &done
}

// settleImages decides what is due before an image comes or goes: a value is
// held against the images of its own time, whoever reads it first.
func (c *call) settleImages() {
	for name, p := range c.region.Parameters {
		if p.Pending != nil {
			c.region.Parameters[name] = p.settled(c)
		}
	}
}

// parameterNames lists what exists, sorted. Stocked parameters are without
// number and appear only when asked for by name.
func (c *call) parameterNames() []string {
	names := make([]string, 0, len(c.region.Parameters))
	for name := range c.region.Parameters {
		if c.parameter(name) != nil {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// keep stores a parameter that a write is about to change.
func (c *call) keep(p *parameter) *parameter {
	c.region.Parameters[p.Name] = p
	return p
}

// find resolves "name", "name:version", "name:label" and ARNs of them.
func (c *call) find(id string) (p *parameter, v *parameterVersion, selector string, err error) {
	name := c.parameterName(id)
	name, selector, _ = strings.Cut(name, ":")
	p = c.parameter(name)
	if p == nil {
		return nil, nil, "", &Fail{Code: "ParameterNotFound"}
	}
	if selector == "" {
		return p, p.latest(), "", nil
	}
	n, numErr := strconv.ParseInt(selector, 10, 64)
	for i := range p.Versions {
		v := &p.Versions[i]
		if numErr == nil && v.Number == n {
			return p, v, ":" + selector, nil
		}
		for _, label := range v.Labels {
			if label == selector {
				return p, v, ":" + selector, nil
			}
		}
	}
	if numErr == nil {
		return nil, nil, "", fail("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
	}
	return nil, nil, "", fail("ParameterVersionLabelNotFound", "Systems Manager could not find the label %s of %s. Verify the label and try again.", selector, name)
}

// parameterName turns an ARN into a name; a name stays as it is.
func (c *call) parameterName(id string) string {
	rest, ok := strings.CutPrefix(id, c.arn("ssm", "parameter"))
	if !ok {
		return id
	}
	if strings.Count(rest, "/") == 1 {
		rest = strings.TrimPrefix(rest, "/")
	}
	// A one-level name may or may not begin with a slash; its ARN does not tell.
	if plain, _, _ := strings.Cut(rest, ":"); c.parameter(plain) == nil && c.parameter("/"+plain) != nil {
		return "/" + rest
	}
	return rest
}

func (c *call) parameterARN(name string) string {
	return c.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}

// shown is the value as GetParameter answers it: a SecureString stays
// encrypted unless decryption is asked for.
func (c *call) shown(p *parameter, v *parameterVersion, decrypt bool) string {
	if v.Type == string(types.ParameterTypeSecureString) && !decrypt {
		return "AQICAH" + c.account.hash("ciphertext", p.Name, strconv.FormatInt(v.Number, 10), v.Value)
	}
	return v.Value
}

// secureParameter tells whether {{resolve:ssm-secure:…}} can be resolved.
func (s *Sandbox) secureParameter(r *region, name, version string) bool {
	c := &call{now: s.clock, account: s.account, region: r, sandbox: s}
	if version != "" {
		name += ":" + version
	}
	_, v, _, err := c.find(name)
	return err == nil && v.Type == string(types.ParameterTypeSecureString)
}

// parameterValue is what {{resolve:ssm:…}} and parameter types of templates see.
func (s *Sandbox) parameterValue(r *region, name, version string) (string, bool) {
	c := &call{now: s.clock, account: s.account, region: r, sandbox: s}
	if version != "" {
		name += ":" + version
	}
	_, v, _, err := c.find(name)
	if err != nil || v.Type == string(types.ParameterTypeSecureString) {
		return "", false
	}
	return v.Value, true
}
