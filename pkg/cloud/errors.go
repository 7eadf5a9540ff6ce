package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"reconcile/pkg/apply"
)

// The exact texts of AWS that mean something which no code says. Each is used
// through one predicate below (facts: failure-modes 2.A, 2.B; evidence there).
const (
	textNoChanges        = "The submitted information didn't contain changes."
	textNoUpdates        = "No updates are to be performed."
	textIncompleteValues = "[WARN] --include-property-values option can return incomplete ChangeSet data"
	textMismatch         = "mismatch with existing attribute"
	textNoCredentials    = "get identity: get credentials: " // the SDK's, which has no type for it
)

var (
	textAbsentStack = regexp.MustCompile(`^Stack (with id \S+|\[\S+\]|'\S+') does not exist$`)
	textBusyStack   = regexp.MustCompile(`is in \[?([A-Z_]+_IN_PROGRESS)\]? state`)
	textBusySet     = regexp.MustCompile(`current status of \[[A-Z_]+_IN_PROGRESS\]`)
)

// noCode is what the SDK calls an error whose body has no code.
const noCode = "UnknownError"

// errorCode is AWS's code of an error, or "".
func errorCode(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) && api.ErrorCode() != noCode {
		return api.ErrorCode()
	}
	return ""
}

// errorMessage is AWS's text of an error, or what went wrong on the way
// there, without the SDK's account of where it noticed.
func errorMessage(err error) string {
	if _, why, ok := strings.Cut(err.Error(), textNoCredentials); ok {
		return "there are no AWS credentials: log in, or set AWS_PROFILE or --profile; --sandbox needs none (" + cutShort(why) + ")"
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorMessage() != "" && api.ErrorCode() != noCode {
		return api.ErrorMessage()
	}
	var unsent *smithyhttp.RequestSendError
	if errors.As(err, &unsent) {
		err = unsent.Err
		var at *url.Error
		if errors.As(err, &at) {
			return "no answer from " + host(at.URL) + ": " + at.Err.Error()
		}
		return "no answer: " + err.Error()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		if api != nil {
			return fmt.Sprintf("an answer that is none of AWS's, with status %d", response.HTTPStatusCode())
		}
		return fmt.Sprintf("an answer that is none of AWS's, with status %d: %s", response.HTTPStatusCode(), cutShort(response.Err.Error()))
	}
	return err.Error()
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "AWS"
	}
	return u.Host
}

// noChanges tells whether a change set's reason, or an error's text, says
// that there is nothing to change. Both prefixes, and nothing else: any other
// failed change set is a failure.
func noChanges(reason string) bool {
	return strings.HasPrefix(reason, textNoChanges) || strings.HasPrefix(reason, textNoUpdates)
}

// incompleteValues tells that a change set described with property values may
// lack changes.
func incompleteValues(reason string) bool { return strings.HasPrefix(reason, textIncompleteValues) }

// stackAbsent tells that CloudFormation says that a stack does not exist.
// A validation error alone says nothing.
func stackAbsent(err error) bool {
	return errorCode(err) == "ValidationError" && textAbsentStack.MatchString(errorMessage(err))
}

// kindOf sorts an error into what the engine branches on.
func kindOf(err error) apply.FailureKind {
	switch errorCode(err) {
	case "ChangeSetNotFound", "StackNotFoundException", "ParameterNotFound", "ResourceNotFoundException",
		"RepositoryNotFoundException", "ImageNotFoundException", "NoSuchKey", "NoSuchBucket", "NotFound",
		"ClusterNotFoundException", "InvalidResourceId":
		return apply.FailureAbsent
	case "OperationInProgressException":
		return apply.FailureBusy
	case "AlreadyExistsException", "NameAlreadyExistsException", "TokenAlreadyExistsException",
		"ParameterAlreadyExists", "ResourceAlreadyExistsException", "ResourceExistsException",
		"PreconditionFailed", "StaleRequestException":
		return apply.FailureConflict
	case "InvalidChangeSetStatus":
		if textBusySet.MatchString(errorMessage(err)) {
			return apply.FailureBusy
		}
		return apply.FailureConflict
	case "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation", "AuthorizationError":
		return apply.FailureDenied
	case "ValidationError":
		message := errorMessage(err)
		switch {
		case stackAbsent(err):
			return apply.FailureAbsent
		case textBusyStack.MatchString(message):
			return apply.FailureBusy
		case strings.Contains(message, "already exists and cannot be created again"):
			return apply.FailureConflict
		}
	}
	return apply.FailureOther
}

// failure translates an error of an operation on an item. It never returns
// nil, and what it returns holds no secret. A failure that leaves open whether
// AWS did what it was asked has no code, whatever AWS called it.
func (c *Cloud) failure(item string, err error) *apply.Failure {
	var known *apply.Failure
	if errors.As(err, &known) {
		return known
	}
	f := &apply.Failure{Code: errorCode(err), Kind: kindOf(err)}
	message := errorMessage(err)
	switch {
	case isCanceled(err):
		f.Kind, f.Code, message = apply.FailureCanceled, "", "interrupted"
	case isTransient(err):
		f.Kind, f.Code, message = apply.FailureOther, "", strings.TrimPrefix(f.Code+": "+message, ": ")
	}
	f.Message = c.masks.apply(item + ": " + oneLine(message))
	return f
}

func isCanceled(err error) bool {
	var canceled interface{ CanceledError() bool }
	return errors.Is(err, context.Canceled) || errors.As(err, &canceled) && canceled.CanceledError()
}

// cutShort keeps a text that may quote a whole page readable.
func cutShort(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + " …"
	}
	return s
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
