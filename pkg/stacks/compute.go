package stacks

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// computeStack is the application: an ECS cluster behind one load balancer, the
// backend service and the frontend service.
func (p *platform) computeStack() plan.Stack {
	s := p.stack(p.compute(), "compute", "ECS Fargate cluster, ALB, backend + frontend services")
	s.DependsOn = []string{p.cicd()}
	// Tasks do not start while one of their secrets has no value.
	for _, stage := range stages {
		s.After = append(s.After, plan.ID(plan.KindParameter, p.fleetSecretParameter(stage)))
	}
	s.After = append(s.After,
		plan.ID(plan.KindSecret, p.laravelKeyName()), plan.ID(plan.KindSecret, p.oauthName()))

	p.cluster(s)
	p.loadBalancer(s)
	p.targetGroup(s, "Backend", 80, "/up", "", 0)
	p.targetGroup(s, "Frontend", 3000, "/", "200-399", 10)
	p.listeners(s)
	p.backendTask(s)
	p.frontendTask(s)
	p.service(s, serviceOf{
		id: "Backend", name: p.backendName(), field: "spec.backend", spec: p.Backend,
		container: "nginx", port: 80, grace: 300,
	})
	p.service(s, serviceOf{
		id: "Frontend", name: p.frontendName(), field: "spec.frontend", spec: p.Frontend,
		container: "nextjs", port: 3000, grace: 120,
	})
	s.output("ClusterName", "ECS cluster", cfn.LogicalRef("Cluster"))
	return s.finish()
}

func (p *platform) cluster(s *stack) {
	insights := "enabled"
	if !p.wants(s, RuleContainerInsights, "Cluster.Properties.ClusterSettings") {
		insights = "disabled"
	}
	s.add("Cluster", cfn.Resource{Type: "AWS::ECS::Cluster", Properties: props{
		"ClusterName":     p.Name,
		"ClusterSettings": list{props{"Name": "containerInsights", "Value": insights}},
	}})
	s.add("ClusterCapacity", cfn.Resource{
		Type: "AWS::ECS::ClusterCapacityProviderAssociations",
		// An account's first cluster creates ECS's service-linked role, and this call
		// fails until IAM knows the role everywhere. The load balancer takes long
		// enough, and the services wait for it anyway.
		DependsOn: cfn.StringList{"Alb"},
		Properties: props{
			"Cluster":                         cfn.LogicalRef("Cluster"),
			"CapacityProviders":               list{"FARGATE", "FARGATE_SPOT"},
			"DefaultCapacityProviderStrategy": list{},
		},
	})
	for _, service := range []struct{ id, name string }{{"Backend", p.backendName()}, {"Frontend", p.frontendName()}} {
		s.add(service.id+"Logs", cfn.Resource{
			Type: "AWS::Logs::LogGroup", DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete",
			Properties: props{"LogGroupName": "/ecs/" + service.name, "RetentionInDays": 30},
		})
	}
}

func (p *platform) loadBalancer(s *stack) {
	attributes := list{
		// The stack's own deletion is what protects it; with this on, CloudFormation
		// could not delete or replace the load balancer.
		props{"Key": "deletion_protection.enabled", "Value": "false"},
	}
	if p.wants(s, RuleDropInvalidHeaders, "Alb.Properties.LoadBalancerAttributes[routing.http.drop_invalid_header_fields.enabled]") {
		attributes = append(attributes, props{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"})
	}
	if p.wants(s, RuleALBAccessLogs, "Alb.Properties.LoadBalancerAttributes") {
		attributes = append(attributes,
			props{"Key": "access_logs.s3.enabled", "Value": "true"},
			props{"Key": "access_logs.s3.bucket", "Value": cfn.StackOutput(p.data(), "AccessLogsBucketName")},
			props{"Key": "access_logs.s3.prefix", "Value": loadBalancerLogPrefix},
		)
	}
	s.add("Alb", cfn.Resource{Type: "AWS::ElasticLoadBalancingV2::LoadBalancer", Properties: props{
		"Type":                   "application",
		"Scheme":                 "internet-facing",
		"Subnets":                p.subnetIDs(spec.SubnetPublic),
		"SecurityGroups":         list{cfn.StackOutput(p.network(), "AlbSecurityGroup")},
		"LoadBalancerAttributes": attributes,
	}})
	s.cause("spec.network.availabilityZones", "Alb.Properties.Subnets")
	// The same outputs with and without TLS: who reads them must not notice the switch.
	s.output("AlbDns", "DNS name of the load balancer", cfn.GetAtt("Alb", "DNSName"))
	s.output("ApiBaseUrl", "Base URL of the application", p.baseURL())
	s.output("AlbFullName", "Load balancer as its metrics name it", cfn.GetAtt("Alb", "LoadBalancerFullName"))
	s.cause("spec.domain", "Outputs.ApiBaseUrl")
}

// baseURL is where users and workers reach the application.
func (p *platform) baseURL() any {
	if p.Domain.Set() {
		return "https://" + p.Domain.Name
	}
	return cfn.Join("http://", cfn.GetAtt("Alb", "DNSName"))
}

func (p *platform) targetGroup(s *stack, id string, port int, path, codes string, timeout int) {
	properties := props{
		"VpcId":                      cfn.StackOutput(p.network(), "VpcId"),
		"Protocol":                   "HTTP",
		"Port":                       port,
		"TargetType":                 "ip",
		"HealthCheckPath":            path,
		"HealthCheckIntervalSeconds": 30,
		"HealthyThresholdCount":      2,
		"UnhealthyThresholdCount":    3,
		"TargetGroupAttributes":      list{props{"Key": "stickiness.enabled", "Value": "false"}},
	}
	if codes != "" {
		properties["Matcher"] = props{"HttpCode": codes}
	}
	if timeout > 0 {
		properties["HealthCheckTimeoutSeconds"] = timeout
	}
	s.add(id+"Targets", cfn.Resource{Type: "AWS::ElasticLoadBalancingV2::TargetGroup", Properties: properties})
	s.output(id+"TargetsFullName", "Target group as its metrics name it", cfn.GetAtt(id+"Targets", "TargetGroupFullName"))
}

// listeners: port 80 has one logical id in both modes and only its default
// action changes. The rules hang on the listener that serves and have logical
// ids of their own there: while a stack switches, both sets exist, and a
// priority is unique per listener.
func (p *platform) listeners(s *stack) {
	notFound := list{props{"Type": "fixed-response", "FixedResponseConfig": props{
		"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not Found",
	}}}
	http := props{
		"LoadBalancerArn": cfn.LogicalRef("Alb"), "Port": 80, "Protocol": "HTTP", "DefaultActions": notFound,
	}
	serving := "Http"
	var first cfn.StringList
	if p.Domain.Set() {
		// Nobody is sent to port 443 before it serves.
		first = cfn.StringList{"HttpsBackendRule", "HttpsFrontendRule"}
		serving = "Https"
		http["DefaultActions"] = list{props{"Type": "redirect", "RedirectConfig": props{
			"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301",
		}}}
		s.add("HttpsListener", cfn.Resource{Type: "AWS::ElasticLoadBalancingV2::Listener", Properties: props{
			"LoadBalancerArn": cfn.LogicalRef("Alb"), "Port": 443, "Protocol": "HTTPS",
			"SslPolicy":      "ELBSecurityPolicy-TLS13-1-2-2021-06",
			"Certificates":   list{props{"CertificateArn": p.Domain.CertificateARN}},
			"DefaultActions": notFound,
		}})
		s.cause("spec.domain.certificateArn", "HttpsListener.Properties.Certificates")
	}
	s.add("HttpListener", cfn.Resource{
		Type: "AWS::ElasticLoadBalancingV2::Listener", DependsOn: first, Properties: http,
	})
	rule := func(id string, priority int, target string, paths ...string) {
		s.add(serving+id+"Rule", cfn.Resource{Type: "AWS::ElasticLoadBalancingV2::ListenerRule", Properties: props{
			"ListenerArn": cfn.LogicalRef(serving + "Listener"),
			"Priority":    priority,
			"Conditions":  list{props{"Field": "path-pattern", "PathPatternConfig": props{"Values": texts(paths...)}}},
			"Actions":     list{props{"Type": "forward", "TargetGroupArn": cfn.LogicalRef(target)}},
		}})
	}
	rule("Backend", 10, "BackendTargets", "/api/*", "/sanctum/*", "/up")
	rule("Frontend", 50, "FrontendTargets", "/*")
	for _, id := range []string{"HttpListener", "HttpsListener", "HttpBackendRule", "HttpFrontendRule", "HttpsBackendRule", "HttpsFrontendRule"} {
		s.cause("spec.domain", id)
	}
}

// servingRule is the logical id of the rule that makes a target group's load balancer known.
func (p *platform) servingRule(id string) string {
	if p.Domain.Set() {
		return "Https" + id + "Rule"
	}
	return "Http" + id + "Rule"
}

// serviceOf says how one service differs from the other.
type serviceOf struct {
	id, name, field string
	spec            spec.Service
	container       string
	port, grace     int
}

func (p *platform) service(s *stack, o serviceOf) {
	id := o.id + "Service"
	s.add(id, cfn.Resource{
		Type: "AWS::ECS::Service",
		// A service fails on a target group that no listener knows yet, and on
		// capacity providers that the cluster has not yet.
		DependsOn: cfn.StringList{"ClusterCapacity", p.servingRule(o.id)},
		Properties: props{
			"ServiceName":    o.name,
			"Cluster":        cfn.LogicalRef("Cluster"),
			"TaskDefinition": cfn.LogicalRef(o.id + "Task"),
			// No DesiredCount: the service starts with one task and then belongs to scaling.
			"CapacityProviderStrategy": list{
				props{"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1},
				props{"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
			},
			"DeploymentConfiguration": props{
				// A single task is replaced by starting the new one first.
				"MinimumHealthyPercent":    100,
				"MaximumPercent":           200,
				"DeploymentCircuitBreaker": props{"Enable": true, "Rollback": true},
			},
			"DeploymentController":          props{"Type": "ECS"},
			"HealthCheckGracePeriodSeconds": o.grace,
			"EnableExecuteCommand":          true,
			"EnableECSManagedTags":          false,
			"NetworkConfiguration": props{"AwsvpcConfiguration": props{
				"AssignPublicIp": "DISABLED",
				"Subnets":        p.subnetIDs(spec.SubnetPrivate),
				"SecurityGroups": list{cfn.StackOutput(p.network(), o.id+"SecurityGroup")},
			}},
			"LoadBalancers": list{props{
				"ContainerName": o.container, "ContainerPort": o.port, "TargetGroupArn": cfn.LogicalRef(o.id + "Targets"),
			}},
		},
	})
	p.serviceScaling(s, o)
	s.cause(o.field, id, o.id+"Task")
	s.cause(o.field+".cpu", o.id+"Task.Properties.Cpu")
	s.cause(o.field+".memoryMiB", o.id+"Task.Properties.Memory")
	s.output(id+"Name", "ECS service", cfn.GetAtt(id, "Name"))
}

func (p *platform) serviceScaling(s *stack, o serviceOf) {
	target := o.id + "Scaling"
	s.add(target, cfn.Resource{Type: "AWS::ApplicationAutoScaling::ScalableTarget", Properties: props{
		"ServiceNamespace":  "ecs",
		"ScalableDimension": "ecs:service:DesiredCount",
		"ResourceId":        cfn.Join("service/", cfn.LogicalRef("Cluster"), "/", cfn.GetAtt(o.id+"Service", "Name")),
		"MinCapacity":       o.spec.MinTasks,
		"MaxCapacity":       o.spec.MaxTasks,
		"RoleARN": p.globalARN("iam",
			"role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"),
	}})
	s.add(o.id+"CpuScaling", cfn.Resource{Type: "AWS::ApplicationAutoScaling::ScalingPolicy", Properties: props{
		"PolicyName":      o.name + "-cpu",
		"PolicyType":      "TargetTrackingScaling",
		"ScalingTargetId": cfn.LogicalRef(target),
		"TargetTrackingScalingPolicyConfiguration": props{
			"TargetValue":                   o.spec.CPUTargetPercent,
			"PredefinedMetricSpecification": props{"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
		},
	}})
	s.cause(o.field, target, o.id+"CpuScaling")
	s.cause(o.field+".minTasks", target+".Properties.MinCapacity")
	s.cause(o.field+".maxTasks", target+".Properties.MaxCapacity")
	s.cause(o.field+".cpuTargetPercent", o.id+"CpuScaling.Properties.TargetTrackingScalingPolicyConfiguration")
}
