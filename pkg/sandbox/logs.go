package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func logsOperations() map[string]operation {
	return map[string]operation{
		"CreateLogGroup":        writes(createLogGroup),
		"DeleteLogGroup":        writes(deleteLogGroup),
		"DeleteRetentionPolicy": writes(deleteRetentionPolicy),
		"PutRetentionPolicy":    writes(putRetentionPolicy),
		"TagResource":           writes(tagLogGroup),
		"UntagResource":         writes(untagLogGroup),

		"CreateLogStream":    docWrites(createLogStream),
		"DeleteLogStream":    docWrites(deleteLogStream),
		"DescribeLogStreams": docReads(describeLogStreams),
		"PutLogEvents":       docWrites(putLogEvents),
		"GetLogEvents":       docReads(getLogEvents),
		"FilterLogEvents":    docReads(filterLogEvents),

		"DescribeLogGroups":   reads(describeLogGroups),
		"ListTagsForResource": reads(listLogGroupTags),
	}
}

// logGroup is a CloudWatch log group; Retention 0 never expires.
type logGroup struct {
	Name      string            `json:"name"`
	Created   time.Time         `json:"created"`
	Retention int32             `json:"retention,omitempty"`
	Class     string            `json:"class,omitempty"`
	KeyID     string            `json:"key,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Stack     string            `json:"stack,omitempty"` // ARN of the stack that made it

	Streams map[string]*logStream `json:"streams,omitempty"`
}

var logGroupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]+$`)

// retentionDays are the values that PutRetentionPolicy takes.
var retentionDays = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func checkRetention(days int32) error {
	if slices.Contains(retentionDays, days) {
		return nil
	}
	return fail("InvalidParameterException", "1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]", days)
}

func checkLogGroupName(name string) error {
	if len(name) <= 512 && logGroupName.MatchString(name) {
		return nil
	}
	return fail("InvalidParameterException", "1 validation error detected: Value '%.80s' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+", name)
}

func (c *call) logGroup(name string) (*logGroup, error) {
	if g := c.region.LogGroups[name]; g != nil {
		return g, nil
	}
	return nil, fail("ResourceNotFoundException", "The specified log group does not exist.")
}

func (c *call) logGroupARN(name string) string { return c.arn("logs", "log-group:"+name) }

func createLogGroup(c *call, in *cloudwatchlogs.CreateLogGroupInput) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	name := aws.ToString(in.LogGroupName)
	if err := checkLogGroupName(name); err != nil {
		return nil, err
	}
	if c.region.LogGroups[name] != nil {
		return nil, fail("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	c.region.LogGroups[name] = &logGroup{Name: name, Created: c.now, Class: string(in.LogGroupClass), KeyID: aws.ToString(in.KmsKeyId), Tags: in.Tags}
	return &cloudwatchlogs.CreateLogGroupOutput{}, nil
}

func putRetentionPolicy(c *call, in *cloudwatchlogs.PutRetentionPolicyInput) (*cloudwatchlogs.PutRetentionPolicyOutput, error) {
	if err := checkRetention(aws.ToInt32(in.RetentionInDays)); err != nil {
		return nil, err
	}
	g, err := c.logGroup(aws.ToString(in.LogGroupName))
	if err != nil {
		return nil, err
	}
	g.Retention = *in.RetentionInDays
	return &cloudwatchlogs.PutRetentionPolicyOutput{}, nil
}

func deleteRetentionPolicy(c *call, in *cloudwatchlogs.DeleteRetentionPolicyInput) (*cloudwatchlogs.DeleteRetentionPolicyOutput, error) {
	g, err := c.logGroup(aws.ToString(in.LogGroupName))
	if err != nil {
		return nil, err
	}
	g.Retention = 0
	return &cloudwatchlogs.DeleteRetentionPolicyOutput{}, nil
}

func deleteLogGroup(c *call, in *cloudwatchlogs.DeleteLogGroupInput) (*cloudwatchlogs.DeleteLogGroupOutput, error) {
	g, err := c.logGroup(aws.ToString(in.LogGroupName))
	if err != nil {
		return nil, err
	}
	delete(c.region.LogGroups, g.Name)
	return &cloudwatchlogs.DeleteLogGroupOutput{}, nil
}

func describeLogGroups(c *call, in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, fail("InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	limit := int32(50)
	set(&limit, in.Limit)
	if limit < 1 || limit > 50 {
		return nil, fail("InvalidParameterException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50", limit)
	}
	var names []string
	for _, name := range sortedKeys(c.region.LogGroups) {
		if strings.HasPrefix(name, aws.ToString(in.LogGroupNamePrefix)) && strings.Contains(name, aws.ToString(in.LogGroupNamePattern)) && c.identified(name, in.LogGroupIdentifiers) {
			names = append(names, name)
		}
	}
	names, next, err := page(names, func(s string) string { return s }, in.NextToken, int(limit))
	if err != nil {
		return nil, fail("InvalidParameterException", "The specified nextToken is invalid.")
	}
	out := &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: []types.LogGroup{}, NextToken: next}
	for _, name := range names {
		g := c.region.LogGroups[name]
		lg := types.LogGroup{
			LogGroupName: &g.Name, CreationTime: aws.Int64(g.Created.UnixMilli()), MetricFilterCount: aws.Int32(0), StoredBytes: aws.Int64(0),
			Arn: aws.String(c.logGroupARN(name) + ":*"), LogGroupArn: aws.String(c.logGroupARN(name)), LogGroupClass: types.LogGroupClassStandard, KmsKeyId: text(g.KeyID),
		}
		if g.Retention != 0 {
			lg.RetentionInDays = &g.Retention
		}
		if g.Class != "" {
			lg.LogGroupClass = types.LogGroupClass(g.Class)
		}
		out.LogGroups = append(out.LogGroups, lg)
	}
	return out, nil
}

func (c *call) identified(name string, ids []string) bool {
	return len(ids) == 0 || slices.Contains(ids, name) || slices.Contains(ids, c.logGroupARN(name))
}

// byARN finds the group of a tagging call; both forms of its ARN are in use.
func (c *call) byARN(arn *string) (*logGroup, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(arn), c.logGroupARN("")), ":*")
	g, err := c.logGroup(name)
	if err != nil {
		return nil, err
	}
	makeMap(&g.Tags)
	return g, nil
}

func tagLogGroup(c *call, in *cloudwatchlogs.TagResourceInput) (*cloudwatchlogs.TagResourceOutput, error) {
	g, err := c.byARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for k, v := range in.Tags {
		g.Tags[k] = v
	}
	return &cloudwatchlogs.TagResourceOutput{}, nil
}

func untagLogGroup(c *call, in *cloudwatchlogs.UntagResourceInput) (*cloudwatchlogs.UntagResourceOutput, error) {
	g, err := c.byARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(g.Tags, k)
	}
	return &cloudwatchlogs.UntagResourceOutput{}, nil
}

func listLogGroupTags(c *call, in *cloudwatchlogs.ListTagsForResourceInput) (*cloudwatchlogs.ListTagsForResourceOutput, error) {
	g, err := c.byARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.ListTagsForResourceOutput{Tags: g.Tags}, nil
}
