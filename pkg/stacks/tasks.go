package stacks

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// backendTask is nginx, PHP-FPM, the scheduler and the queue worker in one task.
func (p *platform) backendTask(s *stack) {
	image := func(tag string) any { return cfn.Join(cfn.StackOutput(p.cicd(), "BackendRepoUri"), ":"+tag) }
	nginx := p.container("nginx", image("nginx-latest"), "BackendLogs", "nginx")
	nginx["Essential"] = true
	nginx["PortMappings"] = list{props{"ContainerPort": 80, "Protocol": "tcp"}}
	nginx["HealthCheck"] = props{
		"Command":  list{"CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1/up || exit 1"},
		"Interval": 30, "Timeout": 5, "Retries": 3, "StartPeriod": 60,
	}
	php := func(name, prefix, command string, essential bool) props {
		c := p.container(name, image("php-latest"), "BackendLogs", prefix)
		c["Essential"] = essential
		c["EntryPoint"] = list{"/bin/sh", "-lc"}
		c["Command"] = list{script(phpBootstrapScript) + command}
		c["Environment"] = p.backendEnvironment()
		c["Secrets"] = p.backendSecrets()
		return c
	}
	fpm := php("php-fpm", "php", "exec /usr/local/sbin/php-fpm\n", true)
	scheduler := php("scheduler", "scheduler", sidecar("scheduler", "exec /usr/local/bin/php artisan schedule:work"), false)
	worker := php("queue-worker", "queue",
		sidecar("queue-worker", "exec /usr/local/bin/php artisan queue:work --sleep=3 --tries=3 --max-time=3600"), false)
	for _, c := range []props{scheduler, worker} {
		// For what the loop cannot survive itself, such as a kill for want of memory.
		// ECS restarts a container only after it has run this long.
		c["RestartPolicy"] = props{"Enabled": true, "RestartAttemptPeriod": 60}
	}
	p.task(s, "Backend", p.backendName(), p.Backend, list{nginx, fpm, scheduler, worker})
	for _, c := range []string{"php-fpm", "scheduler", "queue-worker"} {
		at := "BackendTask.Properties.ContainerDefinitions[" + c + "]"
		s.cause("spec.domain.name", at+".Environment[APP_URL]", at+".Environment[FRONTEND_URL]")
		s.cause("spec.cache.encryption", at+".Environment[REDIS_HOST]", at+".Secrets[REDIS_PASSWORD]")
	}
	p.backendRoles(s)

	// Only a failed exit counts: the queue worker ends each hour on purpose.
	s.add("SidecarFailures", cfn.Resource{Type: "AWS::Logs::MetricFilter", Properties: props{
		"LogGroupName":  cfn.LogicalRef("BackendLogs"),
		"FilterPattern": `"sidecar failed"`,
		"MetricTransformations": list{props{
			"MetricNamespace": p.sidecarNamespace(), "MetricName": sidecarFailures, "MetricValue": "1", "DefaultValue": 0,
		}},
	}})
}

const sidecarFailures = "SidecarFailures"

func (p *platform) sidecarNamespace() string { return p.Name + "/Backend" }

// sidecar is the loop that keeps a command alive.
func sidecar(name, command string) string {
	return "name=" + shellQuote(name) + "\nrun() { " + command + "; }\n" + script(sidecarScript)
}

func (p *platform) frontendTask(s *stack) {
	c := p.container("nextjs", cfn.Join(cfn.StackOutput(p.cicd(), "FrontendRepoUri"), ":latest"), "FrontendLogs", "nextjs")
	c["Essential"] = true
	c["PortMappings"] = list{props{"ContainerPort": 3000, "Protocol": "tcp"}}
	api := cfn.Join(p.baseURL(), "/api")
	c["Environment"] = environment(
		"NODE_ENV", "production",
		// For the server side: the browser's value is baked into the image.
		"NEXT_PUBLIC_API_BASE_URL", api,
		"NEXT_PUBLIC_API_URL", api,
	)
	c["HealthCheck"] = props{
		"Command":  list{"CMD", "node", "-e", frontendHealthScript},
		"Interval": 30, "Timeout": 10, "Retries": 3, "StartPeriod": 60,
	}
	p.task(s, "Frontend", p.frontendName(), p.Frontend, list{c})
	s.cause("spec.domain.name", "FrontendTask.Properties.ContainerDefinitions[nextjs].Environment")
	p.frontendRoles(s)
}

func (p *platform) container(name string, image any, logs, prefix string) props {
	return props{
		"Name":  name,
		"Image": image,
		// ECS resolves a moving tag once per deployment: tasks of one deployment are
		// alike, and a rollback starts the image that ran before.
		"VersionConsistency": "enabled",
		"LogConfiguration": props{"LogDriver": "awslogs", "Options": props{
			"awslogs-group": cfn.LogicalRef(logs), "awslogs-region": p.Region, "awslogs-stream-prefix": prefix,
		}},
	}
}

func (p *platform) task(s *stack, id, family string, size spec.Service, containers list) {
	s.add(id+"Task", cfn.Resource{Type: "AWS::ECS::TaskDefinition", Properties: props{
		"Family":                  family,
		"Cpu":                     decimal(size.CPU),
		"Memory":                  decimal(size.MemoryMiB),
		"NetworkMode":             "awsvpc",
		"RequiresCompatibilities": list{"FARGATE"},
		"RuntimePlatform":         props{"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
		"TaskRoleArn":             cfn.GetAtt(id+"TaskRole", "Arn"),
		"ExecutionRoleArn":        cfn.GetAtt(id+"ExecutionRole", "Arn"),
		"ContainerDefinitions":    containers,
	}})
	s.Sources[id+"Task.Properties.ContainerDefinitions"] = p.Source
}

// environment pairs names and values.
func environment(pairs ...any) list {
	var out list
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, props{"Name": pairs[i], "Value": pairs[i+1]})
	}
	return out
}

// backendEnvironment is the same for PHP-FPM, scheduler and queue worker.
func (p *platform) backendEnvironment() list {
	data := func(output string) any { return cfn.StackOutput(p.data(), output) }
	redis := data("RedisEndpoint")
	if p.Cache.Encryption {
		redis = cfn.Join("tls://", redis)
	}
	return environment(
		"APP_ENV", "production",
		"APP_DEBUG", "false",
		"APP_URL", p.baseURL(),
		"FRONTEND_URL", p.baseURL(),
		"APPLE_PRIVATE_KEY", "/var/www/html/storage/keys/Apple_AuthKey.p8",
		"LOG_CHANNEL", "stderr",
		"DB_CONNECTION", "central",
		"CENTRAL_DB_DRIVER", "mariadb",
		"CENTRAL_DB_PORT", "3306",
		"CENTRAL_DB_DATABASE", p.identifier(),
		"TENANT_POOL_1_DB_DRIVER", "mariadb",
		"TENANT_POOL_1_DB_DATABASE", "tenant_pool_1",
		"TENANT_POOL_2_DB_DRIVER", "mariadb",
		"TENANT_POOL_2_DB_DATABASE", "tenant_pool_2",
		"REDIS_HOST", redis,
		"REDIS_PORT", "6379",
		"CACHE_STORE", "redis",
		"SESSION_DRIVER", "redis",
		"QUEUE_CONNECTION", "database",
		"FILESYSTEM_DISK", "s3",
		"AWS_DEFAULT_REGION", p.Region,
		"AWS_URL", cfn.Join("https://", data("CloudFrontDomain")),
		"COMFYUI_AWS_REGION", p.Region,
		"AWS_BUCKET", data("MediaBucketName"),
		"COMFYUI_MODELS_BUCKET", data("ModelsBucketName"),
		"COMFYUI_MODELS_DISK", "comfyui_models",
		"COMFYUI_LOGS_BUCKET", data("LogsBucketName"),
		"COMFYUI_LOGS_DISK", "comfyui_logs",
	)
}

// backendSecrets are read by ECS when a task starts, never by a template.
func (p *platform) backendSecrets() list {
	var out list
	add := func(name string, from any) { out = append(out, props{"Name": name, "ValueFrom": from}) }
	secret := func(output string) any { return cfn.StackOutput(p.data(), output) }
	key := func(output, key string) any { return cfn.Join(secret(output), ":"+key+"::") }

	add("APP_KEY", secret("LaravelKeyArn"))
	for _, db := range []string{"CENTRAL", "TENANT_POOL_1", "TENANT_POOL_2"} {
		add(db+"_DB_HOST", key("DatabaseSecretArn", "host"))
		add(db+"_DB_USERNAME", key("DatabaseSecretArn", "username"))
		add(db+"_DB_PASSWORD", key("DatabaseSecretArn", "password"))
	}
	add("COMFYUI_ASSET_OPS_SECRET", secret("AssetOpsSecretArn"))
	for _, k := range []struct{ name, key string }{
		{"GOOGLE_CLIENT_ID", "google_client_id"},
		{"GOOGLE_CLIENT_SECRET", "google_client_secret"},
		{"TIKTOK_CLIENT_ID", "tiktok_client_id"},
		{"TIKTOK_CLIENT_SECRET", "tiktok_client_secret"},
		{"APPLE_CLIENT_ID", "apple_client_id"},
		{"APPLE_CLIENT_SECRET", "apple_client_secret"},
		{"APPLE_KEY_ID", "apple_key_id"},
		{"APPLE_TEAM_ID", "apple_team_id"},
		{"APPLE_PRIVATE_KEY_P8_B64", "apple_private_key_p8_b64"},
	} {
		add(k.name, key("OAuthSecretsArn", k.key))
	}
	add("COMFYUI_FLEET_SECRET_STAGING", p.parameterARN(p.fleetSecretParameter("staging")))
	add("COMFYUI_FLEET_SECRET_PRODUCTION", p.parameterARN(p.fleetSecretParameter("production")))
	if p.Cache.Encryption {
		add("REDIS_PASSWORD", secret("RedisSecretArn"))
	}
	return out
}
