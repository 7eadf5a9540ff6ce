package sandbox_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// A quota refuses with AWS's code, and one that is raised is stated.
func TestQuotas(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Options{Quotas: sandbox.Quotas{Stacks: 6000, Groups: 1, Parameters: 2}})
	c := ssmClient(s)
	for i := range 2 {
		must[*ssm.PutParameterOutput](t)(c.PutParameter(t.Context(), put(fmt.Sprint("/p/", i), "v")))
	}
	_, err := c.PutParameter(t.Context(), put("/p/2", "v"))
	wantCode(t, err, "ParameterLimitExceeded")
	clk := newClock()
	grouped := open(t, sandbox.Options{Now: clk.now, Quotas: sandbox.Quotas{Groups: 1}})
	st := newStacks(t, grouped, clk)
	for i, want := range []string{"CREATE_COMPLETE", "ROLLBACK_COMPLETE"} {
		name := fmt.Sprint("fleet-", i)
		if _, err := st.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String(oneFleet(t, name))}); err != nil {
			t.Fatal(err)
		}
		if got := st.settle(name); string(got.StackStatus) != want {
			t.Errorf("%s is %s, want %s", name, got.StackStatus, want)
		}
	}
	var out bytes.Buffer
	if err := s.Show(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"stacks", "6000 a region (a new AWS account has 2000)", "2 a region (a new AWS account has 10000)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not stated: %q\n%s", want, out.String())
		}
	}
}
