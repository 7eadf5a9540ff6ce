package sandbox

import (
	"slices"
	"strconv"
)

// instanceType is what the sandbox knows of an instance type: sizes from the
// DescribeInstanceTypes data that moto publishes (Apache-2.0), prices as the
// On-Demand price page of us-east-1 had them for Linux in November 2025. They
// are here to exercise a client, not to calculate with.
type instanceType struct {
	name      string
	cpus      int
	memory    int // MiB
	gpu       string
	gpus      int
	gpuMemory int // MiB each
	price     string
	// zones says in which of a region's zones it is offered: "abc".
	zones string
}

func instanceTypes() []instanceType {
	return []instanceType{
		{"c5.large", 2, 4096, "", 0, 0, "0.0850000000", "abc"},
		{"g4dn.12xlarge", 48, 196608, "T4", 4, 16384, "3.9120000000", "abc"},
		{"g4dn.2xlarge", 8, 32768, "T4", 1, 16384, "0.7520000000", "abc"},
		{"g4dn.xlarge", 4, 16384, "T4", 1, 16384, "0.5260000000", "abc"},
		{"g5.12xlarge", 48, 196608, "A10G", 4, 22888, "5.6720000000", "abc"},
		{"g5.2xlarge", 8, 32768, "A10G", 1, 22888, "1.2120000000", "abc"},
		{"g5.xlarge", 4, 16384, "A10G", 1, 22888, "1.0060000000", "abc"},
		{"g6.2xlarge", 8, 32768, "L4", 1, 22888, "0.9776000000", "abc"},
		{"g6.xlarge", 4, 16384, "L4", 1, 22888, "0.8048000000", "abc"},
		{"g6e.2xlarge", 8, 65536, "L40S", 1, 45776, "2.2420800000", "ab"},
		{"g6e.xlarge", 4, 32768, "L40S", 1, 45776, "1.8610000000", "ab"},
		{"m5.large", 2, 8192, "", 0, 0, "0.0960000000", "abc"},
		{"p4d.24xlarge", 96, 1179648, "A100", 8, 40960, "21.9576420000", "ab"},
		{"p5.4xlarge", 16, 262144, "H100", 1, 81920, "6.8800000000", "a"},
		{"p5.48xlarge", 192, 2097152, "H100", 8, 81920, "55.0400000000", "a"},
		{"t3.medium", 2, 4096, "", 0, 0, "0.0416000000", "abc"},
		{"t3.micro", 2, 1024, "", 0, 0, "0.0104000000", "abc"},
	}
}

func typeNamed(name string) (instanceType, bool) {
	all := instanceTypes()
	i := slices.IndexFunc(all, func(t instanceType) bool { return t.name == name })
	if i < 0 {
		return instanceType{}, false
	}
	return all[i], true
}

func describeInstanceTypes(c *call, in props) (doc, error) {
	names := in.texts("InstanceType")
	for _, name := range names {
		if _, ok := typeNamed(name); !ok {
			return nil, fail("InvalidInstanceType", "The following supplied instance types do not exist: [%.80s]", name)
		}
	}
	var all []networkItem
	for _, t := range instanceTypes() {
		if len(names) == 0 || slices.Contains(names, t.name) {
			all = append(all, networkItem{id: t.name})
		}
	}
	list, next, err := filtered(in, all, func(i networkItem, name string) ([]string, bool) {
		t, _ := typeNamed(i.id)
		if name == "supported-usage-class" {
			return []string{"on-demand", "spot"}, true
		}
		return lookup(map[string]string{
			"instance-type": t.name, "vcpu-info.default-vcpus": plainText(t.cpus), "memory-info.size-in-mib": plainText(t.memory), "current-generation": "true",
			"processor-info.supported-architecture": "x86_64", "bare-metal": "false", "hypervisor": "nitro",
		}, name)
	})
	out := []doc{}
	for _, i := range list {
		t, _ := typeNamed(i.id)
		d := doc{
			"instanceType": t.name, "currentGeneration": true, "freeTierEligible": t.name == "t3.micro", "supportedUsageClasses": []string{"on-demand", "spot"}, "supportedRootDeviceTypes": []string{"ebs"},
			"supportedVirtualizationTypes": []string{"hvm"}, "bareMetal": false, "hypervisor": "nitro", "processorInfo": doc{"supportedArchitectures": []string{"x86_64"}},
			"vCpuInfo": doc{"defaultVCpus": t.cpus, "defaultCores": t.cpus / 2, "defaultThreadsPerCore": 2}, "memoryInfo": doc{"sizeInMiB": t.memory},
		}
		if t.gpus > 0 {
			d["gpuInfo"] = doc{
				"gpus":                []doc{{"name": t.gpu, "manufacturer": "NVIDIA", "count": t.gpus, "memoryInfo": doc{"sizeInMiB": t.gpuMemory}}},
				"totalGpuMemoryInMiB": t.gpus * t.gpuMemory,
			}
		}
		out = append(out, d)
	}
	return doc{"instanceTypeSet": out, "nextToken": next}, err
}

func describeTypeOfferings(c *call, in props) (doc, error) {
	kind := in.text("LocationType")
	if kind == "" {
		kind = "region"
	}
	var all []networkItem
	for _, t := range instanceTypes() {
		switch kind {
		case "region":
			all = append(all, networkItem{id: t.name + "|" + c.region.Name})
		case "availability-zone", "availability-zone-id":
			for i, zone := range c.zones() {
				if !slices.Contains([]byte(t.zones), zone[len(zone)-1]) {
					continue
				}
				if kind == "availability-zone-id" {
					zone = zoneID(c.region.Name, i)
				}
				all = append(all, networkItem{id: t.name + "|" + zone})
			}
		default:
			return nil, fail("InvalidParameterValue", "Value ( %.40s ) for parameter locationType is invalid. Expecting one of [region, availability-zone, availability-zone-id, outpost].", kind)
		}
	}
	list, next, err := filtered(in, all, func(i networkItem, name string) ([]string, bool) {
		t, location := cutLast(i.id)
		return lookup(map[string]string{"instance-type": t, "location": location}, name)
	})
	out := []doc{}
	for _, i := range list {
		t, location := cutLast(i.id)
		out = append(out, doc{"instanceType": t, "locationType": kind, "location": location})
	}
	return doc{"instanceTypeOfferingSet": out, "nextToken": next}, err
}

func cutLast(s string) (before, after string) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '|' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// describeSpotPrices: a third of On-Demand, the same at all times.
func describeSpotPrices(c *call, in props) (doc, error) {
	names := in.texts("InstanceType")
	out := []doc{}
	for _, t := range instanceTypes() {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		price, _ := props{"p": t.price}.real("p")
		for _, zone := range c.zones() {
			if want := in.text("AvailabilityZone"); want != "" && want != zone || !slices.Contains([]byte(t.zones), zone[len(zone)-1]) {
				continue
			}
			out = append(out, doc{"instanceType": t.name, "availabilityZone": zone, "productDescription": "Linux/UNIX", "spotPrice": spotPrice(price), "timestamp": c.account.Created})
		}
	}
	return doc{"spotPriceHistorySet": out, "nextToken": ""}, nil
}

func spotPrice(price float64) string { return strconv.FormatFloat(price/3, 'f', 6, 64) }
