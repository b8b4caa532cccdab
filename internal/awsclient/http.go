package awsclient

import (
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// dialTimeout is short because a new connection is tried again at once: an attempt that
	// got none is unsent.
	dialTimeout = 5 * time.Second
	// idleTimeout is how long an unused connection is kept. A request on one that a
	// middle box has forgotten meanwhile has an unknown outcome, hence costs the quiet time.
	idleTimeout = 30 * time.Second
	// idleConnections is more than a mount's requests of one kind at the same time, so
	// that none dials because another just ended.
	idleConnections = 64
)

// HTTP makes a client with connections of its own from that of the configuration, which
// knows of proxies and AWS_CA_BUNDLE.
func HTTP(cfg aws.Config) *http.Client {
	buildable, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	t := buildable.GetTransport()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.MaxIdleConns, t.MaxIdleConnsPerHost = idleConnections, idleConnections
	t.IdleConnTimeout = idleTimeout
	t.DisableCompression = true
	// HTTP/2 would carry all requests over one connection. To copy a Transport has set it up
	// for HTTP/2 already, hence all three.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = nil
	t.TLSClientConfig.NextProtos = nil
	return Over(t)
}

// Over makes a client whose requests a transport carries.
func Over(t http.RoundTripper) *http.Client {
	// To follow a redirect would be a second attempt.
	return &http.Client{Transport: plain{t}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}
