package awsclient

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Keys that stand in a file are read anew, for all who share them; if the file is of no use then,
// the old ones stay.
func TestReread(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "credentials")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": filepath.Join(home, "config"),
	} {
		t.Setenv(name, value)
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(id string) string {
		return fmt.Sprintf("[p]\naws_access_key_id = %s\naws_secret_access_key = secret\n", id)
	}
	write(keys("ONE"))
	first, err := Config(t.Context(), Access{Region: "r", Profile: "p"})
	if err != nil {
		t.Fatal(err)
	}
	shared := first.Credentials.(*Credentials)
	second, err := Config(t.Context(), Access{Region: "r", Credentials: shared})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(id string) {
		t.Helper()
		for _, c := range []aws.CredentialsProvider{first.Credentials, second.Credentials} {
			if got, err := c.Retrieve(t.Context()); err != nil || got.AccessKeyID != id {
				t.Errorf("the access key is %q, %v; want %q", got.AccessKeyID, err, id)
			}
		}
	}
	expect("ONE")
	write(keys("TWO"))
	expect("ONE")
	if err := shared.Reread(t.Context()); err != nil {
		t.Error(err)
	}
	expect("TWO")
	for what, content := range map[string]string{"no such profile": "[q]\n", "no keys": "[p]\n", "half a file": "[p]\naws_access_key_id = THREE\n"} {
		write(content)
		if err := shared.Reread(t.Context()); err == nil {
			t.Errorf("%s: no error", what)
		}
		expect("TWO")
	}
	static, err := Config(t.Context(), Access{Region: "r", AccessKey: "S", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if err := static.Credentials.(*Credentials).Reread(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := static.Credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != "S" {
		t.Errorf("keys that were given: %q, %v", got.AccessKeyID, err)
	}
}
