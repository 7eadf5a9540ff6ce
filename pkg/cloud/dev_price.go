package cloud

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"reconcile/pkg/dev"
)

// pricingEndpoint is the price list of all regions, which is in few of them.
func pricingEndpoint() endpoint {
	return endpoint{id: "Pricing", signing: "pricing", target: "AWSPriceListService", region: "us-east-1", host: "api.pricing.us-east-1.amazonaws.com"}
}

// DevPrices are On-Demand prices in USD an hour by instance type, as far as the
// price list tells them: a type that is not there, or that may not be asked for,
// is left out. One request for each type.
func (c *Cloud) DevPrices(ctx context.Context, instances []dev.Instance) map[string]float64 {
	out := map[string]float64{}
	if strings.HasPrefix(c.region, "cn-") || strings.HasPrefix(c.region, "us-gov-") {
		return out // the list of that partition is elsewhere
	}
	asked := map[string]bool{}
	for _, i := range instances {
		if asked[i.Type] {
			continue
		}
		asked[i.Type] = true
		if usd, ok := c.price(ctx, i.Type); ok {
			out[i.Type] = usd
		}
	}
	return out
}

func (c *Cloud) price(ctx context.Context, kind string) (usd float64, ok bool) {
	var filters []map[string]string
	for _, f := range [][2]string{{"instanceType", kind}, {"regionCode", c.region}, {"operatingSystem", "Linux"}, {"preInstalledSw", "NA"}, {"tenancy", "Shared"}, {"capacitystatus", "Used"}} {
		filters = append(filters, map[string]string{"Type": "TERM_MATCH", "Field": f[0], "Value": f[1]})
	}
	answer, err := c.askJSON(ctx, pricingEndpoint(), "GetProducts", map[string]any{"ServiceCode": "AmazonEC2", "Filters": filters})
	if err != nil {
		return 0, false
	}
	list, _ := answer["PriceList"].([]any)
	for _, item := range list {
		text, _ := item.(string)
		var product struct {
			Terms struct {
				OnDemand map[string]struct {
					Dimensions map[string]struct {
						Unit  string            `json:"unit"`
						Price map[string]string `json:"pricePerUnit"`
					} `json:"priceDimensions"`
				} `json:"OnDemand"`
			} `json:"terms"`
		}
		if json.Unmarshal([]byte(text), &product) != nil {
			continue
		}
		for _, term := range product.Terms.OnDemand {
			for _, d := range term.Dimensions {
				if n, err := strconv.ParseFloat(d.Price["USD"], 64); err == nil && d.Unit == "Hrs" && n > 0 {
					usd, ok = max(usd, n), true
				}
			}
		}
	}
	return usd, ok
}
