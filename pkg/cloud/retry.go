package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// Retries of one request. A throttled request was not carried out, so it is
// asked again for as long as the context lives; anything else that may pass
// is asked again a bounded number of times.
const (
	retryFirst   = 400 * time.Millisecond
	retryMax     = 14 * time.Second
	maxTransient = 8
)

// retryer is the retry policy of every client. It is set explicitly and does
// its own waiting, so that neither AWS_RETRY_MODE nor AWS_NEW_RETRIES_2026
// changes it, and it has no token pool: an empty pool would fail a request
// although AWS only said "slower".
type retryer struct {
	clock Clock
	scale float64
}

var _ aws.RetryerV2 = retryer{}

// callKey finds the state of the current call in its context.
type callKey struct{}

// call is what one operation remembers between its attempts. The SDK runs
// the attempts of an operation one after another.
type call struct {
	delay    backoff
	failures int // retried failures that were not throttling
}

func withCall(ctx context.Context) context.Context {
	return context.WithValue(ctx, callKey{}, &call{delay: backoff{first: retryFirst, max: retryMax}})
}

// MaxAttempts is 0, without a limit: GetRetryToken knows why an attempt
// failed, and ends the loop.
func (retryer) MaxAttempts() int { return 0 }

func (retryer) GetInitialToken() func(error) error { return noRelease }

func (retryer) GetAttemptToken(context.Context) (func(error) error, error) { return noRelease, nil }

func noRelease(error) error { return nil }

// RetryDelay is nothing, because GetRetryToken waits: it has the context.
func (retryer) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// IsErrorRetryable tells whether asking again may help.
func (retryer) IsErrorRetryable(err error) bool {
	return isThrottle(err) || isTransient(err)
}

// GetRetryToken waits before the next attempt, or says why there is none.
func (r retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("a request outside the budget is not retried")
	}
	if !isThrottle(err) {
		operation := awsmiddleware.GetOperationName(ctx)
		if idempotency(operation) == readBack {
			return nil, fmt.Errorf("%s is not repeated blindly", operation)
		}
		if c.failures++; c.failures >= maxTransient {
			return nil, fmt.Errorf("gave up after %d attempts", c.failures)
		}
	}
	d := time.Duration(float64(c.delay.next()) * r.scale)
	if err := r.clock.Sleep(ctx, d); err != nil {
		return nil, err
	}
	return noRelease, nil
}

// isThrottle tells that AWS refused a request because there were too many,
// or because another one on the same thing was running: it was not carried
// out. LimitExceededException is on the SDK's list and not on this one: for
// CloudFormation, ACM, ECR, Logs and Secrets Manager it is a quota.
func isThrottle(err error) bool {
	switch errorCode(err) {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
		"RequestThrottled", "TooManyRequestsException", "RequestLimitExceeded",
		"BandwidthLimitExceeded", "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
		"ProvisionedThroughputExceededException",
		"TooManyUpdates",            // SSM: parallel writes of one parameter
		"OperationAbortedException", // Logs: two changes of one log group at once
		"ResourceContention":        // Auto Scaling: another update is pending
		return true
	}
	return false
}

// isTransient tells that an attempt failed in a way that may pass, and that
// leaves open whether it was carried out.
func isTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var canceled interface{ CanceledError() bool }
	if errors.As(err, &canceled) && canceled.CanceledError() {
		return false
	}
	// The SDK marks a failure by clock skew, which it corrects, this way.
	var marked interface{ RetryableError() bool }
	if errors.As(err, &marked) {
		return marked.RetryableError()
	}
	if transientCode(errorCode(err)) {
		return true
	}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) {
		switch status.HTTPStatusCode() {
		case 500, 502, 503, 504:
			return true
		}
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return false // an answer that we do not know is an answer
	}
	return retry.RetryableConnectionError{}.IsErrorRetryable(err).Bool() || isTimeout(err)
}

// transientCode tells that a code names a trouble of AWS's own side.
func transientCode(code string) bool {
	switch code {
	case "RequestTimeout", "RequestTimeoutException", "IDPCommunicationError", "InternalFailure",
		"InternalError", "InternalServerError", "InternalServiceError", "ServiceUnavailable":
		return true
	}
	return false
}

// isTimeout tells that an attempt took too long on the wire.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
