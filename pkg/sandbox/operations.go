package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/pkg/sandbox/stackengine"
)

// call is one request on its way through a service.
type call struct {
	ctx     context.Context
	now     time.Time
	account *account
	region  *region
	engine  *stackengine.Engine
	sandbox *Sandbox
}

// arn builds the ARN of a regional resource.
func (c *call) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, c.region.Name, c.account.ID, resource)
}

// operation is one API operation of a service on the SDK's own types.
type operation struct {
	write bool // it changes state, so it goes into the journal
	newIn func() any
	run   func(c *call, in any) (any, error)
}

// reads wraps a handler that changes nothing.
func reads[In, Out any](f func(*call, *In) (*Out, error)) operation {
	return operation{
		newIn: func() any { return new(In) },
		run: func(c *call, in any) (any, error) {
			typed, ok := in.(*In)
			if !ok {
				return nil, fmt.Errorf("input is %T, want %T", in, typed)
			}
			out, err := f(c, typed)
			if err != nil {
				return nil, err // not a typed nil
			}
			return out, nil
		},
	}
}

// writes wraps a handler that may change state.
func writes[In, Out any](f func(*call, *In) (*Out, error)) operation {
	op := reads(f)
	op.write = true
	return op
}

// service is one AWS service at the wire.
type service struct {
	protocol   protocol
	namespace  string // of XML answers
	throttle   string // the code of a throttled call
	operations map[string]operation
	// many tells that a client may also speak rpc-v2-cbor or awsJson.
	many bool
	// rest finds the operation of a rest-json request; its body becomes JSON
	// with the members of path and query in it.
	rest func(r *http.Request, req request) (request, protocol, *Fail)
}

// throttled is the answer to one call too many.
func (v *service) throttled() *Fault {
	f := &Fault{Code: v.throttle, Message: "Rate exceeded", Status: http.StatusBadRequest}
	if v.protocol == protocolS3 || v.protocol == protocolEC2 {
		f.Status = http.StatusServiceUnavailable
	}
	return f
}

// unknown is the answer to an operation that the sandbox does not have.
func (v *service) unknown(op string) *Fail {
	switch v.protocol {
	case protocolJSON, protocolREST:
		return &Fail{Code: "UnknownOperationException", Message: "the sandbox has no operation " + op}
	case protocolEC2:
		return &Fail{Code: "InvalidAction", Message: fmt.Sprintf("The action %s is not valid for this web service.", op)}
	}
	return &Fail{Code: "InvalidAction", Message: "Could not find operation " + op + " in the sandbox"}
}

// services lists what the sandbox serves, by the name in a signature's scope.
func services() map[string]*service {
	return map[string]*service{
		"acm":                     {protocol: protocolJSON, throttle: "ThrottlingException", operations: acmOperations()},
		"autoscaling":             {protocol: protocolQuery, namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/", throttle: "Throttling", operations: autoscalingOperations()},
		"cloudformation":          {protocol: protocolQuery, namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/", throttle: "Throttling", operations: cloudformationOperations()},
		"ec2":                     {protocol: protocolEC2, throttle: "RequestLimitExceeded", operations: ec2Operations()},
		"application-autoscaling": {protocol: protocolJSON, throttle: "ThrottlingException", operations: scalingOperations()},
		"elasticache":             {protocol: protocolQuery, namespace: "http://elasticache.amazonaws.com/doc/2015-02-02/", throttle: "Throttling", operations: cacheOperations()},
		"elasticloadbalancing":    {protocol: protocolQuery, namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", throttle: "Throttling", operations: balancerOperations()},
		"iam":                     {protocol: protocolQuery, namespace: "https://iam.amazonaws.com/doc/2010-05-08/", throttle: "Throttling", operations: iamOperations()},
		"monitoring":              {protocol: protocolQuery, namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", throttle: "Throttling", operations: metricOperations(), many: true},
		"budgets":                 {protocol: protocolJSON, throttle: "ThrottlingException", operations: budgetOperations()},
		"cloudcontrolapi":         {protocol: protocolJSON, throttle: "ThrottlingException", operations: cloudControlOperations()},
		"lambda":                  {protocol: protocolREST, throttle: "TooManyRequestsException", operations: lambdaOperations(), rest: lambdaRoute},
		"pricing":                 {protocol: protocolJSON, throttle: "ThrottlingException", operations: pricingOperations()},
		"servicequotas":           {protocol: protocolJSON, throttle: "TooManyRequestsException", operations: quotaOperations()},
		"sns":                     {protocol: protocolQuery, namespace: "http://sns.amazonaws.com/doc/2010-03-31/", throttle: "Throttling", operations: topicOperations()},
		"sqs":                     {protocol: protocolJSON, throttle: "ThrottlingException", operations: queueOperations()},
		"rds":                     {protocol: protocolQuery, namespace: "http://rds.amazonaws.com/doc/2014-10-31/", throttle: "Throttling", operations: databaseOperations()},
		"ecr":                     {protocol: protocolJSON, throttle: "ThrottlingException", operations: ecrOperations()},
		"ecs":                     {protocol: protocolJSON, throttle: "ThrottlingException", operations: ecsOperations()},
		"logs":                    {protocol: protocolJSON, throttle: "ThrottlingException", operations: logsOperations()},
		"s3":                      {protocol: protocolS3, throttle: "SlowDown"},
		"secretsmanager":          {protocol: protocolJSON, throttle: "ThrottlingException", operations: secretOperations()},
		"ssm":                     {protocol: protocolJSON, throttle: "ThrottlingException", operations: ssmOperations()},
		"sts":                     {protocol: protocolQuery, namespace: "https://sts.amazonaws.com/doc/2011-06-15/", throttle: "Throttling", operations: stsOperations()},
	}
}

// page cuts one page out of a sorted list: what follows the token's key, at
// most limit items, and the token of the next page.
func page[T any](all []T, key func(T) string, token *string, limit int) (out []T, next *string, err error) {
	start := 0
	if aws.ToString(token) != "" {
		last, err := openToken(*token)
		if err != nil {
			return nil, nil, err
		}
		for start < len(all) && key(all[start]) <= last {
			start++
		}
	}
	rest := all[start:]
	if len(rest) <= limit {
		return rest, nil, nil
	}
	return rest[:limit], sealToken(key(rest[limit-1])), nil
}
