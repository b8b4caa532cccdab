package s3table

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzRecord: whatever bytes a record's object has, it is refused, or read as the fields that a
// plain reading finds there; an object without a record is refused. Written again it is read as the
// same. Names of locks are kept whatever their bytes.
func FuzzRecord(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", `{"record":null}`, `{"record":{}}`, `{"unique":"u"}`, `{"record":[]}`,
		`{"record":{"name":"AGE=","sid":"s","nonce":"n","host":"h","since":"2026-11-28T12:00:00.5Z"},"unique":"u"}`,
		`{"record":{"state":"alive","beat":5,"host":"h","user":"u","pid":7,"version":"v"},"unique":"u"}`,
		`{"record":{"state":"dead","beat":9223372036854775808}}`, `{"record":{"name":"AA=="}`, `{"Record":{"nonce":"n"}}`,
		`{"record":{"":{"":1E700}}}`,
	} {
		f.Add([]byte(body), []byte("bucket\x00a/b\xff"), int64(1763836145))
	}
	f.Fuzz(func(t *testing.T, body, name []byte, since int64) {
		for _, body := range [][]byte{body, slices.Concat([]byte(`{"record":`), body, []byte("}"))} {
			wantRecord(t, body)
		}
		again(t, lock{Name: name, Nonce: "n", Since: time.Unix(since&(1<<37-1), 5).UTC()})
	})
}

// wantRecord fails unless a body is refused, or has a record that says what is read from it.
func wantRecord(t *testing.T, body []byte) {
	t.Helper()
	var l lock
	var s session
	errLock, errSession := decode(body, &l), decode(body, &s)
	if (errLock == nil || errSession == nil) && !hasRecord(body) {
		t.Errorf("%q was taken for a record", body)
	}
	if errLock == nil {
		again(t, l)
		says(t, body, map[string]string{"sid": l.SID, "nonce": l.Nonce, "host": l.Host})
		if l.Nonce == "" && l.public().Name != "" {
			t.Errorf("%+v is not free", l)
		}
	}
	if errSession == nil {
		again(t, s)
		says(t, body, map[string]string{"state": string(s.State), "host": s.Host, "user": s.User, "version": s.Version})
	}
}

// again fails unless the record is the same when it was written and read.
func again[T any](t *testing.T, rec T) {
	t.Helper()
	body, err := encode(rec)
	if err != nil {
		t.Fatalf("%+v cannot be written: %v", rec, err)
	}
	var got T
	if err := decode(body, &got); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	before, _ := json.Marshal(rec)
	after, _ := json.Marshal(got)
	if !bytes.Equal(before, after) {
		t.Errorf("read again as %s, before %s", after, before)
	}
	if l, ok := any(rec).(lock); ok && !bytes.Equal(l.Name, any(got).(lock).Name) {
		t.Errorf("the name %q became %q", l.Name, any(got).(lock).Name)
	}
}

// says fails unless these are the texts in the record of a body. One that has a name twice, in
// whatever case, says nothing.
func says(t *testing.T, body []byte, want map[string]string) {
	t.Helper()
	var outer map[string]map[string]any
	if json.Unmarshal(body, &outer) != nil || len(outer) != 1 {
		return
	}
	for _, fields := range outer {
		for name, text := range want {
			found, times := "", 0
			for field, value := range fields {
				if strings.EqualFold(field, name) {
					found, _ = value.(string)
					times++
				}
			}
			if times <= 1 && found != text && bytes.Count(bytes.ToLower(body), []byte(name)) <= 1 {
				t.Errorf("%s is %q in %s", name, text, body)
			}
		}
	}
}

// hasRecord tells whether a body is a JSON object with a field record that says something. Names of
// fields are read in any case, as encoding/json does. The value is looked at as it is written, since
// a number in it may be too large for any Go type.
func hasRecord(body []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return false
	}
	for name, value := range fields {
		if strings.EqualFold(name, "record") && bytes.HasPrefix(value, []byte("{")) {
			return true
		}
	}
	return false
}
