package volume

import (
	"net/url"
	"strconv"
	"strings"
)

// Check fails with a UsageError if an endpoint is no URL of a server. The SDK would say so only
// with the first request, or send it elsewhere.
func (a Access) Check() error {
	if err := checkEndpoint("--endpoint-url", a.Endpoint); err != nil {
		return err
	}
	return checkEndpoint("--dynamodb-endpoint-url", a.DynamoDBEndpoint)
}

// checkConfigured is Check for endpoints that the SDK found in its environment or configuration.
func (a Access) checkConfigured(asked Access) error {
	if a.Endpoint != asked.Endpoint {
		if err := checkEndpoint("AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or endpoint_url of the profile", a.Endpoint); err != nil {
			return err
		}
	}
	if a.DynamoDBEndpoint != asked.DynamoDBEndpoint {
		return checkEndpoint("AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or endpoint_url of the profile", a.DynamoDBEndpoint)
	}
	return nil
}

// checkEndpoint checks what a flag or a variable of that name holds; "" is none.
func checkEndpoint(name, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err == nil && u.User != nil: // not shown: it is most often a secret
		return Usagef("%s has a user name in it: leave that out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", name)
	case !strings.Contains(endpoint, "/"):
		return Usagef("%s %q is no URL: write http:// or https:// before it", name, endpoint)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.RawQuery != "", u.Fragment != "", !isPort(u.Port()):
		return Usagef("%s %q is not the URL of a server: write http://HOST:PORT or https://HOST", name, endpoint)
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}
