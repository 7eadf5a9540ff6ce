package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"net/http"
)

// DefaultConcurrency is how many requests are in flight at once.
const DefaultConcurrency = 16

// Options of Open.
type Options struct {
	Region  string // wins over the environment
	Profile string // wins over AWS_PROFILE
	// HTTPClient carries the requests; nil is a pooled client over the network.
	HTTPClient aws.HTTPClient
	// Endpoint is one base URL for every service; empty is AWS, or AWS_ENDPOINT_URL.
	Endpoint string
	// StaticCredentials signs with dummy credentials and reads no file, no
	// environment and no instance metadata: for the sandbox.
	StaticCredentials bool
	// Concurrency is how many requests are in flight at once; 0 means
	// DefaultConcurrency.
	Concurrency int
	// Clock is the wall clock if nil.
	Clock Clock
	// PollScale multiplies every delay (polls, back-off) and divides every
	// rate; 0 means 1. The sandbox's operations take milliseconds.
	PollScale float64
	// AppID names this program in the user agent, "reconcile/1.2.3".
	AppID string
	// Log takes what the SDK has to say, at level debug: it warns of what its
	// own retries mend. Nil drops it.
	Log *slog.Logger
}

// sdkLog is the SDK's logger. Without one the SDK writes to standard error.
func (o Options) sdkLog() logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		if o.Log != nil {
			o.Log.Debug("AWS SDK: " + fmt.Sprintf(format, v...))
		}
	})
}

// Cloud is one account and region. It is safe for concurrent use.
type Cloud struct {
	region string
	clock  Clock
	scale  float64
	budget *budget
	masks  masks
	config aws.Config

	cfn     *cloudformation.Client
	sts     *sts.Client
	ssm     *ssm.Client
	asg     *autoscaling.Client
	ecr     *ecr.Client
	ecs     *ecs.Client
	secrets *secretsmanager.Client
	logs    *cloudwatchlogs.Client
	s3      *s3.Client
	s3Data  *s3.Client // for requests that carry or copy much
	acm     *acm.Client
}

// Open builds the clients. It asks AWS nothing.
func Open(ctx context.Context, o Options) (*Cloud, error) {
	c := &Cloud{clock: o.Clock, scale: o.PollScale}
	if c.clock == nil {
		c.clock = systemClock{}
	}
	if c.scale <= 0 {
		c.scale = 1
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	c.budget = newBudget(c.clock, c.scale, o.Concurrency)
	cfg, err := loadConfig(ctx, o)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS region: set spec.region of the Platform")
	}
	cfg.Retryer = func() aws.Retryer { return retryer{clock: c.clock, scale: c.scale} }
	cfg.RetryMaxAttempts = 0 // a number here would wrap our retryer
	cfg.APIOptions = append(cfg.APIOptions, func(s *middleware.Stack) error { return c.budget.middleware(s) })
	c.region, c.config = cfg.Region, cfg
	c.openClients(cfg, o.StaticCredentials)
	return c, nil
}

func loadConfig(ctx context.Context, o Options) (aws.Config, error) {
	client := o.HTTPClient
	if client == nil {
		client = awshttp.NewBuildableClient().
			WithTimeout(60 * time.Second).
			WithTransportOptions(func(t *http.Transport) {
				t.MaxIdleConnsPerHost = o.Concurrency
				t.ResponseHeaderTimeout = 45 * time.Second
			})
	}
	if o.StaticCredentials {
		cfg := aws.Config{Region: o.Region, HTTPClient: client, AppID: o.AppID, Logger: o.sdkLog()}
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "sandbox", SecretAccessKey: "sandbox", Source: "sandbox"}, nil
		})
		if o.Endpoint != "" {
			cfg.BaseEndpoint = aws.String(o.Endpoint)
		}
		return cfg, nil
	}
	load := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(o.sdkLog())}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.AppID != "" {
		load = append(load, config.WithAppID(o.AppID))
	}
	if o.Endpoint != "" {
		load = append(load, config.WithBaseEndpoint(o.Endpoint))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return cfg, nil
}

func (c *Cloud) openClients(cfg aws.Config, static bool) {
	c.cfn = cloudformation.NewFromConfig(cfg)
	c.sts = sts.NewFromConfig(cfg)
	c.ssm = ssm.NewFromConfig(cfg)
	c.asg = autoscaling.NewFromConfig(cfg)
	c.ecr = ecr.NewFromConfig(cfg)
	c.ecs = ecs.NewFromConfig(cfg)
	c.secrets = secretsmanager.NewFromConfig(cfg)
	c.logs = cloudwatchlogs.NewFromConfig(cfg)
	c.acm = acm.NewFromConfig(cfg)
	set := func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true // it would write to standard error past our log
		// What is not AWS has no DNS name per bucket.
		o.UsePathStyle = static || cfg.BaseEndpoint != nil || o.BaseEndpoint != nil
	}
	c.s3 = s3.NewFromConfig(cfg, set)
	c.s3Data = s3.NewFromConfig(cfg, set, func(o *s3.Options) {
		if patient, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = patient.WithTimeout(dataTimeout).WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = dataTimeout })
		}
	})
}

// dataTimeout is for one part of an upload on a slow line, or for S3 to copy
// one part.
const dataTimeout = 20 * time.Minute

// Account asks STS whose credentials these are: the 12-digit account id.
func (c *Cloud) Account(ctx context.Context) (string, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", c.readError("ask STS for the account", err)
	}
	return aws.ToString(out.Account), nil
}

// Region is where everything happens.
func (c *Cloud) Region() string { return c.region }

// readError wraps an error of a read with what was being done, secrets masked.
// errors.Is(err, context.Canceled) and errors.As(err, **apply.Failure) work on it.
func (c *Cloud) readError(doing string, err error) error {
	if isCanceled(err) {
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	return c.failure(doing, err)
}
