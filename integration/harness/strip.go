package harness

import (
	"net/http"
	"strings"
)

// Conditions are kinds of requests whose conditions a StrippingServer takes away.
type Conditions uint

const (
	OnPut        Conditions = 1 << iota // PutObject
	OnCopy                              // CopyObject, on its target
	OnPartSource                        // UploadPartCopy, on its source
	OnComplete                          // CompleteMultipartUpload
	OnDelete                            // DeleteObject

	OnEverything = OnPut | OnCopy | OnPartSource | OnComplete | OnDelete
)

// StrippingServer is a server that ignores some conditions and answers as if they had held, as many do:
// a proxy in front of a server that honours them takes the headers away and signs again. It ends with
// the test.
func (e *Env) StrippingServer(behind Endpoint, ignored Conditions) Endpoint {
	e.Helper()
	return e.StrippingBucket(behind, ignored, "")
}

// StrippingBucket is a StrippingServer that does so in one bucket alone.
func (e *Env) StrippingBucket(behind Endpoint, ignored Conditions, bucket string) Endpoint {
	e.Helper()
	p := e.newProxy(behind.URL)
	p.Rewrite = func(r *http.Request) {
		if bucket != "" && !strings.HasPrefix(r.URL.Path, "/"+bucket+"/") {
			return
		}
		switch conditionsOf(r) & ignored {
		case 0:
			return
		case OnPartSource:
			r.Header.Del("X-Amz-Copy-Source-If-Match")
		default:
			r.Header.Del("If-Match")
			r.Header.Del("If-None-Match")
		}
		behind.signAnew(r)
	}
	return Endpoint{p.URL, behind.AccessKey, behind.SecretKey}
}

// conditionsOf tells which kind of request this is; 0: one that changes no object.
func conditionsOf(r *http.Request) Conditions {
	q, copies := r.URL.Query(), r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return OnPartSource
	case r.Method == http.MethodPut && copies:
		return OnCopy
	case r.Method == http.MethodPut:
		return OnPut
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return OnComplete
	case r.Method == http.MethodDelete && !q.Has("uploadId"):
		return OnDelete
	}
	return 0
}
