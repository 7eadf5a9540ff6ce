package stacks_test

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/pkg/stacks"
)

// More than AWS's default quotas is said, and no less.
func TestQuotasAreWarnedOf(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		500:  "",
		501:  "501 Auto Scaling groups",
		2000: "2000 Auto Scaling groups; CloudFormation stacks",
	} {
		d, err := stacks.Render(many(n), stacks.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range d.Notes {
			if f.Code == "quota" {
				got = append(got, f.Message)
			}
		}
		said := strings.Join(got, "\n")
		for _, w := range strings.Split(want, "; ") {
			if !strings.Contains(said, w) {
				t.Errorf("%d fleets: %q is not said: %s", n, w, said)
			}
		}
		if want == "" && len(got) > 0 {
			t.Error(fmt.Sprint(n, " fleets: ", said))
		}
	}
}
