package dynamo

import (
	"errors"
	"io"
	"net/http"
	texts "strings" // the package has a function of that name
	"testing"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A service answers each action of DynamoDB with a text.
type service map[string]string

func (s service) RoundTrip(r *http.Request) (*http.Response, error) {
	_, action, _ := texts.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, status := s[action], http.StatusOK
	if texts.Contains(body, "__type") {
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(texts.NewReader(body)), ContentLength: int64(len(body))}, nil
}

const (
	config = `{"Item":{"p":{"S":"C"},"schema":{"N":"1"},"id":{"S":"one"},"beat_ms":{"N":"3000"},"lease_ms":{"N":"20000"},"delay_ms":{"N":"30000"}}}`
	denied = `{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"not authorized"}`
)

func described(more string) string {
	return `{"Table":{"TableName":"locks","TableStatus":"ACTIVE"` + more + `}}`
}

func openAt(t *testing.T, s service) *Table {
	tab, err := Open(t.Context(), Config{Table: "locks", Region: "eu-central-1", AccessKey: "a", SecretKey: "s", Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// A table whose regions can grant one lock twice is refused, by whoever reads its configuration
// and by whoever would write one.
func TestGlobalTables(t *testing.T) {
	const replicas = `,"Replicas":[{"RegionName":"us-east-1"},{"RegionName":"us-west-2"}]`
	for _, c := range []struct {
		name, describe string
		refused        bool
	}{
		{"one region", described(""), false},
		{"no replicas", described(`,"Replicas":[]`), false},
		{"replicas", described(`,"GlobalTableVersion":"2019.11.21"` + replicas), true},
		{"eventual", described(`,"GlobalTableVersion":"2019.11.21","MultiRegionConsistency":"EVENTUAL"` + replicas), true},
		{"replicas alone", described(replicas), true},
		{"old version", described(`,"GlobalTableVersion":"2017.11.29"`), true},
		{"strong", described(`,"GlobalTableVersion":"2019.11.21","MultiRegionConsistency":"STRONG"` + replicas), false},
		{"not to be known", denied, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := openAt(t, service{"GetItem": config, "DescribeTable": c.describe}).ReadConfig(t.Context())
			if errors.Is(err, lockmgr.ErrReplicated) != c.refused || err == nil && got.Beat != 3*time.Second {
				t.Errorf("%+v, %v", got, err)
			}
			if c.refused && (!texts.Contains(err.Error(), "locks is a global table") || texts.Contains(c.describe, "us-west-2") && !texts.Contains(err.Error(), "us-west-2")) {
				t.Errorf("it does not say which: %v", err)
			}
			if !c.refused {
				return
			}
			empty := service{"GetItem": "{}", "Scan": `{"Items":[]}`, "CreateTable": `{"__type":"x#ResourceInUseException","message":"exists"}`,
				"DescribeTable": c.describe, "UpdateTimeToLive": "{}"} // PutItem would be garbled
			if _, _, err := openAt(t, empty).Init(t.Context(), lockmgr.Config{Timing: DefaultTiming}); !errors.Is(err, lockmgr.ErrReplicated) {
				t.Errorf("init: %v", err)
			}
		})
	}
}

// A busy answer says nothing of regions.
func TestGlobalTablesNotKnown(t *testing.T) {
	s := service{"GetItem": config, "DescribeTable": `{"__type":"x#ThrottlingException","message":"slow"}`}
	if _, err := openAt(t, s).ReadConfig(t.Context()); !errors.Is(err, lockmgr.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
