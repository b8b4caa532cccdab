package s3table

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/lockmgr"
)

// answering is a server that gives one answer to all requests.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(strings.NewReader(string(a))), ContentLength: int64(len(a)), Request: r}, nil
}

// A listing that says that it is cut off, and not how to go on, is no listing: what it lacks would be taken
// for records that are missing.
func TestAListingThatIsCutOff(t *testing.T) {
	for answer, whole := range map[string]bool{
		"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>": true,
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>":  false,
	} {
		tab, err := Open(t.Context(), Config{Bucket: "b", Region: "r", Endpoint: "http://127.0.0.1:1", PathStyle: true,
			AccessKey: "a", SecretKey: "s", Transport: answering(answer)})
		if err != nil {
			t.Fatal(err)
		}
		err = tab.Records(t.Context(), func(lockmgr.Record) error { return nil })
		if (err == nil) != whole || err != nil && !errors.Is(err, lockmgr.ErrUnavailable) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
