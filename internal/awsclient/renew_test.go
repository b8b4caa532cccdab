package awsclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// refused is the answer to a request with that access key.
func refused(code, key string) error {
	request := &http.Request{Header: http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=" + key + "/20250102/r/s3/aws4_request"}}}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadRequest, Request: request}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "m"},
	}
}

// fromFile makes credentials of a file, whose keys write sets, and gives their log.
func fromFile(t *testing.T) (c *Credentials, write func(id string), log *bytes.Buffer) {
	t.Helper()
	home := t.TempDir()
	file := filepath.Join(home, "credentials")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": filepath.Join(home, "config"),
	} {
		t.Setenv(name, value)
	}
	write = func(id string) {
		t.Helper()
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", id)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ONE")
	log = new(bytes.Buffer)
	cfg, err := Config(t.Context(), Access{Region: "r", Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cfg.Credentials.(*Credentials), write, log
}

// Keys that were refused are replaced by those that are there now. If there are no others that is
// said, and in the log once.
func TestRenew(t *testing.T) {
	c, _, log := fromFile(t)
	for range 3 {
		err := c.Renew(refused("ExpiredToken", "ONE"))
		if none, ok := errors.AsType[*CredentialsError](err); !ok || !strings.Contains(none.Advice, "expired: put new ones into /") {
			t.Errorf("without others: %v", err)
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in the log:\n%s", n, log)
	}

	c, write, log := fromFile(t)
	write("TWO")
	for range 3 { // also those that were under way meanwhile
		if err := c.Renew(refused("InvalidAccessKeyId", "ONE")); err != nil {
			t.Errorf("with others: %v", err)
		}
	}
	if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != "TWO" {
		t.Errorf("the key is %q, %v", got.AccessKeyID, err)
	}
	if log.Len() > 0 {
		t.Errorf("the log says %s", log)
	}
	if err := c.Renew(refused("ExpiredToken", "TWO")); err == nil {
		t.Error("the new ones have expired, too, and others were found")
	}
}

// What cannot get credentials now, but may later, is no proof that there are none.
func TestRetrieve(t *testing.T) {
	c, write, log := fromFile(t)
	fails := func(err error) {
		c.now = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err })
	}
	fails(&net.OpError{Op: "dial", Err: errors.New("no route to host")})
	_, err := c.Retrieve(t.Context())
	if _, none := errors.AsType[*CredentialsError](err); err == nil || none || log.Len() > 0 {
		t.Errorf("a service that cannot be reached: %v, and the log says %q", err, log)
	}
	fails(errors.New("it says no"))
	write("TWO")
	if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != "TWO" {
		t.Errorf("the key is %q, %v", got.AccessKeyID, err)
	}
	c, _, log = fromFile(t)
	t.Setenv("AWS_PROFILE", "nobody")
	fails(errors.New("it says no"))
	_, err = c.Retrieve(t.Context())
	if _, none := errors.AsType[*CredentialsError](err); !none || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("without any: %v, and the log says %q", err, log)
	}
}
