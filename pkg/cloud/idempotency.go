package cloud

// class says what makes a mutating call safe to ask again when its answer is
// lost (facts: failure-modes 2.2).
type class string

const (
	// tokened: the same token is the same request.
	tokened class = "token"
	// natural: twice leaves what once leaves.
	natural class = "natural"
	// readBack: nothing protects it. The SDK asks again only when AWS said
	// that it was not carried out; otherwise the live state decides.
	readBack class = "read-back"
)

// mutations is every mutating operation of this package. A test reads the
// sources and fails on one that is missing here.
func mutations() map[string]class {
	return map[string]class{
		"CreateStack":                   tokened,
		"CreateChangeSet":               tokened,
		"ExecuteChangeSet":              tokened,
		"DeleteChangeSet":               natural,
		"DetectStackDrift":              readBack, // a stack has one detection at a time
		"DeleteStack":                   tokened,
		"ContinueUpdateRollback":        tokened,
		"RollbackStack":                 tokened,
		"CancelUpdateStack":             tokened,
		"UpdateTerminationProtection":   natural,
		"SendCommand":                   readBack,
		"PutParameter":                  readBack,
		"DeleteParameter":               natural,
		"PutSecretValue":                tokened,
		"CreateLogGroup":                natural,
		"PutRetentionPolicy":            natural,
		"DeleteRetentionPolicy":         natural,
		"DeleteLogGroup":                natural,
		"RunInstances":                  tokened,
		"StartInstances":                natural,
		"TerminateInstances":            natural,
		"CreateSecurityGroup":           natural, // two of one name cannot be in a VPC
		"DeleteSecurityGroup":           natural,
		"AuthorizeSecurityGroupIngress": natural,
		"RevokeSecurityGroupIngress":    natural,
		// A second attempt of a conditional call that was carried out is refused
		// by its own condition; who asked reads and finds its own content.
		"PutObject":               natural,
		"DeleteObject":            natural,
		"DeleteObjects":           natural, // by version
		"CopyObject":              natural,
		"CompleteMultipartUpload": natural,
		// The same part with the same content; another upload beside one whose
		// answer was lost, which is found and resumed or expires.
		"UploadPart":            natural,
		"UploadPartCopy":        natural,
		"CreateMultipartUpload": natural,
		"AbortMultipartUpload":  natural,
	}
}

// idempotency is the class of an operation; empty for one that only reads.
func idempotency(operation string) class { return mutations()[operation] }
