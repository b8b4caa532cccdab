package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// An authority issues certificates that nobody trusts by himself.
type authority struct {
	*harness.Env
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string // the file with its certificate
}

func newAuthority(e *harness.Env, name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.Must(err)
	self := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, self, self, &key.PublicKey, key)
	e.Must(err)
	a := &authority{Env: e, key: key, pem: filepath.Join(e.Dir, name+".pem")}
	a.cert, err = x509.ParseCertificate(der)
	e.Must(err)
	e.Must(os.WriteFile(a.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// serve puts https before a server of http, with a certificate for that host that is valid until
// then, and gives its address.
func (a *authority) serve(server, host string, until time.Time) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.Must(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until}
	if ip := net.ParseIP(host); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	a.Must(err)
	target, err := url.Parse(server)
	a.Must(err)
	s := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
		r.Out.URL.Path, r.Out.URL.RawPath, r.Out.URL.RawQuery = r.In.URL.Path, r.In.URL.RawPath, r.In.URL.RawQuery
	}})
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	a.Cleanup(s.Close)
	return s.URL
}

// Where the server and latchfs do not come to terms about TLS, init and mount say so at once, in one
// line that says what to do; and what it says helps.
func TestBadInputTLS(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	good, other := newAuthority(e, "good"), newAuthority(e, "other")
	const here = "127.0.0.1"
	s3, dynamo := b.Server().URL, b.LockServer().URL
	later := time.Now().Add(time.Hour)
	secure, wrongName, old := good.serve(s3, here, later), good.serve(s3, "s3.example.com", later), good.serve(s3, here, time.Now().Add(-time.Hour))
	secureLocks := good.serve(dynamo, here, later)
	plain := func(url string) string { return "http" + strings.TrimPrefix(url, "https") }
	tls := func(url string) string { return "https" + strings.TrimPrefix(url, "http") }
	for _, c := range []struct {
		name   string
		b      *harness.Bucket
		bundle string
		says   []string // nothing: it works
	}{
		{"unknown authority", b.Through(secure), "", []string{"AWS_CA_BUNDLE"}},
		{"another authority", b.Through(secure), other.pem, []string{"AWS_CA_BUNDLE"}},
		{"its authority", b.Through(secure), good.pem, nil},
		{"wrong name", b.Through(wrongName), good.pem, []string{"--endpoint-url", "s3.example.com"}},
		{"expired", b.Through(old), good.pem, []string{"expired", "clock"}},
		{"https to http", b.Through(tls(s3)), "", []string{"--endpoint-url", "http://"}},
		{"http to https", b.Through(plain(secure)), "", []string{"--endpoint-url", "https://"}},
		{"locks: unknown authority", b.LocksThrough(secureLocks), "", []string{"AWS_CA_BUNDLE", "lock table"}},
		{"locks: its authority", b.LocksThrough(secureLocks), good.pem, nil},
		{"locks: https to http", b.LocksThrough(tls(dynamo)), "", []string{"--dynamodb-endpoint-url", "http://"}},
		{"locks: http to https", b.LocksThrough(plain(secureLocks)), "", []string{"--dynamodb-endpoint-url", "https://"}},
		{"no bundle", b.Through(secure), filepath.Join(e.Dir, "none"), []string{"AWS_CA_BUNDLE"}},
		{"bundle without a certificate", b.Through(secure), os.Args[0], []string{"AWS_CA_BUNDLE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.b.For(t)
			if c.says == nil {
				h := b.Host("host")
				h.Env = []string{"AWS_CA_BUNDLE=" + c.bundle}
				h.Mount()
				newFiles(b.Env).mustPut(h.Path("f"), "x\n")
				h.Umount()
				return
			}
			for _, args := range [][]string{b.InitArgs(), b.Host("host").MountArgs()} {
				cmd := b.Host("host").Command(args...)
				cmd.Env = append(cmd.Env, "AWS_CA_BUNDLE="+c.bundle)
				began := time.Now()
				o := b.Start(cmd).Wait(time.Minute)
				_, said, _ := strings.Cut(o.Err, "latchfs: ")
				if o.Code != 1 || strings.Count(said, "\n") != 1 || time.Since(began) > 5*time.Second {
					t.Errorf("%s: exit code %d after %s, said %q", args[0], o.Code, time.Since(began), o.Err)
				}
				for _, want := range c.says {
					if !strings.Contains(said, want) {
						t.Errorf("%s: nothing of %s in %q", args[0], want, said)
					}
				}
			}
		})
	}
}
