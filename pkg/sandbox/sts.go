package sandbox

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func stsOperations() map[string]operation {
	return map[string]operation{"GetCallerIdentity": reads(getCallerIdentity)}
}

// getCallerIdentity says the sandbox's account, whoever signed.
func getCallerIdentity(c *call, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	return &sts.GetCallerIdentityOutput{
		Account: aws.String(c.account.ID),
		Arn:     aws.String("arn:aws:iam::" + c.account.ID + ":user/sandbox"),
		UserId:  aws.String("AIDASANDBOX0000000000"),
	}, nil
}
