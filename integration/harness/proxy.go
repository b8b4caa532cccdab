package harness

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Proxy stands between a host and an S3 server: it records what passes and can stop,
// lose or change it. It passes the Host header on, which is signed, so that the server
// takes the requests for its own.
type Proxy struct {
	URL string
	// Surviving: requests that change something go on when their client has given up or died,
	// as they do behind a network. It is set before the first request.
	Surviving bool
	// Rewrite, if not nil, changes requests before the server sees them. It is set before the first
	// request.
	Rewrite func(*http.Request)
	// Latency is how long each request takes before the server sees it. It is set before the
	// first request.
	Latency time.Duration

	server *http.Server
	stop   chan struct{} // closed at the end: ends what hangs

	mu    sync.Mutex
	seen  []Request
	fault func(*http.Request) Fault
	alter func(*http.Response)
	gate  chan struct{} // closed by Resume
}

// A Request is one that passed the proxy.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Status              int    // of the server's answer; 0: it gave none, or none was asked for
	Version             string // x-amz-version-id of that answer
	At, Till            time.Time
}

// Key is the object's key in a request to the bucket.
func (r Request) Key(bucket string) string { return strings.TrimPrefix(r.Path, "/"+bucket+"/") }

// Proxy starts a proxy in front of the bucket's server that ends with the test.
func (b *Bucket) Proxy() *Proxy {
	b.Helper()
	return b.newProxy(b.server.URL)
}

// LockProxy is Proxy for the DynamoDB server.
func (b *Bucket) LockProxy() *Proxy {
	b.Helper()
	return b.newProxy(b.dynamo.URL)
}

func (e *Env) newProxy(server string) *Proxy {
	e.Helper()
	target, err := url.Parse(server)
	e.Must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	e.Must(err)
	p := &Proxy{URL: "http://" + l.Addr().String(), stop: make(chan struct{}), gate: make(chan struct{})}
	e.proxies = append(e.proxies, p)
	// A test may start a hundred proxies: what they keep open without use would use up the server's.
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 2 * time.Second}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
			// As it came: the path is signed, and the reverse proxy cleans queries.
			r.Out.URL.Path, r.Out.URL.RawPath = r.In.URL.Path, r.In.URL.RawPath
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			if p.Rewrite != nil {
				p.Rewrite(r.Out)
			}
		},
		Transport: transport,
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			alter := p.alter
			p.mu.Unlock()
			if alter != nil {
				alter(r)
			}
			return nil
		},
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		FlushInterval: -1,
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, forward) })}
	go p.server.Serve(l)
	return p
}

func (p *Proxy) close() {
	close(p.stop)
	p.server.Close()
}

// Inject sets what happens to requests from now on; nil lets all pass.
func (p *Proxy) Inject(f func(*http.Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Resume lets go on what Halt has stopped so far.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.gate)
	p.gate = make(chan struct{})
}

// Alter sets what is done to answers from now on.
func (p *Proxy) Alter(f func(*http.Response)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alter = f
}

// Seen lists the requests so far for which match holds, those of probes left out.
func (p *Proxy) Seen(match func(Request) bool) []Request {
	return p.filter(func(r Request) bool { return !r.probes() && match(r) })
}

// Probes is Seen for the requests by which init and mounts prove the server.
func (p *Proxy) Probes(match func(Request) bool) []Request {
	return p.filter(func(r Request) bool { return r.probes() && match(r) })
}

func (p *Proxy) filter(match func(Request) bool) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Request
	for _, r := range p.seen {
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

// probes tells whether the request is one of a probe.
func (r Request) probes() bool { return ofProbe(r.Path, r.Query) }

// OfProbe tells whether the request is one of those by which init and mounts prove the server, about
// an object or by a list.
func OfProbe(r *http.Request) bool { return ofProbe(r.URL.Path, r.URL.RawQuery) }

func ofProbe(path, query string) bool {
	return strings.Contains(path, "/"+store.ProbePrefix) || strings.Contains(query, url.QueryEscape(store.ProbePrefix)) ||
		strings.Contains(query, "object-lock")
}
