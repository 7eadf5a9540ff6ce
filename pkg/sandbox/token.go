package sandbox

import (
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A page token carries the key of the last item, so that a list that changes
// between two pages neither repeats nor skips what stays.

const tokenPrefix = "sandbox:"

func sealToken(last string) *string {
	return aws.String(base64.URLEncoding.EncodeToString([]byte(tokenPrefix + last)))
}

func openToken(token string) (string, error) {
	b, err := base64.URLEncoding.DecodeString(token)
	last, ok := strings.CutPrefix(string(b), tokenPrefix)
	if err != nil || !ok {
		return "", &Fail{Code: "InvalidNextToken", Message: "The specified token is not valid."}
	}
	return last, nil
}
