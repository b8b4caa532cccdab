package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"time"
)

// A Fault is what happens to a request.
type Fault int

const (
	Pass      Fault = iota
	Hang            // no answer until the client gives up; the server never sees it
	Refuse          // the connection is closed at once; the server never sees it
	LoseReply       // the server acts, the client gets no answer
	Halt            // the server sees it after Resume, unless the client gives up before
	Late            // the server acts at once, the answer takes up to Lateness
	Straggle        // the server sees it up to Lateness later, also when the client has given up
	Twice           // a box in the middle sends it twice, and passes the second answer on
	Busy            // 503 SlowDown
	Denied          // 403, as for keys that may not do this
	Held            // 403, as for a version under Object Lock
	Archived        // 403, as for an object in Glacier that was not restored
	Internal        // 500 InternalError; the server never sees it
	Skewed          // 403 RequestTimeTooSkewed, with a date an hour ahead
	Expired         // 400 ExpiredToken
	Unknown         // 501, as of a server that does not know the request
)

// Lateness is the longest delay of a request or an answer that is late. It is shorter than the
// delay of any lock table.
const Lateness = 800 * time.Millisecond

// s3Answers are the faults that are answers of S3's.
var s3Answers = map[Fault]struct {
	status        int
	code, message string
}{
	Busy:     {http.StatusServiceUnavailable, "SlowDown", "Reduce your request rate."},
	Denied:   {http.StatusForbidden, "AccessDenied", "Access Denied"},
	Held:     {http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock."},
	Unknown:  {http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented."},
	Archived: {http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class"},
	Internal: {http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."},
	Skewed:   {http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
	Expired:  {http.StatusBadRequest, "ExpiredToken", "The provided token has expired."},
}

// dynamoAnswers are the same of DynamoDB's.
var dynamoAnswers = map[Fault]struct {
	status        int
	code, message string
}{
	Busy:     {http.StatusBadRequest, "ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded."},
	Denied:   {http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform this action"},
	Internal: {http.StatusInternalServerError, "InternalServerError", "Internal server error"},
	Skewed:   {http.StatusBadRequest, "InvalidSignatureException", "Signature expired: it is now earlier than the server's time."},
	Unknown:  {http.StatusBadRequest, "UnknownOperationException", ""},
	Expired:  {http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired"},
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
	time.Sleep(p.Latency)

	again := func() *http.Request { return r }
	if p.Surviving && Mutation(r) || fault == Straggle || fault == Twice {
		var err error
		if again, err = whole(r); err != nil {
			panic(http.ErrAbortHandler) // the client went before the server could see it
		}
	}
	pass := func(w http.ResponseWriter, n int) {
		status := &statusWriter{ResponseWriter: w}
		forward.ServeHTTP(status, again())
		p.answered(n, status)
	}
	switch fault {
	case Hang:
		p.wait(r, nil)
		panic(http.ErrAbortHandler)
	case Halt:
		if !p.wait(r, gate) {
			panic(http.ErrAbortHandler)
		}
		pass(w, n)
	case Refuse:
		panic(http.ErrAbortHandler)
	case LoseReply:
		pass(&deafWriter{header: http.Header{}}, n)
		panic(http.ErrAbortHandler)
	case Late:
		held := httptest.NewRecorder()
		pass(held, n)
		time.Sleep(rand.N(Lateness))
		maps.Copy(w.Header(), held.Header())
		w.WriteHeader(held.Code)
		w.Write(held.Body.Bytes())
	case Straggle:
		time.Sleep(rand.N(Lateness))
		pass(w, n)
	case Twice:
		pass(&deafWriter{header: http.Header{}}, n)
		p.mu.Lock()
		second := p.seen[n]
		second.At, n = time.Now(), len(p.seen)
		p.seen = append(p.seen, second)
		p.mu.Unlock()
		pass(w, n)
	case Busy, Denied, Held, Archived, Internal, Skewed, Expired, Unknown:
		status := &statusWriter{ResponseWriter: w}
		refuse(status, r, fault)
		p.answered(n, status)
	default:
		pass(w, n)
	}
}

// refuse answers with an error, as the service would that the request is for. net/http leaves out
// the body of an answer to a HEAD.
func refuse(w http.ResponseWriter, r *http.Request, fault Fault) {
	if fault == Skewed {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	}
	if r.Header.Get("X-Amz-Target") != "" {
		a := dynamoAnswers[fault]
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(a.status)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q}`, a.code, a.message)
		return
	}
	a := s3Answers[fault]
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(a.status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", a.code, a.message)
}

// wait waits for the gate, the end of the proxy or that of the client, and tells whether it was
// the gate.
func (p *Proxy) wait(r *http.Request, gate <-chan struct{}) bool {
	select {
	case <-gate:
		return true
	case <-r.Context().Done():
	case <-p.stop:
	}
	return false
}

// answered notes what the server said to a request.
func (p *Proxy) answered(n int, status *statusWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[n].Status, p.seen[n].Version, p.seen[n].Till = status.code, status.Header().Get("X-Amz-Version-Id"), time.Now()
}

// whole takes a request out of its client's hands. What it returns gives the request, as often
// as one likes.
func whole(r *http.Request) (func() *http.Request, error) {
	body, err := io.ReadAll(r.Body)
	return func() *http.Request {
		c := r.Clone(context.WithoutCancel(r.Context()))
		c.Body = io.NopCloser(bytes.NewReader(body))
		return c
	}, err
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
