package cloud_test

import (
	"fmt"
	"testing"

	"reconcile/pkg/sandbox"
)

// Images are read 200 a call, and one that does not exist is an answer: the
// whole bound of what a plan asks of EC2 when images change.
func TestImagesByID(t *testing.T) {
	c, _ := port(t, sandbox.Options{})
	live, err := c.ReadParameters(t.Context(), []string{"/bp/ami/fleets/staging/gpu-default", "/bp/nothing"})
	if err != nil || len(live) != 1 {
		t.Fatal(live, err)
	}
	stocked := live["/bp/ami/fleets/staging/gpu-default"].Value
	ids := []string{stocked}
	for i := range 449 {
		ids = append(ids, fmt.Sprintf("ami-%017x", i))
	}
	found, err := c.ImagesByID(t.Context(), ids)
	if err != nil || len(found) != 450 {
		t.Fatal(len(found), err)
	}
	for id, i := range found {
		if i.Exists() != (id == stocked) {
			t.Errorf("%s: %+v", id, i)
		}
	}
	for _, s := range c.Stats() {
		if s.Operation == "DescribeImages" && (s.Calls != 3 || s.Service != "EC2") {
			t.Errorf("%+v, want 3 calls for 450 images", s)
		}
	}
}
