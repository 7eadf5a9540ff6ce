package apply

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
)

func TestSettle(t *testing.T) {
	f := newFake()
	var all []plan.LiveStack
	add := func(name, token, running, end string) {
		s := f.deploy(name, owner, topic("x"))
		if running != "" {
			f.begin(s, token, running, func() { s.Status = end })
		}
		all = append(all, s.LiveStack)
	}
	add("bp-ours", "rc-1", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
	add("bp-deleted", "by-hand", "DELETE_IN_PROGRESS", "DELETE_COMPLETE")
	add("bp-theirs", "by-hand", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
	add("bp-idle", "", "", "")
	progress := map[string]bool{}
	waited, err := Settle(context.Background(), all, owner, f, func(e Event) {
		if e.Type == EventStepProgress {
			progress[e.Target] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bp-deleted", "bp-ours"}, waited); diff != "" || len(progress) != 2 {
		t.Errorf("waited for (-want +got):\n%s progress of %v", diff, progress)
	}
	if s := f.find("bp-theirs"); s.next == nil {
		t.Error("somebody else's operation was waited for")
	}
	if mutations(f) > 0 {
		t.Errorf("%d writes", mutations(f))
	}
}

func TestSettleStops(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("x"))
	f.begin(s, "rc-1", "UPDATE_IN_PROGRESS", func() {})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Settle(ctx, []plan.LiveStack{s.LiveStack}, owner, f, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	f.queue = nil
	f.before = once(OpReadStack, Failure{Code: "AccessDenied", Kind: FailureDenied})
	var denied *Failure
	if _, err := Settle(context.Background(), []plan.LiveStack{s.LiveStack}, owner, f, nil); !errors.As(err, &denied) {
		t.Errorf("error %v", err)
	}
}
