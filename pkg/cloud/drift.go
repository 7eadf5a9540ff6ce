package cloud

import (
	"context"
	"errors"
	"maps"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/apply"
	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
)

// The services that a drift read asks by requests of our own.
func alarmsEndpoint() endpoint {
	return endpoint{id: "CloudWatch", signing: "monitoring", version: "2010-08-01"}
}
func groupsEndpoint() endpoint {
	return endpoint{id: "Auto Scaling", signing: "autoscaling", version: "2011-01-01"}
}
func databaseEndpoint() endpoint { return endpoint{id: "RDS", signing: "rds", version: "2014-10-31"} }
func cacheEndpoint() endpoint {
	return endpoint{id: "ElastiCache", signing: "elasticache", version: "2015-02-02"}
}
func scalingEndpoint() endpoint {
	return endpoint{id: "Application Auto Scaling", signing: "application-autoscaling", target: "AnyScaleFrontendService"}
}
func servicesEndpoint() endpoint {
	return endpoint{id: "ECS", signing: "ecs", target: "AmazonEC2ContainerServiceV20141113"}
}

// WithResources lists the resources of the deployments that need their physical
// ids, a call each, few at a time. The given ones are not written to.
func (c *Cloud) WithResources(ctx context.Context, deployments []plan.Deployment) ([]plan.Deployment, error) {
	out := append([]plan.Deployment(nil), deployments...)
	need := map[string]bool{}
	for _, name := range drift.Unnamed(deployments) {
		need[name] = true
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for i := range out {
		if need[out[i].Stack.Name] {
			g.Go(func() (err error) {
				out[i].Live.Resources, err = c.resources(ctx, out[i].Live.ID)
				return err
			})
		}
	}
	return out, g.Wait()
}

// driftReader reads the resources of some types.
type driftReader struct {
	*Cloud
	mu    sync.Mutex
	found map[drift.Key]drift.Found
}

// Drift reads what AWS has of the subjects, by the page and in batches: groups
// and alarms a hundred, services and parameters ten, launch templates two
// hundred per call; a bucket takes seven. What an account does not let us read
// is in Unread, and no error.
func (c *Cloud) Drift(ctx context.Context, subjects []drift.Subject) (drift.Live, error) {
	r := &driftReader{Cloud: c, found: map[drift.Key]drift.Found{}}
	byType := map[string][]drift.Subject{}
	for _, s := range subjects {
		if _, read := drift.Compared(s.Type); read && s.ID != "" {
			byType[s.Type] = append(byType[s.Type], s)
		}
	}
	live := drift.Live{Found: r.found, Unread: map[string]string{}}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for kind, read := range r.readings() {
		var wanted []drift.Subject
		for _, t := range kind.types() {
			wanted = append(wanted, byType[t]...)
		}
		if len(wanted) == 0 {
			continue
		}
		g.Go(func() error {
			found, err := read(inner, wanted)
			r.mu.Lock()
			defer r.mu.Unlock()
			if denied(err) {
				for _, t := range kind.types() {
					live.Unread[t] = "access denied"
				}
				return nil
			}
			maps.Copy(r.found, found)
			return err
		})
	}
	return live, g.Wait()
}

// family is the types that one reading covers.
type family string

func (f family) types() []string {
	switch f {
	case "rules":
		return []string{"AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
	case "caches":
		return []string{"AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"}
	}
	return []string{string(f)}
}

type reading func(context.Context, []drift.Subject) (map[drift.Key]drift.Found, error)

func (r *driftReader) readings() map[family]reading {
	return map[family]reading{
		"AWS::AutoScaling::AutoScalingGroup":          r.driftGroups,
		"AWS::AutoScaling::ScalingPolicy":             r.driftGroupPolicies,
		"AWS::ApplicationAutoScaling::ScalableTarget": r.driftTargets,
		"AWS::ApplicationAutoScaling::ScalingPolicy":  r.driftPolicies,
		"AWS::EC2::LaunchTemplate":                    r.driftTemplates,
		"AWS::SSM::Parameter":                         r.driftParameters,
		"AWS::ECS::Service":                           r.driftServices,
		"AWS::CloudWatch::Alarm":                      r.driftAlarms,
		"rules":                                       r.driftRules,
		"AWS::S3::Bucket":                             r.driftBuckets,
		"AWS::RDS::DBInstance":                        r.driftDatabases,
		"caches":                                      r.driftCaches,
	}
}

// denied tells whether AWS refuses the read.
func denied(err error) bool {
	var f *apply.Failure
	return errors.As(err, &f) && f.Kind == apply.FailureDenied
}

// every gives each subject what was found under its id, or that it is absent.
func every(subjects []drift.Subject, found map[string]drift.Found) map[drift.Key]drift.Found {
	out := make(map[drift.Key]drift.Found, len(subjects))
	for _, s := range subjects {
		out[s.Key] = found[s.ID]
	}
	return out
}

func ids(subjects []drift.Subject) []string {
	seen := map[string]bool{}
	for _, s := range subjects {
		seen[s.ID] = true
	}
	return sortedKeys(seen)
}
