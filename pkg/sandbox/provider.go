package sandbox

import (
	"context"
	"maps"
	"strings"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// providers are the resource types that do something outside of
// CloudFormation: what a stack makes of them is what the services show.
func (s *Sandbox) providers(r *region) map[string]stackengine.Provider {
	with := func(service string, h handlers) stackengine.Provider {
		p := &provider{s: s, r: r, service: service, handlers: h}
		switch {
		case h.adopt != nil:
			return importer{p}
		case h.settle != nil:
			return waiter{p}
		}
		return p
	}
	return map[string]stackengine.Provider{
		"AWS::AutoScaling::AutoScalingGroup":          with("AutoScaling", groupHandlers()),
		"AWS::AutoScaling::LifecycleHook":             with("AutoScaling", hookHandlers()),
		"AWS::EC2::LaunchTemplate":                    with("Ec2", templateHandlers()),
		"AWS::ECR::Repository":                        with("Ecr", repositoryHandlers()),
		"AWS::ECS::Service":                           with("AmazonECS", serviceHandlers()),
		"AWS::ECS::TaskDefinition":                    with("AmazonECS", taskHandlers()),
		"AWS::Logs::LogGroup":                         with("CloudWatchLogs", logGroupHandlers()),
		"AWS::S3::Bucket":                             with("S3", bucketHandlers()),
		"AWS::SSM::Parameter":                         with("Ssm", parameterHandlers()),
		"AWS::SecretsManager::Secret":                 with("SecretsManager", secretHandlers()),
		"AWS::SecretsManager::SecretTargetAttachment": with("SecretsManager", attachmentHandlers()),
	}
}

// handlers are what one resource type does. The call's clock stands at the
// moment of the stack operation.
type handlers struct {
	create func(*call, stackengine.Resource) (stackengine.Physical, error)
	update func(c *call, old, r stackengine.Resource) (stackengine.Physical, error)
	remove func(*call, stackengine.Resource) error
	read   func(*call, stackengine.Resource) (map[string]any, error)
	// settle tells when to look again whether the thing is stable; nil where the
	// usual time is enough.
	settle func(*call, stackengine.Resource) (time.Time, error)
	// adopt marks an existing thing as the stack's; nil where none can be imported.
	adopt func(*call, stackengine.Resource) (stackengine.Physical, error)
}

// provider connects handlers to the engine.
type provider struct {
	s        *Sandbox
	r        *region
	service  string // as error texts name it
	handlers handlers
}

func (p *provider) call(ctx context.Context) *call {
	return &call{ctx: ctx, now: p.s.clock, account: p.s.account, region: p.r, sandbox: p.s}
}

// Create implements stackengine.Provider.
func (p *provider) Create(ctx context.Context, r stackengine.Resource) (stackengine.Physical, error) {
	ph, err := p.handlers.create(p.call(ctx), r)
	return ph, p.refusal(r, err)
}

// Update implements stackengine.Provider.
func (p *provider) Update(ctx context.Context, old, r stackengine.Resource) (stackengine.Physical, error) {
	ph, err := p.handlers.update(p.call(ctx), old, r)
	return ph, p.refusal(r, err)
}

// Delete implements stackengine.Provider.
func (p *provider) Delete(ctx context.Context, r stackengine.Resource) error {
	return p.refusal(r, p.handlers.remove(p.call(ctx), r))
}

// Read implements stackengine.Provider.
func (p *provider) Read(ctx context.Context, r stackengine.Resource) (map[string]any, error) {
	m, err := p.handlers.read(p.call(ctx), r)
	return m, p.refusal(r, err)
}

// importer is a provider whose things can be imported.
type importer struct{ *provider }

var _ stackengine.Importer = importer{}

// Import implements stackengine.Importer.
func (p importer) Import(ctx context.Context, r stackengine.Resource) (stackengine.Physical, error) {
	ph, err := p.handlers.adopt(p.call(ctx), r)
	return ph, p.refusal(r, err)
}

// waiter is a provider whose things become stable in their own time.
type waiter struct{ *provider }

var _ stackengine.Waiter = waiter{}

// Settle implements stackengine.Waiter.
func (p waiter) Settle(ctx context.Context, r stackengine.Resource) (time.Time, error) {
	at, err := p.handlers.settle(p.call(ctx), r)
	return at, p.refusal(r, err)
}

// ownTags are the tags that AWS itself puts on what comes into a stack; an
// import leaves the others alone.
func ownTags(have map[string]string, r stackengine.Resource) map[string]string {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range r.Tags {
		if strings.HasPrefix(k, "aws:") {
			out[k] = v
		}
	}
	return out
}

// refusal turns a service's refusal into the handler's.
func (p *provider) refusal(r stackengine.Resource, err error) error {
	return asRefusal(p.service, r, err)
}

// handlerCode is the handler's word for a service's code.
func handlerCode(code string) string {
	switch {
	case strings.Contains(code, "AlreadyExists"), strings.Contains(code, "Exists"), strings.Contains(code, "AlreadyOwned"):
		return "AlreadyExists"
	case strings.Contains(code, "NotFound"), strings.HasPrefix(code, "NoSuch"), strings.Contains(code, "NonExistent"):
		return "NotFound"
	case strings.Contains(code, "InUse"), code == "DeleteConflict", code == "BucketNotEmpty", strings.Contains(code, "Conflict"):
		return "ResourceConflict"
	case strings.Contains(code, "AccessDenied"):
		return "AccessDenied"
	case strings.Contains(code, "LimitExceeded"):
		return "ServiceLimitExceeded"
	}
	return "InvalidRequest"
}

// nameOr is the explicit name, or the one that CloudFormation generates.
func nameOr(r stackengine.Resource, property string) string {
	if n := props(r.Properties).text(property); n != "" {
		return n
	}
	return r.GeneratedName
}

// allTags are a resource's tags: the stack's, then its own.
func allTags(r stackengine.Resource) map[string]string {
	out := map[string]string{}
	for k, v := range r.Tags {
		out[k] = v
	}
	p := props(r.Properties)
	for k, v := range p.tags("Tags") {
		out[k] = v
	}
	for k := range p.sub("Tags") { // the map form
		out[k] = p.sub("Tags").text(k)
	}
	return out
}

// shownProperties are the template's properties with what may differ live.
func shownProperties(r stackengine.Resource, live map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range r.Properties {
		out[k] = v
	}
	for k, v := range live {
		if _, declared := out[k]; declared || v != nil {
			out[k] = v
		}
	}
	return out
}
