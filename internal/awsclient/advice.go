package awsclient

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go"

	"github.com/latchfs/latchfs/internal/awserr"
)

// A CredentialsError says that there are no valid credentials: they have expired, the service does
// not know them, or there are none to be had.
type CredentialsError struct {
	Advice string // what to do, in one line
	Err    error  // why
}

// Error implements error.
func (e *CredentialsError) Error() string {
	return "no valid credentials: " + e.Advice + " (" + e.Err.Error() + ")"
}

// Unwrap gives the reason.
func (e *CredentialsError) Unwrap() error { return e.Err }

// sharedFile is what the SDK calls the source of keys that stand in a file, before its path.
const sharedFile = "SharedConfigCredentials: "

// advice tells what to do about credentials of that source, in the SDK's words for it, that are of
// no use.
func advice(source string, cause error) string {
	if failed := failedSource(cause); failed != "" {
		source = failed
	}
	what := "put valid ones"
	if awserr.Expired(cause) {
		what = "they have expired: put new ones"
	}
	file, inFile := strings.CutPrefix(source, sharedFile)
	switch {
	case inFile:
		return what + " into " + file
	case source == config.CredentialsSourceName:
		return what + " into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) and start the command again, or use --profile, whose files are read again while it runs"
	case source == ssocreds.ProviderName:
		return "run aws sso login, with --profile if one is used"
	case source == logincreds.ProviderName:
		return "run aws login, with --profile if one is used"
	case source == processcreds.ProviderName:
		return "mend what credential_process in ~/.aws/config runs, so that it gives valid ones"
	case source == stscreds.ProviderName:
		return "check role_arn in ~/.aws/config or AWS_ROLE_ARN, and who may assume that role"
	case source == stscreds.WebIdentityProviderName:
		return "check AWS_WEB_IDENTITY_TOKEN_FILE, or web_identity_token_file in ~/.aws/config"
	case source == ec2rolecreds.ProviderName:
		return "check the role of this instance"
	}
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass --profile"
}

// failedSource tells by its error which source gave no credentials, "" if that is not known.
func failedSource(cause error) string {
	if _, ok := errors.AsType[*processcreds.ProviderError](cause); ok {
		return processcreds.ProviderName
	}
	if _, ok := errors.AsType[*ssocreds.InvalidTokenError](cause); ok {
		return ssocreds.ProviderName
	}
	if op, ok := errors.AsType[*smithy.OperationError](cause); ok && op.Service() == "STS" {
		return stscreds.ProviderName
	}
	// These have no type.
	switch text := cause.Error(); {
	case strings.Contains(text, "SSO token"):
		return ssocreds.ProviderName
	case strings.Contains(text, "failed to retrieve jwt"):
		return stscreds.WebIdentityProviderName
	}
	return ""
}
