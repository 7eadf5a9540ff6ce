package cloud

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
)

const account = "123456789012"

func identity(id string) func(ask) answer {
	return always(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>` + id + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

// D13: nothing is asked of an account that is not the specs'.
func TestWrongAccountIsAskedNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		account, region string
	}{
		"account": {"210987654321", "us-east-1"},
		"region":  {account, "eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{"GetCallerIdentity": identity(tt.account)}, func(o *Options) { o.Region = tt.region })
			d := plan.Desired{Target: plan.Target{Platform: "bp", Account: account, Region: "us-east-1"}}
			got, err := c.Read(t.Context(), d, plan.Selection{})
			if diff := cmp.Diff(plan.Live{Account: tt.account, Region: tt.region}, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			destroy, err := c.ReadDestroy(t.Context(), d, plan.DestroyOptions{})
			if diff := cmp.Diff(got, destroy); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if len(w.calls) != 2 {
				t.Errorf("calls %v", w.calls)
			}
		})
	}
}

func TestPages(t *testing.T) {
	listing := func(next func(n int) string) error {
		n := 0
		return pages(func(*string) (*string, error) {
			n++
			s := next(n)
			return &s, nil
		})
	}
	if err := listing(func(n int) string { return map[bool]string{true: "t" + strconv.Itoa(n)}[n < 40] }); err != nil {
		t.Errorf("40 pages: %v", err)
	}
	if err := listing(func(n int) string { return "t" + strconv.Itoa(n%2) }); !errors.Is(err, errPageRepeats) {
		t.Errorf("a token that comes back: %v", err)
	}
	if err := listing(strconv.Itoa); !errors.Is(err, errPagesNoEnd) {
		t.Errorf("pages without end: %v", err)
	}
}

// One missing tag fails a whole DescribeImages.
func TestImages(t *testing.T) {
	has := map[string]string{"php-latest": "sha256:p"}
	describe := func(a ask) answer {
		var details []string
		for _, id := range a.json["imageIds"].([]any) {
			tag := id.(map[string]any)["imageTag"].(string)
			digest, ok := has[tag]
			if !ok {
				return refuseJSON("ImageNotFoundException", "The image with imageId {imageTag:'"+tag+"'} does not exist")
			}
			details = append(details, `{"imageDigest":"`+digest+`","imageTags":["`+tag+`","other"]}`)
		}
		return answer{body: `{"imageDetails":[` + strings.Join(details, ",") + `]}`}
	}
	for name, tt := range map[string]struct {
		tags   []string
		answer func(ask) answer
		want   map[string]plan.LiveImage
		calls  int
	}{
		"all there":        {[]string{"php-latest"}, describe, map[string]plan.LiveImage{"php-latest": {Exists: true, Digest: "sha256:p"}}, 1},
		"one missing":      {[]string{"nginx-latest", "php-latest"}, describe, map[string]plan.LiveImage{"nginx-latest": {}, "php-latest": {Exists: true, Digest: "sha256:p"}}, 3},
		"the only missing": {[]string{"nginx-latest"}, describe, map[string]plan.LiveImage{"nginx-latest": {}}, 1},
		"no repository": {[]string{"a", "b"}, func(ask) answer { return refuseJSON("RepositoryNotFoundException", "no") },
			map[string]plan.LiveImage{"a": {}, "b": {}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := open(t, map[string]func(ask) answer{"DescribeImages": tt.answer})
			got, err := c.images(t.Context(), "bp-backend", tt.tags)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
			if n := w.count("DescribeImages"); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
	c, _ := open(t, map[string]func(ask) answer{"DescribeImages": func(ask) answer { return refuseJSON("AccessDeniedException", "no") }})
	if _, err := c.images(t.Context(), "bp-backend", []string{"a"}); err == nil {
		t.Error("access denied is not an absent image")
	}
}

// E17: a bucket of another account is never asked without saying whose it should be.
func TestAssetExists(t *testing.T) {
	const key = "HEAD /bp-models-123456789012/assets/vae/1"
	for status, want := range map[int]string{200: "true <nil>", 404: "false <nil>", 403: "false 403"} {
		c, _ := open(t, map[string]func(ask) answer{key: func(a ask) answer {
			if got := a.header.Get("X-Amz-Expected-Bucket-Owner"); got != account {
				t.Errorf("owner %q", got)
			}
			return answer{status: status}
		}}, func(o *Options) { o.Endpoint = "https://sandbox.invalid" })
		found, err := c.asset(t.Context(), account, plan.Object{Bucket: "bp-models-123456789012", Key: "assets/vae/1"})
		got := fmt.Sprint(found.Exists, " ", err)
		if err != nil {
			got = fmt.Sprint(found.Exists, " ", status)
		}
		if got != want {
			t.Errorf("status %d: %s, want %s (%v)", status, got, want, err)
		}
	}
}

func TestSecretAndCertificateAndLogGroup(t *testing.T) {
	c, _ := open(t, map[string]func(ask) answer{
		"DescribeSecret": func(a ask) answer {
			if a.str("SecretId") == "none" {
				return refuseJSON("ResourceNotFoundException", "no")
			}
			return answer{body: `{"ARN":"arn:s","VersionIdsToStages":{"a":["AWSPREVIOUS"],"b":["AWSCURRENT"]}}`}
		},
		"DescribeCertificate": func(a ask) answer {
			if a.str("CertificateArn") == "none" {
				return refuseJSON("ResourceNotFoundException", "no")
			}
			return answer{body: `{"Certificate":{"Status":"PENDING_VALIDATION","DomainName":"app.example.com","SubjectAlternativeNames":["app.example.com","x.example.com"]}}`}
		},
		"DescribeLogGroups": always(`{"logGroups":[{"logGroupName":"/gpu-workers/a","retentionInDays":7},{"logGroupName":"/gpu-workers/ab"},{"logGroupName":"/gpu-workers/c"}]}`),
	})
	ctx := t.Context()
	secret, err := c.secret(ctx, "s")
	if diff := cmp.Diff(&plan.LiveSecret{ARN: "arn:s", HasCurrent: true, Versions: 2}, secret); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if secret, err = c.secret(ctx, "none"); err != nil || secret != nil {
		t.Errorf("%v %v", secret, err)
	}
	cert, err := c.certificate(ctx, "arn:c")
	want := plan.LiveCertificate{Exists: true, Status: "PENDING_VALIDATION", Domain: "app.example.com", SANs: []string{"app.example.com", "x.example.com"}}
	if diff := cmp.Diff(want, cert); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if cert, err = c.certificate(ctx, "none"); err != nil || cert.Exists {
		t.Errorf("%+v %v", cert, err)
	}
	groups, err := c.logGroups(ctx, []string{"/gpu-workers/a", "/gpu-workers/ab", "/gpu-workers/b"})
	if diff := cmp.Diff(map[string]plan.LiveLogGroup{"/gpu-workers/a": {RetentionDays: 7}, "/gpu-workers/ab": {}}, groups); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// The bound of an unchanged plan: one STS call, the pages of the stack list,
// ⌈names/10⌉ (the revision applied last among them) + ⌈groups/100⌉, and the named extras: one DescribeStacks for the
// stack that others refer to, the listing of the fleets' parameters and the
// pages of launch templates. The count is exact, so that one call more fails.
func TestCallBoundOfAnUnchangedPlan(t *testing.T) {
	up := func(n, size int) int { return (n + size - 1) / size }
	for _, n := range []int{1, 100, 1000, 5000} {
		t.Run(fmt.Sprintf("%d fleets", n), func(t *testing.T) {
			if n > 1000 && testing.Short() {
				t.Skip("5,000 fleets take seconds")
			}
			synctest.Test(t, func(t *testing.T) {
				f := newFleetAccount(t, n)
				c, w := open(t, f.handlers())
				live, err := c.Read(t.Context(), f.d, plan.Selection{})
				if err != nil {
					t.Fatal(err)
				}
				templates := up(n, 200)
				if n <= fewLaunchTemplates {
					templates = n
				}
				want := map[string]int{
					"GetCallerIdentity": 1, "ListStacks": up(n+1, stacksPerPage), "GetParameters": up(3*n+1, 10),
					"DescribeAutoScalingGroups": up(n, 100), "DescribeStacks": 1,
					"DescribeParameters": up(2*n, 50), "DescribeLaunchTemplateVersions": templates,
				}
				got := map[string]int{}
				bound, total := 0, 0
				for _, s := range c.Stats() {
					got[s.Operation] = s.Calls
					total += s.Calls
				}
				for _, calls := range want {
					bound += calls
				}
				if diff := cmp.Diff(want, got); diff != "" || total != len(w.calls) {
					t.Errorf("%d calls on the wire; (-want +got)\n%s", len(w.calls), diff)
				}
				t.Logf("%d fleets: %d calls, bound %d", n, total, bound)
				if len(live.Stacks) != n+1 || len(live.Groups) != n || len(live.LaunchTemplates) != n || len(live.Parameters) != 3*n+1 {
					t.Errorf("live has %d stacks, %d groups, %d launch templates, %d parameters", len(live.Stacks), len(live.Groups), len(live.LaunchTemplates), len(live.Parameters))
				}
				p, err := plan.Compute(f.d, live, plan.Options{})
				if err != nil || !p.Empty() || len(p.Findings) > 0 {
					t.Errorf("the plan of an unchanged account has %d steps and findings %+v, %v", len(p.Steps), p.Findings, err)
				}
			})
		})
	}
}

// Whose operation runs is read for the stacks that concern us, and for no other.
func TestReadSaysWhoseOperationRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetAccount(t, 1)
		busy := func(s string) string { return strings.Replace(s, "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", 1) }
		f.stacks[1] = busy(f.stacks[1])
		f.stacks = append(f.stacks, busy(strings.ReplaceAll(stackXML("somebody-elses", "arn:aws:cloudformation:us-east-1:123456789012:stack/somebody-elses/id", "CREATE_COMPLETE", ""), "owner=bp", "owner=other")))
		h := f.handlers()
		h["GetTemplate"] = always(query("GetTemplate", `<TemplateBody>{"Resources":{}}</TemplateBody>`))
		h["ListStackResources"] = always(query("ListStackResources", ""))
		h["DescribeStackEvents"] = func(a ask) answer {
			return answer{body: query("DescribeStackEvents", "<StackEvents><member><EventId>1</EventId><StackId>x</StackId><StackName>x</StackName><Timestamp>2026-11-23T10:00:00Z</Timestamp><ClientRequestToken>rc-7</ClientRequestToken></member></StackEvents>")}
		}
		c, w := open(t, h)
		live, err := c.Read(t.Context(), f.d, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, s := range live.Stacks {
			got[name] = s.Token
		}
		want := map[string]string{"bp-network": "", "bp-gpu-fleet-staging-f00000": "rc-7", "somebody-elses": ""}
		if diff := cmp.Diff(want, got); diff != "" || w.count("DescribeStackEvents") != 1 {
			t.Errorf("%d event reads (-want +got)\n%s", w.count("DescribeStackEvents"), diff)
		}
	})
}

// A stack whose digest differs is read whole, in the second phase only.
func TestReadLooksCloserWhereTheDigestDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleetAccount(t, 3)
		name := f.d.Stacks[2].Name
		f.d.Stacks[2].Template.Resources["Group"].Properties["MaxSize"] = "5"
		h := f.handlers()
		h["GetTemplate"] = always(query("GetTemplate", `<TemplateBody>{"Resources":{"Group":{"Type":"AWS::AutoScaling::AutoScalingGroup"}}}</TemplateBody>`))
		h["ListStackResources"] = func(a ask) answer {
			if a.str("NextToken") == "" {
				return answer{body: query("ListStackResources", `<NextToken>2</NextToken><StackResourceSummaries><member><LogicalResourceId>Group</LogicalResourceId><PhysicalResourceId>asg</PhysicalResourceId><ResourceType>AWS::AutoScaling::AutoScalingGroup</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResourceSummaries>`)}
			}
			return answer{body: query("ListStackResources", `<StackResourceSummaries><member><LogicalResourceId>Template</LogicalResourceId><PhysicalResourceId>lt</PhysicalResourceId><ResourceType>AWS::EC2::LaunchTemplate</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResourceSummaries>`)}
		}
		c, w := open(t, h)
		live, err := c.Read(t.Context(), f.d, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range live.Stacks {
			if (s.Template != nil) != (s.Name == name) || (len(s.Resources) == 2) != (s.Name == name) {
				t.Errorf("%s: template %v, %d resources", s.Name, s.Template, len(s.Resources))
			}
		}
		for op, n := range map[string]int{"GetTemplate": 1, "ListStackResources": 2, "DescribeStacks": 2} {
			if got := w.count(op); got != n {
				t.Errorf("%s: %d calls, want %d", op, got, n)
			}
		}
	})
}
