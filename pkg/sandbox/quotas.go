package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Service Quotas and the price list.

// quota is one that a fresh account of AWS has (facts: aws-limits); GPU quotas
// start at 0 there, and are what a grown account has here, so that fleets start.
type quota struct {
	service, code, name string
	value               float64
	usual               float64 // AWS's default
	global              bool
}

func quotas() []quota {
	return []quota{
		{"autoscaling", "L-CDE20ADC", "Auto Scaling groups per region", 500, 500, false},
		{"autoscaling", "L-6B80B8FA", "Launch configurations per region", 200, 200, false},
		{"cloudformation", "L-0485CB21", "Stack count", 2000, 2000, false},
		{"ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 1152, 5, false},
		{"ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 1152, 5, false},
		{"ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", 64, 0, false},
		{"ec2", "L-417A185B", "Running On-Demand P instances", 192, 0, false},
		{"ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 0, 0, false},
		{"ec2", "L-C4BD4855", "All P5 Spot Instance Requests", 192, 0, false},
		{"ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 64, 0, false},
	}
}

// QuotaChange raises or lowers a quota of an account.
type QuotaChange struct {
	Service string  `json:"service"`
	Code    string  `json:"code"`
	Value   float64 `json:"value"`
}

// SetQuota is what a support case does. An empty region is the account's own.
func (s *Sandbox) SetQuota(region string, q QuotaChange) error {
	_, err := s.admin(region, adminChange{Quota: &q})
	return err
}

// showRaised writes the quotas that somebody had changed.
func (a *account) showRaised(w io.Writer) {
	for _, name := range sortedKeys(a.Regions) {
		for _, q := range quotas() {
			if v, ok := a.Regions[name].Quotas[q.service+"/"+q.code]; ok {
				fmt.Fprintf(w, "quota\t%s\t%s in %s (a new AWS account has %s)\n", q.name, plainText(v), name, plainText(q.usual))
			}
		}
	}
}

func quotaOperations() map[string]operation {
	return map[string]operation{
		"GetServiceQuota":           docReads(getQuota(false)),
		"GetAWSDefaultServiceQuota": docReads(getQuota(true)),
		"ListServiceQuotas":         docReads(listQuotas),
	}
}

func (c *call) quotaDoc(q quota, usual bool) doc {
	value := q.value
	switch stacks := c.region.Stacks; {
	case usual:
		value = q.usual
	case q.code == "L-CDE20ADC":
		value = float64(c.mostGroups())
	case q.code == "L-0485CB21" && stacks == nil:
		value = float64(inForce(c.account.Quotas.Stacks, defaultQuotas.Stacks))
	case q.code == "L-0485CB21" && stacks != nil && stacks.MaxStacks > 0:
		value = float64(stacks.MaxStacks)
	}
	if v, ok := c.region.Quotas[q.service+"/"+q.code]; ok && !usual {
		value = v
	}
	names := map[string]string{"autoscaling": "Amazon EC2 Auto Scaling", "cloudformation": "AWS CloudFormation", "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)"}
	return doc{
		"ServiceCode": q.service, "ServiceName": names[q.service], "QuotaArn": c.arn("servicequotas", q.service+"/"+q.code), "QuotaCode": q.code, "QuotaName": q.name,
		"Value": value, "Unit": "None", "Adjustable": true, "GlobalQuota": q.global, "QuotaAppliedAtLevel": "ACCOUNT",
	}
}

func getQuota(usual bool) func(*call, props) (doc, error) {
	return func(c *call, in props) (doc, error) {
		all := quotas()
		i := slices.IndexFunc(all, func(q quota) bool { return q.service == in.text("ServiceCode") && q.code == in.text("QuotaCode") })
		if i < 0 {
			return nil, fail("NoSuchResourceException", "The request failed because the specified service or quota does not exist: %.60s %.40s", in.text("ServiceCode"), in.text("QuotaCode"))
		}
		return doc{"Quota": c.quotaDoc(all[i], usual)}, nil
	}
}

func listQuotas(c *call, in props) (doc, error) {
	all := slices.DeleteFunc(quotas(), func(q quota) bool { return q.service != in.text("ServiceCode") })
	if len(all) == 0 {
		return nil, fail("NoSuchResourceException", "The request failed because the specified service does not exist: %.60s", in.text("ServiceCode"))
	}
	list, next, err := pageOf(in, "NextToken", "MaxResults", 100, 100, all, func(q quota) string { return q.code })
	out := []doc{}
	for _, q := range list {
		out = append(out, c.quotaDoc(q, false))
	}
	return doc{"Quotas": out, "NextToken": next}, err
}

func pricingOperations() map[string]operation {
	return map[string]operation{"GetProducts": docReads(getProducts)}
}

// getProducts knows On-Demand Linux prices of the instance types in
// ec2_types.go, in us-east-1.
func getProducts(_ *call, in props) (doc, error) {
	if in.text("ServiceCode") != "AmazonEC2" {
		return nil, fail("NotFoundException", "the sandbox has prices of AmazonEC2 only")
	}
	var all []networkItem
	for _, t := range instanceTypes() {
		attributes := map[string]string{
			"instanceType": t.name, "location": "US East (N. Virginia)", "regionCode": "us-east-1", "operatingSystem": "Linux", "preInstalledSw": "NA", "tenancy": "Shared", "capacitystatus": "Used",
			"vcpu": plainText(t.cpus), "memory": plainText(t.memory/1024) + " GiB", "licenseModel": "No License required", "marketoption": "OnDemand", "servicecode": "AmazonEC2", "termType": "OnDemand",
			"productFamily": "Compute Instance",
		}
		ok := true
		for _, f := range in.list("Filters") {
			v, known := attributes[f.text("Field")]
			ok = ok && known && strings.EqualFold(v, f.text("Value"))
		}
		if !ok {
			continue
		}
		delete(attributes, "termType")
		delete(attributes, "productFamily")
		sku := strings.ToUpper(hexOf("sku", t.name)[:16])
		term := sku + ".JRTCKXETXF"
		b, err := json.Marshal(map[string]any{
			"product":     map[string]any{"productFamily": "Compute Instance", "sku": sku, "attributes": attributes},
			"serviceCode": "AmazonEC2", "version": "sandbox", "publicationDate": "2025-11-01T00:00:00Z",
			"terms": map[string]any{"OnDemand": map[string]any{term: map[string]any{
				"offerTermCode": "JRTCKXETXF", "sku": sku, "effectiveDate": "2025-11-01T00:00:00Z", "termAttributes": map[string]any{},
				"priceDimensions": map[string]any{term + ".6YS6EN2CT7": map[string]any{
					"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "rateCode": term + ".6YS6EN2CT7", "appliesTo": []any{}, "description": "On Demand Linux " + t.name, "pricePerUnit": map[string]string{"USD": t.price},
				}},
			}}},
		})
		if err != nil {
			return nil, err
		}
		all = append(all, networkItem{id: t.name, attributes: map[string]string{"json": string(b)}})
	}
	list, next, err := pageOf(in, "NextToken", "MaxResults", 100, 100, all, func(i networkItem) string { return i.id })
	out := []string{}
	for _, i := range list {
		out = append(out, i.attribute("json"))
	}
	return doc{"FormatVersion": "aws_v1", "PriceList": out, "NextToken": next}, err
}

func cloudControlOperations() map[string]operation {
	return map[string]operation{"GetResource": docReads(getResource), "ListResources": docReads(listResources)}
}

// resourceText is a thing's live properties with its attributes, as Cloud
// Control returns them.
func (c *call) resourceText(typeName string, i networkItem) (string, error) {
	out := map[string]any{}
	if c.engine != nil && i.item != nil {
		live, err := c.engine.Live(c.ctx, typeName, i.id)
		if err != nil {
			return "", err
		}
		i.props = live
	}
	for k, v := range i.props {
		out[k] = v
	}
	for k, v := range i.attributes {
		if _, ok := out[k]; !ok && !strings.Contains(k, ".") {
			out[k] = v
		}
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func getResource(c *call, in props) (doc, error) {
	typeName, id := in.text("TypeName"), in.text("Identifier")
	i, ok := c.thing(typeName, id)
	if !ok {
		return nil, fail("ResourceNotFoundException", "Resource of type '%.100s' with identifier '%.200s' was not found.", typeName, id)
	}
	text, err := c.resourceText(typeName, i)
	return doc{"TypeName": typeName, "ResourceDescription": doc{"Identifier": i.id, "Properties": text}}, err
}

func listResources(c *call, in props) (doc, error) {
	typeName := in.text("TypeName")
	list, next, err := pageOf(in, "NextToken", "MaxResults", 100, 100, c.items(typeName), func(i networkItem) string { return i.id })
	if err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range list {
		text, err := c.resourceText(typeName, i)
		if err != nil {
			return nil, err
		}
		out = append(out, doc{"Identifier": i.id, "Properties": text})
	}
	return doc{"TypeName": typeName, "ResourceDescriptions": out, "NextToken": next}, nil
}
