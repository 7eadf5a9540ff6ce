package stackengine_test

import (
	"encoding/json"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"go.uber.org/goleak"

	"reconcile/pkg/sandbox/stackengine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same seed gives the same account, byte for byte, whoever looks when: five
// samples at once with a failure among them, looked at every second, every
// minute, or only at the end. Another seed gives other ids.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	run := func(seed uint64, every time.Duration) string {
		w := newSampleWorld(t)
		w.e.State.Seed = seed
		w.fail("Policy", stackengine.PhaseCreate, 1, "no capacity")
		for _, file := range []string{"database.yaml", "table.json", "messages.yaml", "function.yaml", "site.yaml"} {
			body := readSample(t, file)
			name := "sample-" + file[:4]
			must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities})
		}
		const hour = time.Hour
		for passed := time.Duration(0); passed < hour; passed += every {
			w.pass(every)
			must[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{})
		}
		raw, err := json.Marshal(w.e.State)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	want := run(7, time.Hour)
	for _, every := range []time.Duration{time.Second, time.Minute} {
		if run(7, every) != want {
			t.Errorf("looked at every %s, the account is another", every)
		}
	}
	if run(8, time.Hour) == want {
		t.Error("another seed gives the same ids")
	}
}
