package harness

import (
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Tokenless takes the session token out of requests, of which the server knows none, and signs them
// anew. It is for Proxy.Rewrite.
func (s Endpoint) Tokenless(r *http.Request) {
	if r.Header.Get("X-Amz-Security-Token") == "" {
		return
	}
	r.Header.Del("X-Amz-Security-Token")
	s.signAnew(r)
}

// signAnew signs a request whose headers were changed, with the keys of the server.
func (s Endpoint) signAnew(r *http.Request) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential, "/") // key, date, region, service
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if len(scope) < 4 || err != nil {
		return // the server will refuse it
	}
	r.Header.Del("Authorization")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	keys := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	// What cannot be signed the server refuses, too.
	_ = signer.SignHTTP(r.Context(), keys, r, r.Header.Get("X-Amz-Content-Sha256"), scope[3], scope[2], at)
}
