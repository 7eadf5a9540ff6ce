package stacks

import (
	"crypto/sha256"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

const (
	rowHeight      = 6
	platformRows   = 24 // grid units that the application's rows take
	platformGraphs = 8  // widgets in them

	// How much of a template a dashboard's fleets may take, so that it stays below
	// the 48 KB up to which a body is sent without a bucket: beside the
	// application's rows and alarms, and alone.
	besideBytes = 30_000
	aloneBytes  = 44_000
	// dashboardWidgets is CloudWatch's limit.
	dashboardWidgets = 500
)

func dashboard(name string, widgets list) cfn.Resource {
	return cfn.Resource{Type: "AWS::CloudWatch::Dashboard", Properties: props{
		"DashboardName": name, "DashboardBody": jsonText(props{"widgets": widgets}),
	}}
}

// graph is one widget; each metric is a list as CloudWatch's dashboards write it.
func (p *platform) graph(x, y int, title string, metrics ...any) props {
	return props{
		"type": "metric", "x": x, "y": y, "width": 12, "height": rowHeight,
		"properties": props{"title": title, "view": "timeSeries", "region": p.Region, "metrics": metrics},
	}
}

func (p *platform) platformWidgets() list {
	alb := cfn.StackOutput(p.compute(), "AlbFullName")
	db := cfn.StackOutput(p.data(), "DatabaseId")
	metric := func(namespace, name string, rest ...any) list {
		return append(list{namespace, name}, rest...)
	}
	balancer := func(name string, options props) list {
		return metric("AWS/ApplicationELB", name, "LoadBalancer", alb, options)
	}
	service := func(id string) []any {
		cluster, name := cfn.StackOutput(p.compute(), "ClusterName"), cfn.StackOutput(p.compute(), id+"ServiceName")
		return []any{
			metric("AWS/ECS", "CPUUtilization", "ClusterName", cluster, "ServiceName", name),
			metric("AWS/ECS", "MemoryUtilization", "ClusterName", cluster, "ServiceName", name, props{"yAxis": "right"}),
		}
	}
	var bytes, ports []any
	for n := 1; n <= p.Network.NATGateways; n++ {
		id := cfn.StackOutput(p.network(), natID(n))
		nat := func(name string, options props) list {
			return metric("AWS/NATGateway", name, "NatGatewayId", id, options)
		}
		bytes = append(bytes, nat("BytesOutToDestination", props{"stat": "Sum"}),
			nat("BytesInFromSource", props{"stat": "Sum", "yAxis": "right"}))
		ports = append(ports, nat("ErrorPortAllocation", props{"stat": "Sum"}))
	}
	return list{
		p.graph(0, 0, "ALB Requests & Errors",
			balancer("RequestCount", props{"stat": "Sum"}),
			balancer("HTTPCode_ELB_5XX_Count", props{"stat": "Sum", "yAxis": "right"})),
		p.graph(12, 0, "ALB Latency",
			balancer("TargetResponseTime", props{"stat": "p50"}),
			balancer("TargetResponseTime", props{"stat": "p95"}),
			balancer("TargetResponseTime", props{"stat": "p99"})),
		p.graph(0, 6, "ECS Backend CPU & Memory", service("Backend")...),
		p.graph(12, 6, "ECS Frontend CPU & Memory", service("Frontend")...),
		p.graph(0, 12, "RDS CPU & Connections",
			metric("AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", db),
			metric("AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", db, props{"yAxis": "right"})),
		p.graph(12, 12, "RDS Storage", metric("AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", db)),
		p.graph(0, 18, "NAT Gateway Data (Bytes)", bytes...),
		p.graph(12, 18, "NAT Gateway Port Allocation Errors", ports...),
	}
}

// widgets are the fleet's row: queue depth and workers, performance and errors.
// A dot repeats the value above it.
func (f fleet) widgets(y int) list {
	first := func(name string, options ...any) list {
		return append(list{workerMetrics, name, "FleetSlug", f.Name, "Stage", f.Stage}, options...)
	}
	more := func(name string, options ...any) list {
		return append(list{".", name, ".", ".", ".", "."}, options...)
	}
	wanted := list{"AWS/AutoScaling", "GroupDesiredCapacity", "AutoScalingGroupName", groupName(f.Fleet), props{"yAxis": "right"}}
	queue := f.graph(0, y, f.ID()+" Queue Depth & Workers",
		first("QueueDepth"), more("ActiveWorkers", props{"yAxis": "right"}), wanted)
	work := f.graph(12, y, f.ID()+" Performance & Errors",
		first("JobProcessingP50"), more("ErrorRate", props{"yAxis": "right"}),
		more("LeaseExpiredCount", props{"stat": "Sum", "yAxis": "right"}))
	for _, w := range []props{queue, work} {
		w["properties"].(props)["period"] = 60
		w["properties"].(props)["stat"] = "Maximum"
	}
	return list{queue, work}
}

func fleetWidgets(fleets []fleet, y int) list {
	var all list
	for i, f := range fleets {
		all = append(all, f.widgets(y+i*rowHeight)...)
	}
	return all
}

// fleetShard is the fleets of one dashboard.
type fleetShard struct {
	number int
	fleets []fleet
	bytes  int // of their widgets in the template
}

// fleetShards spreads the fleets over as few dashboards as hold them. It is a
// binary tree over the digest of a fleet's name: a node that is too full is
// split by the next bit, and node n splits into 2n and 2n+1. So where a
// fleet goes follows from the specs alone, in any order, and adding one changes
// one dashboard, or splits that one. Node 1 is the undivided whole, which has
// less room than the others.
func fleetShards(fleets []fleet, wholeBytes int) []fleetShard {
	ordered := slices.Clone(fleets)
	slices.SortFunc(ordered, func(a, b fleet) int { return strings.Compare(a.ID(), b.ID()) })
	size := make(map[string]int, len(ordered))
	whole := fleetShard{number: 1, fleets: ordered}
	for _, f := range ordered {
		size[f.ID()] = f.widgetBytes()
		whole.bytes += size[f.ID()]
	}
	var shards []fleetShard
	splitShard(whole, 0, wholeBytes, size, &shards)
	return shards
}

func splitShard(s fleetShard, bit, room int, size map[string]int, out *[]fleetShard) {
	fits := s.bytes <= room && 2*len(s.fleets)+platformGraphs <= dashboardWidgets
	if fits || bit >= 8*sha256.Size {
		*out = append(*out, s)
		return
	}
	halves := [2]fleetShard{{number: 2 * s.number}, {number: 2*s.number + 1}}
	for _, f := range s.fleets {
		half := &halves[bitOf(f.Fleet, bit)]
		half.fleets = append(half.fleets, f)
		half.bytes += size[f.ID()]
	}
	for _, half := range halves {
		if len(half.fleets) > 0 {
			splitShard(half, bit+1, aloneBytes, size, out)
		}
	}
}

// widgetBytes is what a fleet's row takes in a template, where each quote of
// the dashboard's text is two bytes. The row's place is taken as a far one.
func (f fleet) widgetBytes() int {
	text, ok := jsonText(f.widgets(9000)).(string)
	if !ok {
		return 0
	}
	return len(text) + strings.Count(text, `"`)
}

func bitOf(f spec.Fleet, n int) int {
	sum := sha256.Sum256([]byte(f.ID()))
	return int(sum[n/8]>>(7-n%8)) & 1
}
