package spec

import (
	"fmt"
	"strings"
)

// rules is pass 3's second half: what a definition of one document cannot say.
// Each rule is one function with one identifier of its own.
func (l *loader) rules(set *Set) {
	p := &set.Platform
	for _, rule := range []func(*Set, *Platform){
		l.ruleRequires, l.rulePlatformName, l.ruleDomain, l.ruleCertificate, l.ruleBudget,
		l.ruleNetwork, l.ruleZones, l.ruleServices, l.ruleStorage, l.ruleGitHub, l.ruleExceptions, l.ruleApprovals, l.ruleIgnore,
		l.ruleFleets, l.ruleFleetTemplates, l.ruleBundles, l.ruleStackNames,
	} {
		rule(set, p)
	}
	l.stackRules(set)
}

// ruleDynamicReferences refuses {{resolve:…}} in any value: it would read what
// the deploying role may read. It looks at the text as written, so it needs no
// list of fields.
func dynamicReferences(docs []*document) Issues {
	var issues Issues
	for _, d := range docs {
		d.root.visit("", d.root.at, func(path string, _ Source, n *node) {
			if n.kind == nodeText && strings.Contains(n.text, "{{resolve:") {
				issues.add(n.at, path, "dynamic-reference", "holds {{resolve:…}}, which would read a secret or parameter with the deploying role; only templates may")
			}
		})
	}
	return issues
}

func (l *loader) ruleRequires(_ *Set, p *Platform) {
	if p.Requires == "" {
		return
	}
	if _, err := parseConstraint(p.Requires); err != nil {
		l.issues.add(p.At("spec.requires"), "spec.requires", "requires", err.Error())
	}
}

func (l *loader) rulePlatformName(_ *Set, p *Platform) {
	for _, reserved := range []struct{ prefix, why string }{
		{"aws", "parameter names must not begin with it"},
		{"ssm", "parameter names must not begin with it"},
		{"xn--", "bucket names must not begin with it"},
		{"sthree-", "bucket names must not begin with it"},
		{"amzn-s3-demo-", "bucket names must not begin with it"},
	} {
		if strings.HasPrefix(p.Name, reserved.prefix) {
			l.issues.add(p.At("metadata.name"), "metadata.name", "platform-name", fmt.Sprintf("%s begins with %q: %s", quote(p.Name), reserved.prefix, reserved.why))
		}
	}
}

func (l *loader) ruleDomain(_ *Set, p *Platform) {
	d := p.Domain
	name := strings.ToLower(strings.TrimSuffix(d.Name, "."))
	switch {
	case strings.HasSuffix(name, ".elb.amazonaws.com"), strings.HasSuffix(name, ".elb.amazonaws.com.cn"):
		l.issues.suggest(p.At("spec.domain.name"), "spec.domain.name", "domain-elb-name",
			quote(d.Name)+" is a load balancer's own name, for which no certificate is issued", "use a name in a domain of yours and point it at the load balancer")
	case strings.HasSuffix(name, ".amazonaws.com"), strings.HasSuffix(name, ".cloudfront.net"), strings.HasSuffix(name, ".amazonaws.com.cn"):
		l.issues.suggest(p.At("spec.domain.name"), "spec.domain.name", "domain-aws-name",
			quote(d.Name)+" belongs to AWS, and no certificate is issued for it", "use a name in a domain of yours")
	}
	switch {
	case d.Name != "" && d.CertificateARN == "":
		l.issues.suggest(p.At("spec.domain"), "spec.domain.certificateArn", "domain-pair", "is missing: a domain needs its certificate, or the load balancer stays on HTTP", "give the ACM certificate's ARN, or remove domain")
	case d.Name == "" && d.CertificateARN != "":
		l.issues.suggest(p.At("spec.domain"), "spec.domain.name", "domain-pair", "is missing: a certificate needs the domain that it is for", "give the name, or remove domain")
	}
}

func (l *loader) ruleCertificate(_ *Set, p *Platform) {
	arn := p.Domain.CertificateARN
	if arn == "" {
		return
	}
	const path = "spec.domain.certificateArn"
	at := p.At(path)
	parts := strings.Split(arn, ":") // arn:partition:acm:region:account:resource
	if want := partition(p.Region); parts[1] != want {
		l.issues.add(at, path, "certificate-partition", fmt.Sprintf("is in partition %s; region %s is in %s", parts[1], p.Region, want))
		return
	}
	if parts[3] != p.Region {
		l.issues.suggest(at, path, "certificate-region", fmt.Sprintf("is in %s; a load balancer in %s takes only certificates of %s", parts[3], p.Region, p.Region), "request it in "+p.Region)
	}
	if parts[4] != p.Account {
		l.issues.add(at, path, "certificate-account", fmt.Sprintf("is in account %s; the platform is in %s", parts[4], p.Account))
	}
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (l *loader) ruleBudget(_ *Set, p *Platform) {
	if p.Alerts.MonthlyBudgetUSD > 0 && p.Alerts.Email == "" {
		l.issues.suggest(p.At("spec.alerts.monthlyBudgetUSD"), "spec.alerts.email", "budget-email", "is missing: a budget needs somebody to tell", "give alerts.email, or remove monthlyBudgetUSD")
	}
}

func (l *loader) ruleStorage(_ *Set, p *Platform) {
	d := p.Database
	const path = "spec.database.maxStorageGiB"
	// AWS wants room for growth of a tenth; equal sizes turn growth off.
	switch least := d.StorageGiB + (d.StorageGiB+9)/10; {
	case d.MaxStorageGiB < d.StorageGiB:
		l.issues.add(p.At(path), path, "storage-range", fmt.Sprintf("is %d, less than storageGiB %d", d.MaxStorageGiB, d.StorageGiB))
	case d.MaxStorageGiB > d.StorageGiB && d.MaxStorageGiB < least:
		l.issues.suggest(p.At(path), path, "storage-range", fmt.Sprintf("is %d: RDS wants at least a tenth more than storageGiB %d, or the same for no growth", d.MaxStorageGiB, d.StorageGiB), fmt.Sprintf("write at least %d", least))
	}
}
