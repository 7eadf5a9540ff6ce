package plan

import "fmt"

const bucketType = "AWS::S3::Bucket"

// LockPrefix is where the lock is in this program's own bucket.
const LockPrefix = "lock/"

// emptyings plan that the buckets which a destroy names lose all that they
// hold, just before the deletion: AWS deletes no bucket that holds something.
// Each needs every consent that the deletion needs. The lock is the last thing
// that goes from this program's own bucket, after everything else of the run.
func (c *computation) emptyings(d *doomed, base string, approvals []Approval, after []StepID) (ids []StepID) {
	live := d.live
	for _, id := range d.named {
		r, there := live.Resources[id]
		if live.Template.Resources[id].Type != bucketType || !there || r.PhysicalID == "" || r.Status == "DELETE_COMPLETE" {
			continue
		}
		step := Step{
			ID: ID(KindObjects, r.PhysicalID), Kind: KindObjects, Target: r.PhysicalID, Action: ActionDelete, Base: base, Source: d.source,
			Body:      Body{Bucket: &BucketBody{Name: r.PhysicalID, Stack: live.Name, StackID: live.ID}},
			Approvals: approvals,
			Reason:    fmt.Sprintf("AWS deletes no bucket that holds something, and %s/%s is not to be kept", live.Name, id),
			Risk:      "every object of the bucket is lost, with all versions, delete markers and unfinished uploads",
			Rollback:  "none: what is deleted from a bucket is gone",
		}
		if r.PhysicalID == c.d.Own.Bucket {
			step.Body.Bucket.Last = LockPrefix
			step.Risk += "; history and the use of approvals are forgotten, and from the end of this step on there is no lock"
		}
		if d.blocked != nil {
			step.Blocked = d.blocked.blocked()
		}
		c.add(nil, step, after...)
		ids, after, base = append(ids, step.ID), []StepID{step.ID}, BaseAfter(step.ID)
	}
	return ids
}
