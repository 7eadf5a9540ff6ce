package sandbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func put(name, value string) *ssm.PutParameterInput {
	return &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString}
}

func TestParameterVersions(t *testing.T) {
	clk := newClock()
	c := ssmClient(open(t, sandbox.Options{Now: clk.now}))
	ctx := t.Context()
	out := must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put("/bp/models/bucket", "one")))
	if out.Version != 1 || out.Tier != types.ParameterTierStandard {
		t.Errorf("first put: %+v", out)
	}
	_, err := c.PutParameter(ctx, put("/bp/models/bucket", "two"))
	wantCode(t, err, "ParameterAlreadyExists")
	var exists *types.ParameterAlreadyExists
	if !errors.As(err, &exists) {
		t.Errorf("%T is not the SDK's own error type", err)
	}
	clk.pass(time.Hour)
	in := put("/bp/models/bucket", "two")
	in.Overwrite, in.Type = aws.Bool(true), ""
	if out := must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in)); out.Version != 2 {
		t.Errorf("second put: version %d", out.Version)
	}
	got := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")}))
	want := &types.Parameter{
		ARN: aws.String("arn:aws:ssm:us-east-1:123456789012:parameter/bp/models/bucket"), DataType: aws.String("text"),
		Name: aws.String("/bp/models/bucket"), Type: types.ParameterTypeString, Value: aws.String("two"), Version: 2,
		LastModifiedDate: aws.Time(clk.now()),
	}
	if d := cmp.Diff(want, got.Parameter, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())); d != "" {
		t.Error(d)
	}
	old := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket:1")}))
	if *old.Parameter.Value != "one" || *old.Parameter.Selector != ":1" {
		t.Errorf("version 1: %s %s", *old.Parameter.Value, *old.Parameter.Selector)
	}
	_, err = c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket:7")})
	wantCode(t, err, "ParameterVersionNotFound")
	hist := must[*ssm.GetParameterHistoryOutput](t)(c.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: aws.String("/bp/models/bucket")}))
	if len(hist.Parameters) != 2 || *hist.Parameters[0].Value != "one" {
		t.Errorf("history: %+v", hist.Parameters)
	}
	must[*ssm.DeleteParameterOutput](t)(c.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String("/bp/models/bucket")}))
	_, err = c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")})
	wantCode(t, err, "ParameterNotFound")
	_, err = c.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String("/bp/models/bucket")})
	wantCode(t, err, "ParameterNotFound")
}

func TestParameterRefusals(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	ctx := t.Context()
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put("/a/plain", "v")))
	long := put("/a/long", strings.Repeat("x", 4097))
	huge := put("/a/huge", strings.Repeat("x", 8193))
	huge.Tier = types.ParameterTierAdvanced
	retype := put("/a/plain", "w")
	retype.Type, retype.Overwrite = types.ParameterTypeSecureString, aws.Bool(true)
	image := put("/a/plain", "ami-1")
	image.DataType, image.Overwrite = aws.String("aws:ec2:image"), aws.Bool(true)
	secureImage := put("/a/image", "ami-1")
	secureImage.DataType, secureImage.Type = aws.String("aws:ec2:image"), types.ParameterTypeSecureString
	badData := put("/a/data", "v")
	badData.DataType = aws.String("TEXT")
	pattern := put("/a/pattern", "v")
	pattern.AllowedPattern = aws.String("^[0-9]+$")
	tagged := put("/a/plain", "v")
	tagged.Overwrite, tagged.Tags = aws.Bool(true), []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	untyped := put("/a/untyped", "v")
	untyped.Type = ""
	for _, tc := range []struct {
		name string
		in   *ssm.PutParameterInput
		code string
	}{
		{"over 4 KB", long, "ValidationException"},
		{"over 8 KB", huge, "ValidationException"},
		{"empty", put("/a/empty", ""), "ValidationException"},
		{"another type", retype, "HierarchyTypeMismatchException"},
		{"another data type", image, "ValidationException"},
		{"image that is secret", secureImage, "ValidationException"},
		{"unknown data type", badData, "ValidationException"},
		{"pattern", pattern, "ParameterPatternMismatchException"},
		{"tags with overwrite", tagged, "ValidationException"},
		{"no type", untyped, "ValidationException"},
		{"relative path", put("a/b", "v"), "ValidationException"},
		{"space", put("/a b", "v"), "ValidationException"},
		{"reserved aws", put("/aws/x", "v"), "AccessDeniedException"},
		{"reserved ssm", put("/SSM/x", "v"), "ValidationException"},
		{"sixteen levels", put(strings.Repeat("/l", 16), "v"), "HierarchyLevelLimitExceededException"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := c.PutParameter(ctx, tc.in)
			wantCode(t, err, tc.code)
		})
	}
	if _, err := c.PutParameter(ctx, put(strings.Repeat("/l", 15), "v")); err != nil {
		t.Errorf("15 levels: %v", err)
	}
	names := make([]string, 11)
	for i := range names {
		names[i] = fmt.Sprint("/n/", i)
	}
	_, err := c.GetParameters(ctx, &ssm.GetParametersInput{Names: names})
	wantCode(t, err, "ValidationException")
}

func TestSecureStringStaysEncrypted(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	ctx := t.Context()
	in := put("/bp/fleets/staging/fleet-secret", "hunter2hunter2")
	in.Type = types.ParameterTypeSecureString
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in))
	get := func(decrypt bool) string {
		out := must[*ssm.GetParametersOutput](t)(c.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{*in.Name}, WithDecryption: &decrypt}))
		return *out.Parameters[0].Value
	}
	if v := get(false); strings.Contains(v, "hunter2") || v != get(false) {
		t.Errorf("without decryption: %q", v)
	}
	if v := get(true); v != "hunter2hunter2" {
		t.Errorf("with decryption: %q", v)
	}
}

func TestGetParametersNamesWhatIsMissing(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{Bare: true}))
	ctx := t.Context()
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put("/here", "v")))
	out := must[*ssm.GetParametersOutput](t)(c.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"/bp/ami/fleets/staging/x", "/here", "/here:9", "/nope"}}))
	if d := cmp.Diff([]string{"/bp/ami/fleets/staging/x", "/here:9", "/nope"}, out.InvalidParameters); d != "" {
		t.Error(d)
	}
	if len(out.Parameters) != 1 || *out.Parameters[0].Name != "/here" {
		t.Errorf("parameters: %+v", out.Parameters)
	}
}

func TestDescribeAndPathPages(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	ctx := t.Context()
	for i := range 120 {
		must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put(fmt.Sprintf("/p/%03d", i), "v")))
	}
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put("/p/deep/er", "v")))
	var sizes []int
	in := &ssm.DescribeParametersInput{MaxResults: aws.Int32(50), ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("BeginsWith"), Values: []string{"/p/"}}}}
	for {
		out := must[*ssm.DescribeParametersOutput](t)(c.DescribeParameters(ctx, in))
		sizes = append(sizes, len(out.Parameters))
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if d := cmp.Diff([]int{50, 50, 21}, sizes); d != "" {
		t.Error(d)
	}
	n, pages := 0, 0
	path := &ssm.GetParametersByPathInput{Path: aws.String("/p")}
	for {
		out := must[*ssm.GetParametersByPathOutput](t)(c.GetParametersByPath(ctx, path))
		n, pages = n+len(out.Parameters), pages+1
		if path.NextToken = out.NextToken; path.NextToken == nil {
			break
		}
	}
	if n != 120 || pages != 12 {
		t.Errorf("one level: %d in %d pages", n, pages)
	}
	_, err := c.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: aws.String("/p"), MaxResults: aws.Int32(11)})
	wantCode(t, err, "ValidationException")
	_, err = c.DescribeParameters(ctx, &ssm.DescribeParametersInput{NextToken: aws.String("junk")})
	wantCode(t, err, "InvalidNextToken")
	for option, want := range map[string]int{"Equals": 1, "BeginsWith": 10, "Contains": 10} {
		out := must[*ssm.DescribeParametersOutput](t)(c.DescribeParameters(ctx, &ssm.DescribeParametersInput{
			ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String(option), Values: []string{map[string]string{"Equals": "/p/007", "BeginsWith": "/p/00", "Contains": "p/00"}[option]}}},
		}))
		if len(out.Parameters) != want {
			t.Errorf("%s: %d parameters, want %d", option, len(out.Parameters), want)
		}
	}
	_, err = c.DescribeParameters(ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Colour"), Values: []string{"red"}}}})
	wantCode(t, err, "InvalidFilterKey")
}

// facts: failure-modes E10. The put answers a version although nothing will be stored.
func TestImageParameterIsValidatedLater(t *testing.T) {
	clk := newClock()
	c := ssmClient(open(t, sandbox.Options{Now: clk.now}))
	ctx := t.Context()
	stock := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/ami/fleets/staging/gpu-default")})).Parameter
	if *stock.DataType != "aws:ec2:image" || !strings.HasPrefix(*stock.Value, "ami-") || stock.Version != 1 {
		t.Fatalf("stocked parameter: %+v", stock)
	}
	other := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/ami/fleets/staging/other")})).Parameter
	version := func() int64 {
		return must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: stock.Name})).Parameter.Version
	}
	write := func(ami string) int64 {
		in := put(*stock.Name, ami)
		in.Overwrite = aws.Bool(true)
		return must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in)).Version
	}
	if v := write("ami-0123456789abcdef0"); v != 2 {
		t.Errorf("answered version %d", v)
	}
	if _, err := c.PutParameter(ctx, &ssm.PutParameterInput{Name: stock.Name, Value: other.Value, Overwrite: aws.Bool(true)}); err == nil {
		t.Error("a second write during validation was accepted")
	} else {
		wantCode(t, err, "TooManyUpdates")
	}
	clk.pass(time.Minute)
	if v := version(); v != 1 {
		t.Errorf("a bad AMI was stored as version %d", v)
	}
	write(*other.Value)
	if v := version(); v != 1 {
		t.Errorf("a good AMI was stored before it was validated: version %d", v)
	}
	clk.pass(time.Minute)
	if v := version(); v != 2 {
		t.Errorf("a good AMI was not stored: version %d", v)
	}
}

// The image is looked at when it is due, and by nobody's reading later: one that
// goes afterwards stays in the parameter.
func TestImageParameterKeepsAnImageThatGoes(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	c := ssmClient(box)
	ctx, name := t.Context(), aws.String("/bp/ami/fleets/staging/gpu-default")
	other := stockedAMI(t, box, "/bp/ami/fleets/staging/other")
	in := put(*name, other)
	in.Overwrite = aws.Bool(true)
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in))
	clk.pass(time.Minute)
	if status, body := raw(t, box, "ec2", "DeregisterImage", "ImageId="+other); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: name})).Parameter; got.Version != 2 || *got.Value != other {
		t.Errorf("version %d, %s", got.Version, *got.Value)
	}
	// What a filter names is listed, and what is gone is no error there.
	stock := stockedAMI(t, box, "/bp/ami/fleets/production/gpu-default")
	_, body := raw(t, box, "ec2", "DescribeImages", "Filter.1.Name=image-id&Filter.1.Value.1="+stock+"&Filter.1.Value.2="+other)
	if !strings.Contains(body, "<imageId>"+stock) || strings.Contains(body, other) {
		t.Error(body)
	}
}

func TestStockedParameterCanBeDeleted(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	name := aws.String("/bp/ami/fleets/production/x")
	desc := func() int {
		out := must[*ssm.DescribeParametersOutput](t)(c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{
			ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{*name}}}}))
		return len(out.Parameters)
	}
	if desc() != 1 {
		t.Error("a stocked parameter is not described")
	}
	must[*ssm.DeleteParameterOutput](t)(c.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: name}))
	if desc() != 0 {
		t.Error("a deleted stocked parameter came back")
	}
}

// facts: failure-modes E2.
func TestLabelHoldsTheOldestVersion(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	ctx := t.Context()
	in := put("/v", "0")
	in.Overwrite = aws.Bool(true)
	for range 100 {
		must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in))
	}
	lab := must[*ssm.LabelParameterVersionOutput](t)(c.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: in.Name, ParameterVersion: aws.Int64(1), Labels: []string{"good", "1bad"}}))
	if d := cmp.Diff([]string{"1bad"}, lab.InvalidLabels); d != "" {
		t.Error(d)
	}
	_, err := c.PutParameter(ctx, in)
	wantCode(t, err, "ParameterMaxVersionLimitExceeded")
	by := must[*ssm.GetParameterOutput](t)(c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/v:good")}))
	if by.Parameter.Version != 1 {
		t.Errorf("label points to %d", by.Parameter.Version)
	}
	must[*ssm.LabelParameterVersionOutput](t)(c.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: in.Name, Labels: []string{"good"}}))
	if out := must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in)); out.Version != 101 {
		t.Errorf("version %d", out.Version)
	}
	_, err = c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/v:1")})
	wantCode(t, err, "ParameterVersionNotFound")
}

func TestParameterTags(t *testing.T) {
	c := ssmClient(open(t, sandbox.Options{}))
	ctx := t.Context()
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, put("/t", "v")))
	must[*ssm.AddTagsToResourceOutput](t)(c.AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceId: aws.String("/t"), ResourceType: types.ResourceTypeForTaggingParameter,
		Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: aws.String("1")}}}))
	must[*ssm.RemoveTagsFromResourceOutput](t)(c.RemoveTagsFromResource(ctx, &ssm.RemoveTagsFromResourceInput{ResourceId: aws.String("/t"), ResourceType: types.ResourceTypeForTaggingParameter, TagKeys: []string{"b"}}))
	out := must[*ssm.ListTagsForResourceOutput](t)(c.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceId: aws.String("/t"), ResourceType: types.ResourceTypeForTaggingParameter}))
	if len(out.TagList) != 1 || *out.TagList[0].Key != "a" {
		t.Errorf("%+v", out.TagList)
	}
	_, err := c.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceId: aws.String("/none"), ResourceType: types.ResourceTypeForTaggingParameter})
	wantCode(t, err, "InvalidResourceId")
}
