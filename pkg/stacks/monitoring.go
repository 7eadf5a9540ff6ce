package stacks

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// monitoringStacks are the alarms, the topic they notify, the budget and the
// dashboards. The first stack's dashboard shows the application, and the fleets
// too as long as they fit.
func (p *platform) monitoringStacks(fleets []fleet) []plan.Stack {
	s := p.stack(p.monitoring(), "monitoring", "CloudWatch dashboard, alarms, SNS alerts")
	s.add("AlertTopic", cfn.Resource{Type: "AWS::SNS::Topic", Properties: props{"TopicName": p.Name + "-ops-alerts"}})
	p.alarmTopicPolicy(s, "AlertTopic", "cloudwatch.amazonaws.com", "budgets.amazonaws.com")
	s.output("AlertTopicArn", "Topic of all alarms for people", cfn.LogicalRef("AlertTopic"))
	if p.Alerts.Email != "" {
		s.add("AlertEmail", cfn.Resource{Type: "AWS::SNS::Subscription", Properties: props{
			"TopicArn": cfn.LogicalRef("AlertTopic"), "Protocol": "email", "Endpoint": p.Alerts.Email,
		}})
		s.cause("spec.alerts.email", "AlertEmail")
	}
	p.platformAlarms(s)
	p.budget(s)

	shards := fleetShards(fleets, besideBytes)
	widgets := p.platformWidgets()
	if len(shards) == 1 {
		widgets = append(widgets, fleetWidgets(shards[0].fleets, platformRows)...)
	}
	s.add("Dashboard", dashboard(p.Name, widgets))
	stacks := []plan.Stack{s.finish()}
	if len(shards) > 1 {
		for _, shard := range shards {
			stacks = append(stacks, p.dashboardStack(shard))
		}
	}
	return stacks
}

// dashboardStack is a further dashboard, of fleets alone.
func (p *platform) dashboardStack(shard fleetShard) plan.Stack {
	s := p.stack(p.monitoringShard(shard.number), "monitoring", "CloudWatch dashboard of GPU fleets")
	s.add("Dashboard", dashboard(p.Name+"-fleets-"+decimal(shard.number), fleetWidgets(shard.fleets, 0)))
	return s.finish()
}

func (p *platform) platformAlarms(s *stack) {
	ops := list{cfn.LogicalRef("AlertTopic")}
	compute := func(output string) any { return cfn.StackOutput(p.compute(), output) }
	alb := dimensions("LoadBalancer", compute("AlbFullName"))
	hosts := func(id string) list {
		return dimensions("TargetGroup", compute(id+"TargetsFullName"), "LoadBalancer", compute("AlbFullName"))
	}
	db := dimensions("DBInstanceIdentifier", cfn.StackOutput(p.data(), "DatabaseId"))
	redis := dimensions("CacheClusterId", cfn.StackOutput(p.data(), "RedisClusterId"))
	const (
		lb    = "AWS/ApplicationELB"
		rds   = "AWS/RDS"
		cache = "AWS/ElastiCache"
	)
	for id, a := range map[string]alarm{
		"Alb5xxCritical": {name: "p1-alb-5xx-critical", description: "The load balancer answers with 5xx itself",
			namespace: lb, metric: "HTTPCode_ELB_5XX_Count", dimensions: alb, statistic: "Sum", period: 300,
			comparison: atLeast, threshold: 50, missing: missingIsFine},
		"Alb5xxWarning": {name: "p2-alb-5xx-warning", description: "The load balancer answers with 5xx itself",
			namespace: lb, metric: "HTTPCode_ELB_5XX_Count", dimensions: alb, statistic: "Sum", period: 300,
			comparison: atLeast, threshold: 10, missing: missingIsFine},
		"Target5xxWarning": {name: "p2-target-5xx-warning", description: "Backend or frontend answer with 5xx",
			namespace: lb, metric: "HTTPCode_Target_5XX_Count", dimensions: alb, statistic: "Sum", period: 300,
			comparison: atLeast, threshold: 25, missing: missingIsFine},
		// Five minutes: a deployment's new tasks may fail a check or two.
		"BackendUnhealthy": {name: "p1-backend-unhealthy-hosts", description: "Backend tasks fail their health check",
			namespace: lb, metric: "UnHealthyHostCount", dimensions: hosts("Backend"), statistic: "Maximum", period: 60,
			comparison: atLeast, threshold: 1, periods: 5, missing: missingIsFine},
		"FrontendUnhealthy": {name: "p1-frontend-unhealthy-hosts", description: "Frontend tasks fail their health check",
			namespace: lb, metric: "UnHealthyHostCount", dimensions: hosts("Frontend"), statistic: "Maximum", period: 60,
			comparison: atLeast, threshold: 1, periods: 5, missing: missingIsFine},
		"RdsCpuCritical": {name: "p1-rds-cpu-critical", description: "The database has no CPU left",
			namespace: rds, metric: "CPUUtilization", dimensions: db, statistic: "Average", period: 600,
			comparison: atLeast, threshold: 95, missing: missingIsUnknown},
		"RdsCpuWarning": {name: "p2-rds-cpu-warning", description: "The database is short of CPU",
			namespace: rds, metric: "CPUUtilization", dimensions: db, statistic: "Average", period: 300,
			comparison: atLeast, threshold: 80, missing: missingIsUnknown},
		"RdsStorageLow": {name: "p1-rds-storage-low", description: "The database has less than 2 GiB left",
			namespace: rds, metric: "FreeStorageSpace", dimensions: db, statistic: "Minimum", period: 300,
			comparison: below, threshold: 2 << 30, missing: missingIsUnknown},
		"RedisMemory": {name: "p2-redis-memory", description: "Redis uses 85 % of its memory: sessions are evicted next",
			namespace: cache, metric: "DatabaseMemoryUsagePercentage", dimensions: redis, statistic: "Maximum", period: 300,
			comparison: atLeast, threshold: 85, missing: missingIsUnknown},
		"SidecarFailures": {name: "p2-backend-sidecar-failures", description: "Scheduler or queue worker keep failing; their loop restarts them",
			// What keeps failing fails at least so often, whatever the pauses of its loop.
			namespace: p.sidecarNamespace(), metric: sidecarFailures, statistic: "Sum", period: 300,
			comparison: atLeast, threshold: 3, missing: missingIsFine},
		"ScaleToZeroErrors": {name: "p2-scale-to-zero-errors", description: "Idle GPU fleets may keep running: the function that stops them fails",
			namespace: "AWS/Lambda", metric: "Errors", dimensions: dimensions("FunctionName", p.Name+"-scale-to-zero"),
			statistic: "Sum", period: 300, comparison: atLeast, threshold: 1, missing: missingIsFine},
	} {
		a.actions, a.periods = ops, max(a.periods, 1)
		s.add(id, a.resource())
	}
	p.natAlarms(s, ops)
}

func (p *platform) natAlarms(s *stack, ops list) {
	for n := 1; n <= p.Network.NATGateways; n++ {
		s.add("NatPorts"+decimal(n), alarm{
			name: "p2-nat-port-allocation-" + decimal(n), description: "The NAT gateway has no ports left: connections fail",
			namespace: "AWS/NATGateway", metric: "ErrorPortAllocation",
			dimensions: dimensions("NatGatewayId", cfn.StackOutput(p.network(), natID(n))),
			statistic:  "Sum", period: 300, comparison: atLeast, threshold: 1, periods: 1,
			missing: missingIsFine, actions: ops,
		}.resource())
		s.cause("spec.network.natGateways", "NatPorts"+decimal(n))
	}
}

// budget needs somebody to tell and an amount.
func (p *platform) budget(s *stack) {
	if p.Alerts.Email == "" || p.Alerts.MonthlyBudgetUSD == 0 {
		return
	}
	notify := func(percent int) props {
		return props{
			"Notification": props{
				"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": percent, "ThresholdType": "PERCENTAGE",
			},
			// Through the topic, not to the address itself: notifications cannot change
			// without a new budget, and that would meet the name of the old one.
			"Subscribers": list{props{"SubscriptionType": "SNS", "Address": cfn.LogicalRef("AlertTopic")}},
		}
	}
	// Budgets tries the topic when it is named, so its policy must be there.
	s.add("Budget", cfn.Resource{Type: "AWS::Budgets::Budget", DependsOn: cfn.StringList{"AlertTopicPolicy"}, Properties: props{
		"Budget": props{
			"BudgetName": p.Name + "-monthly", "BudgetType": "COST", "TimeUnit": "MONTHLY",
			"BudgetLimit": props{"Amount": p.Alerts.MonthlyBudgetUSD, "Unit": "USD"},
		},
		"NotificationsWithSubscribers": list{notify(80), notify(100)},
	}})
	s.cause("spec.alerts.monthlyBudgetUSD", "Budget")
}
