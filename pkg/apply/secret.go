package apply

import "fmt"

// startSecret writes a first value into a secret that has none:
//
//	read → has a value? → write
//
// A value that is there is never replaced, whoever wrote it.
func startSecret(t *task) {
	body := *t.step.Body.Secret
	read := func(then state) { t.send(Request{Op: OpReadSecret, Name: body.Name}, then) }
	read(func(r Response) {
		switch {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			t.failed("read secret "+body.Name, r.Err)
		case r.Secret == nil:
			t.refuse(fmt.Sprintf("secret %s does not exist", body.Name), planCommand)
		case r.Secret.Deleting:
			t.refuse(fmt.Sprintf("secret %s is scheduled for deletion", body.Name),
				"aws secretsmanager restore-secret --secret-id "+body.Name)
		case r.Secret.HasCurrent:
			t.done("has a value already")
		default:
			token := t.stepToken() + digest(t.e.opts.PlanDigest, string(t.step.ID), r.Secret.ARN, "first value")[:32]
			t.operate("the first value of secret "+body.Name, Request{Op: OpPutSecret, Name: body.Name, Token: token, Secret: &body}, func(r Response) {
				if r.Err == nil {
					t.done("")
					return
				}
				f := r.Err
				read(func(r Response) { // the answer may be lost, or another writer was first
					if r.Err == nil && r.Secret != nil && r.Secret.HasCurrent {
						t.done("has a value now")
						return
					}
					t.failed("write the first value of secret "+body.Name, f)
				})
			})
		}
	})
}
