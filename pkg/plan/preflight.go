package plan

import (
	"fmt"
	"strings"
)

// lacks finds what a stack's step needs and AWS does not have: all of it, in the
// order in which a person would get it, for a certificate takes longer than
// the images that are missing, too.
func (c *computation) lacks(st *stackState, r *resolver) *problem {
	var all *problem
	for _, p := range []*problem{c.lacksImage(st.spec), c.lacksAMI(st.spec), c.lacksCertificate(st.spec), c.lacksRights(st), c.lacksAudience(st)} {
		switch {
		case p == nil:
		case all == nil:
			all = p
		default:
			all.reason += "; " + p.reason
			all.command += " && " + p.command
		}
	}
	if all == nil {
		return r.problem()
	}
	return all
}

func (c *computation) lacksAMI(s *Stack) *problem {
	for _, f := range c.fleets[s.Name] {
		if f.AMIParameter == "" {
			continue
		}
		if v, planned := c.values[f.AMIParameter]; planned && v.known {
			continue
		}
		build := "reconcile ami build " + f.ID
		p, ok := c.l.Parameters[f.AMIParameter]
		switch {
		case !ok:
			return &problem{code: "ami-missing", target: f.ID, command: build,
				reason: fmt.Sprintf("fleet %s has no AMI yet: parameter %s does not exist; a build writes it", f.ID, f.AMIParameter)}
		case !strings.HasPrefix(p.Value, "ami-"):
			return &problem{code: "ami-invalid", target: f.ID, command: build,
				reason: fmt.Sprintf("fleet %s: parameter %s holds no AMI id", f.ID, f.AMIParameter)}
		}
	}
	return nil
}

func (c *computation) lacksImage(s *Stack) *problem {
	var names, pushes []string
	for _, i := range c.d.Images {
		if i.Stack != s.Name || c.l.Images[imageKey(i)].Exists {
			continue
		}
		names = append(names, imageKey(i))
		pushes = append(pushes, "docker push "+c.registry()+"/"+imageKey(i))
	}
	if names == nil {
		return nil
	}
	return &problem{code: "image-missing", target: s.Name,
		reason: fmt.Sprintf("stack %s starts services whose images are not in ECR: %s; build and push them, or run the workflow that does",
			s.Name, strings.Join(names, ", ")),
		command: strings.Join(pushes, " && ")}
}

// registry is the account's ECR host.
func (c *computation) registry() string {
	t := c.d.Target
	suffix := "amazonaws.com"
	if strings.HasPrefix(t.Region, "cn-") {
		suffix += ".cn"
	}
	return t.Account + ".dkr.ecr." + t.Region + "." + suffix
}

func (c *computation) lacksCertificate(s *Stack) *problem {
	want := c.d.Certificate
	if want == nil || want.Stack != s.Name {
		return nil
	}
	describe := "aws acm describe-certificate --certificate-arn " + want.ARN
	live := c.l.Certificates[want.ARN]
	switch {
	case !live.Exists:
		return &problem{code: "certificate-missing", target: want.ARN,
			reason:  fmt.Sprintf("certificate %s does not exist", want.ARN),
			command: "aws acm request-certificate --validation-method DNS --domain-name " + orElse(want.Domain, "…")}
	case live.Status != "ISSUED":
		return &problem{code: "certificate-not-issued", target: want.ARN, command: describe,
			reason: fmt.Sprintf("certificate %s is %s; its DNS record must be there before it is issued", want.ARN, live.Status)}
	case want.Domain != "" && live.Domain != "" && !covers(live, want.Domain):
		return &problem{code: "certificate-domain", target: want.ARN, command: describe,
			reason: fmt.Sprintf("certificate %s is for %s and does not cover %s", want.ARN, live.Domain, want.Domain)}
	}
	return nil
}

// covers tells whether a certificate is good for a host name. A wildcard
// stands for one label.
func covers(live LiveCertificate, host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for _, name := range append([]string{live.Domain}, live.SANs...) {
		if strings.EqualFold(name, host) || strings.EqualFold(name, "*."+parent) {
			return true
		}
	}
	return false
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// strangers tells of fleets that AWS knows and the specs do not, and of fleets
// that are new and need a row in the backend's database.
func (c *computation) strangers() {
	known := map[string]bool{}
	for _, f := range c.d.Fleets {
		known[f.ID] = true
	}
	prefix := fleetPath(c.d.Target)
	for _, name := range sortedKeys(c.l.Parameters) {
		rest, ok := strings.CutPrefix(name, prefix)
		id, isConfig := strings.CutSuffix(rest, "/desired_config")
		if !ok || !isConfig || strings.Count(id, "/") != 1 || known[id] {
			continue
		}
		c.find(Finding{Severity: SeverityNote, Code: "fleet-unmanaged", Target: id,
			Message: fmt.Sprintf("fleet %s is in SSM and not in the specs; it is left alone", id),
			Command: "reconcile destroy --fleet " + id})
	}
}

// backendRows reminds of what only the backend can do for a new fleet.
func (c *computation) backendRows() {
	for _, f := range c.d.Fleets {
		if s := c.steps[ID(KindStack, f.Stack)]; s != nil && s.Action == ActionCreate {
			c.find(Finding{Severity: SeverityNote, Code: "backend-row", Target: f.ID, Source: f.Source,
				Message: fmt.Sprintf("fleet %s is new: the backend needs a row of its own for it, made in its Admin UI, before it gives the fleet jobs", f.ID)})
		}
	}
}
