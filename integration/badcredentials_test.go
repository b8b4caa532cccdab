package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// Where no credentials can be had init and mount say so in one line with what to do, soon; and when
// that was done they work.
func TestBadInputCredentials(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	good := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", b.Server().AccessKey, b.Server().SecretKey)
	process := func(command string) string { return "[default]\ncredential_process = " + command + "\n" }
	answer := fmt.Sprintf(`{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}`, b.Server().AccessKey, b.Server().SecretKey)
	gives := func(text string) string {
		file := filepath.Join(e.Dir, fmt.Sprintf("answer-%d", len(text)))
		e.Must(os.WriteFile(file, []byte(text), 0o600))
		return process("cat " + file)
	}
	instance := &instanceRole{keys: b.Server()}
	metadata := httptest.NewServer(instance)
	t.Cleanup(metadata.Close)
	role := []string{"AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + metadata.URL}

	for _, c := range []struct {
		name                string
		config, credentials string // contents of the files
		env                 []string
		says                string
		mend                func() (config, credentials string) // what the line says is to be done; nil: that takes AWS
	}{
		{"none", "", "", nil, "AWS_ACCESS_KEY_ID", func() (string, string) { return "", "[default]\n" + good }},
		{"half of a key", "", "[default]\naws_access_key_id = A\n", nil, "credentials", func() (string, string) { return "", "[default]\n" + good }},
		{"process that is not there", process("/nowhere/keys"), "", nil, "credential_process", func() (string, string) { return gives(answer), "" }},
		{"process that fails", process("false"), "", nil, "credential_process", func() (string, string) { return gives(answer), "" }},
		{"process that says nothing", process("true"), "", nil, "credential_process", func() (string, string) { return gives(answer), "" }},
		{"process that says something else", gives("keys"), "", nil, "credential_process", func() (string, string) { return gives(answer), "" }},
		{"no login", "[default]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = r\n[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com/start\n",
			"", nil, "aws sso login", nil},
		{"no token of a web identity", "[default]\nrole_arn = arn:aws:iam::111122223333:role/r\nweb_identity_token_file = /nowhere/token\n", "", nil, "web_identity_token_file", nil},
		{"instance without a role", "", "", role, "AWS_ACCESS_KEY_ID", func() (string, string) {
			instance.has.Store(true)
			return "", ""
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b.For(t)
			dir := b.Mkdir("aws-" + strings.ReplaceAll(c.name, " ", "-"))
			write := func(name, content string) string {
				path := filepath.Join(dir, name)
				b.Must(os.WriteFile(path, []byte(content), 0o600))
				return path
			}
			env := append([]string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "HOME=" + dir,
				"AWS_CONFIG_FILE=" + write("config", c.config), "AWS_SHARED_CREDENTIALS_FILE=" + write("credentials", c.credentials)}, c.env...)
			h := b.Host("host")
			h.Env = env
			run := func(args []string) harness.Output { return b.Start(h.Command(args...)).Wait(time.Minute) }
			for _, args := range [][]string{b.InitArgs(), h.MountArgs()} {
				began := time.Now()
				o := run(args)
				// What a process says itself comes before.
				_, said, _ := strings.Cut(o.Err, "latchfs: ")
				if o.Code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, c.says) || time.Since(began) > 10*time.Second {
					t.Errorf("%s: exit code %d after %s, said %q; want a line with %s", args[0], o.Code, time.Since(began), o.Err, c.says)
				}
			}
			if c.mend == nil {
				return
			}
			config, credentials := c.mend()
			write("config", config)
			write("credentials", credentials)
			if o := run(b.InitArgs()); o.Code != 0 {
				t.Errorf("mended: exit code %d, said %q", o.Code, o.Err)
			}
		})
	}
}

// An instanceRole is the metadata service of an instance, which has a role, or none yet.
type instanceRole struct {
	keys harness.Endpoint
	has  atomic.Bool
}

func (i *instanceRole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const list = "/latest/meta-data/iam/security-credentials/"
	switch {
	case r.URL.Path == "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
		fmt.Fprint(w, "token")
	case !i.has.Load():
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == list:
		fmt.Fprint(w, "role")
	case r.URL.Path == list+"role":
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"%s","SecretAccessKey":"%s","Token":"","Expiration":"%s"}`,
			i.keys.AccessKey, i.keys.SecretKey, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
