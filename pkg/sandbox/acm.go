package sandbox

import (
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
)

func acmOperations() map[string]operation {
	return map[string]operation{
		"DescribeCertificate": reads(describeCertificate),
		"ListCertificates":    reads(listCertificates),
	}
}

var certificateARN = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// describeCertificate shows what stacks made. In a stocked account every
// certificate of the account and region that is asked for is issued; for what
// domain, the sandbox cannot know, so DomainName is left out.
func describeCertificate(c *call, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	arn := aws.ToString(in.CertificateArn)
	if !certificateARN.MatchString(arn) {
		return nil, fail("ValidationException", "1 validation error detected: Value '%.200s' at 'certificateArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:[\\w+=/,.@-]+:acm:[\\w+=/,.@-]*:[0-9]+:[\\w+=,.@-]+(/[\\w+=,.@-]+)*", arn)
	}
	prefix := c.arn("acm", "certificate/")
	detail := &types.CertificateDetail{
		CertificateArn: &arn, Status: types.CertificateStatusIssued, Type: types.CertificateTypeAmazonIssued, KeyAlgorithm: types.KeyAlgorithmRsa2048,
		CreatedAt: &c.account.Created, IssuedAt: &c.account.Created, NotBefore: &c.account.Created, NotAfter: aws.Time(c.account.Created.AddDate(1, 1, 0)),
	}
	if p, ok := c.certificate(arn); ok {
		detail.DomainName = text(p.text("DomainName"))
		detail.SubjectAlternativeNames = append([]string{p.text("DomainName")}, p.texts("SubjectAlternativeNames")...)
		return &acm.DescribeCertificateOutput{Certificate: detail}, nil
	}
	if c.account.Bare || len(arn) < len(prefix) || arn[:len(prefix)] != prefix {
		return nil, fail("ResourceNotFoundException", "Could not find certificate %s.", arn)
	}
	return &acm.DescribeCertificateOutput{Certificate: detail}, nil
}

// certificate finds one that a stack made.
func (c *call) certificate(arn string) (props, bool) {
	for _, item := range c.items("AWS::CertificateManager::Certificate") {
		if item.id == arn {
			return item.props, true
		}
	}
	return nil, false
}

func listCertificates(c *call, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
	limit, err := pageSize(in.MaxItems, 100, 1000)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c.items("AWS::CertificateManager::Certificate"), func(i networkItem) string { return i.id }, in.NextToken, limit)
	if err != nil {
		return nil, fail("ValidationException", "The next token is not valid.")
	}
	out := &acm.ListCertificatesOutput{CertificateSummaryList: []types.CertificateSummary{}, NextToken: next}
	for _, i := range all {
		out.CertificateSummaryList = append(out.CertificateSummaryList, types.CertificateSummary{
			CertificateArn: &i.id, DomainName: text(i.props.text("DomainName")), Status: types.CertificateStatusIssued, Type: types.CertificateTypeAmazonIssued,
		})
	}
	return out, nil
}
