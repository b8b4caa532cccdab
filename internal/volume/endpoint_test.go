package volume

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckEndpoint(t *testing.T) {
	for _, good := range []string{"", "http://127.0.0.1:9000", "https://s3.example.com", "HTTPS://s3.example.com/", "http://[::1]:9", "http://h:1/path"} {
		if err := (Access{Endpoint: good, DynamoDBEndpoint: good}).Check(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"localhost:9000": "write http:// or https:// before it", "127.0.0.1:9000": "write http:// or https:// before it",
		"nonsense": "write http:// or https:// before it", ":": "write http:// or https:// before it",
		"http://": "write http://HOST:PORT or https://HOST", "http:/x": "write http://HOST:PORT", "//h": "write http://HOST:PORT",
		"ftp://h:1": "write http://HOST:PORT", "http://h h": "write http://HOST:PORT", "http://h:99999": "write http://HOST:PORT",
		"http://h:0": "write http://HOST:PORT", "http://h:abc": "write http://HOST:PORT", "http://h:1?x=1": "write http://HOST:PORT",
		"http://h:1#x": "write http://HOST:PORT", " http://h:1": "write http://HOST:PORT", "http://h:1 ": "write http://HOST:PORT",
		"http://:9": "write http://HOST:PORT", "http://user:secret@h:1": "has a user name in it",
	} {
		for name, a := range map[string]Access{"--endpoint-url": {Endpoint: bad}, "--dynamodb-endpoint-url": {DynamoDBEndpoint: bad}} {
			err := a.Check()
			if _, usage := errors.AsType[*UsageError](err); !usage || !strings.HasPrefix(err.Error(), name+" ") || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret@") {
				t.Errorf("%s %q: %v; want %q", name, bad, err, says)
			}
		}
	}
}

// The SDK reads endpoints from the environment too, and says of a wrong one only that it is none.
func TestEndpointsOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000")
	const says = `AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or endpoint_url of the profile "localhost:8000" is no URL: write http:// or https:// before it`
	_, err := reachSource(t.Context(), Source{Bucket: "b"}, Access{Endpoint: "http://127.0.0.1:9"}, nil)
	if _, usage := errors.AsType[*UsageError](err); !usage || err.Error() != says {
		t.Errorf("%v, want %s", err, says)
	}
}
