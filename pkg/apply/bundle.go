package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// startBundle stores a bundle's assets and its manifest:
//
//	read → stored already? → store
//
// What is stored is named by its content and never written over, so nothing has
// to be guarded, and what an earlier run left half done is gone on with.
func startBundle(t *task) {
	body := *t.step.Body.Bundle
	t.send(Request{Op: OpReadBundle, Bundle: &body}, func(r Response) {
		switch {
		case r.Err != nil:
			t.failed("read the manifest of bundle "+body.Name, r.Err)
		case r.Bundle == nil:
			t.fail("read the manifest of bundle " + body.Name + ": no answer")
		case r.Bundle.Exists && (r.Bundle.Manifest == nil || !body.Manifest.Same(*r.Bundle.Manifest)):
			t.refuse(fmt.Sprintf("bundle %s: a manifest of id %s that says something else was stored meanwhile", body.Name, body.Manifest.BundleID), planCommand)
		case r.Bundle.Exists && t.step.Moved(plan.FingerprintBundle(r.Bundle)):
			t.done("was stored meanwhile")
		default:
			t.half = "stopped; what was stored of the bundle is kept, and its workers still have the one before"
			t.send(Request{Op: OpPutBundle, Bundle: &body}, func(r Response) {
				switch {
				case r.Err != nil && r.Err.Kind == FailureConflict:
					t.refuse(r.Err.Error(), planCommand)
				case r.Err != nil:
					t.failed("store bundle "+body.Name, r.Err)
				default:
					t.done(r.Said)
				}
			})
		}
	})
}
