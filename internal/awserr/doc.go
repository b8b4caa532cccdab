// Package awserr is the one place that knows the error codes of S3 and DynamoDB and what
// they mean for a request (LOCKS P4).
package awserr
