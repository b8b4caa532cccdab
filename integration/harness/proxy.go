package harness

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Proxy stands between a host and an S3 server: it records what passes and can stop,
// lose or change it. It passes the Host header on, which is signed, so that the server
// takes the requests for its own.
type Proxy struct {
	URL    string
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
	Status              int // of the answer; 0: none was given
	At                  time.Time
}

// Key is the object's key in a request to the bucket.
func (r Request) Key(bucket string) string { return strings.TrimPrefix(r.Path, "/"+bucket+"/") }

// A Fault is what happens to a request.
type Fault int

const (
	Pass      Fault = iota
	Hang            // no answer until the client gives up; the server never sees it
	Refuse          // the connection is closed at once; the server never sees it
	LoseReply       // the server acts, the client gets no answer
	Halt            // the server sees it after Resume, unless the client gives up before
	Busy            // 503 SlowDown
	Denied          // 403, as for keys that may not do this
	Held            // 403, as for a version under Object Lock
	Archived        // 403, as for an object in Glacier that was not restored
)

// s3Answers are the faults that are answers of S3's.
var s3Answers = map[Fault]struct {
	status        int
	code, message string
}{
	Busy:     {http.StatusServiceUnavailable, "SlowDown", "Reduce your request rate."},
	Denied:   {http.StatusForbidden, "AccessDenied", "Access Denied"},
	Held:     {http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock."},
	Archived: {http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class"},
}

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
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
			// As it came: the path is signed, and the reverse proxy cleans queries.
			r.Out.URL.Path, r.Out.URL.RawPath = r.In.URL.Path, r.In.URL.RawPath
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
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

// Seen lists the requests so far for which match holds.
func (p *Proxy) Seen(match func(Request) bool) []Request {
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

// Mutation tells whether a request changes an object.
func Mutation(r *http.Request) bool {
	return r.Method == http.MethodPut || r.Method == http.MethodPost || r.Method == http.MethodDelete
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	p.mu.Lock()
	fault := Pass
	if p.fault != nil {
		fault = p.fault(r)
	}
	n, gate := len(p.seen), p.gate
	p.seen = append(p.seen, Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), At: time.Now()})
	p.mu.Unlock()

	status := &statusWriter{ResponseWriter: w}
	switch fault {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-p.stop:
		}
		panic(http.ErrAbortHandler)
	case Halt:
		select {
		case <-gate:
			forward.ServeHTTP(status, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-p.stop:
			panic(http.ErrAbortHandler)
		}
	case Refuse:
		panic(http.ErrAbortHandler)
	case LoseReply:
		forward.ServeHTTP(&deafWriter{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case Busy, Denied, Held, Archived:
		a := s3Answers[fault]
		w.Header().Set("Content-Type", "application/xml")
		status.WriteHeader(a.status)
		fmt.Fprintf(status, "<Error><Code>%s</Code><Message>%s</Message></Error>", a.code, a.message)
	default:
		forward.ServeHTTP(status, r)
	}
	p.mu.Lock()
	p.seen[n].Status = status.code
	p.mu.Unlock()
}

// A statusWriter remembers the status code of an answer.
type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A deafWriter takes an answer and drops it.
type deafWriter struct{ header http.Header }

func (w *deafWriter) Header() http.Header         { return w.header }
func (w *deafWriter) WriteHeader(int)             {}
func (w *deafWriter) Write(p []byte) (int, error) { return len(p), nil }
