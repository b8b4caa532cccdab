package store_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

func TestBucketConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		if _, _, err := w.c.ReadBucketConfig(t.Context()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("missing: %v", err)
		}
		b := store.BucketConfig{Format: store.BucketFormat, ID: "i", Region: "r"}
		b.Lock.Backend, b.Lock.Table, b.Lock.TableID = "dynamodb", "latchfs", "t"
		if err := w.c.WriteBucketConfig(t.Context(), b, store.Base{}); err != nil {
			t.Fatal(err)
		}
		if err := w.c.WriteBucketConfig(t.Context(), b, store.Base{}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("written twice: %v", err)
		}
		got, _, err := w.c.ReadBucketConfig(t.Context())
		if err != nil || got.ID != "i" || got.Region != "r" || got.Format != 1 || got.Lock.Table != "latchfs" || got.Lock.Backend != "dynamodb" || got.Lock.TableID != "t" {
			t.Errorf("read %+v, %v", got, err)
		}
		var plain struct {
			Format     int
			ID, Region string
			Lock       struct {
				Backend, Table string
				TableID        string `json:"table_id"`
			}
		}
		if err := json.Unmarshal([]byte(w.content(store.BucketConfigKey)), &plain); err != nil || plain.Lock.TableID != "t" || plain.ID != "i" {
			t.Errorf("as JSON %+v, %v", plain, err)
		}
	})
}

// That a bucket is being bound to another lock table stands there whatever else is written.
func TestBucketConfigRebind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.b.PutForeign(store.BucketConfigKey, `{"format":1,"id":"i","lock":{"table":"t"}}`)
		b, base, err := w.c.ReadBucketConfig(t.Context())
		if err != nil || b.Rebind != nil {
			t.Fatalf("%+v, %v", b.Rebind, err)
		}
		want := store.Rebind{ID: "r", Since: time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC), By: "host h", Backend: "s3", Table: "other", Blind: true}
		b.Rebind = &want
		if err := w.c.WriteBucketConfig(t.Context(), b, base); err != nil {
			t.Fatal(err)
		}
		if err := w.c.KeepVerdicts(t.Context(), verdict); err != nil {
			t.Fatal(err)
		}
		if b, base, err = w.c.ReadBucketConfig(t.Context()); err != nil || b.Rebind == nil || *b.Rebind != want {
			t.Fatalf("%+v, %v", b.Rebind, err)
		}
		b.Rebind = nil
		if err := w.c.WriteBucketConfig(t.Context(), b, base); err != nil || strings.Contains(w.content(store.BucketConfigKey), "rebind") {
			t.Errorf("%v, %s", err, w.content(store.BucketConfigKey))
		}
	})
}

// What a later version has put there is kept.
func TestBucketConfigUnknownFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.b.PutForeign(store.BucketConfigKey, `{"format":1,"id":"i","probes":{"x":[1,2]},"lock":{"table":"t","zone":"z"}}`)
		b, base, err := w.c.ReadBucketConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.Region = "r"
		if err := w.c.WriteBucketConfig(t.Context(), b, base); err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal([]byte(w.content(store.BucketConfigKey)), &all); err != nil {
			t.Fatal(err)
		}
		if len(all["probes"].(map[string]any)["x"].([]any)) != 2 || all["lock"].(map[string]any)["zone"] != "z" || all["region"] != "r" {
			t.Errorf("written %v", all)
		}
	})
}

func TestBucketConfigDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]string{
			"":                                       "unexpected end",
			`{"format":1,"id":"i"`:                   "unexpected end",
			`{"id":"i"}`:                             "no format",
			`{"format":1}`:                           "no id",
			`{"format":1,"id":7}`:                    "id",
			`{"format":2,"lock":"another form"}`:     "upgrade",
			strings.Repeat(" ", 1<<20) + `{"a":"b"}`: "unexpected end",
		} {
			w := newWorld(t, true)
			w.b.PutForeign(store.BucketConfigKey, text)
			_, _, err := w.c.ReadBucketConfig(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), store.BucketConfigKey) || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%.40q: %v", text, err)
			}
		}
	})
}

// A server that does not answer does not keep init for ever.
func TestBucketConfigUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.f.On("Put").Hang()
		began := time.Now()
		// The second attempt is settled at the moment at which the time is up.
		err := w.c.WriteBucketConfig(t.Context(), store.BucketConfig{}, store.Base{})
		if !errors.Is(err, store.ErrUnknownOutcome) && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 2*(stall+quiet) {
			t.Errorf("took %v", took)
		}
	})
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(memstore.Options{Missing: true})
		c := store.New(b, store.Options{})
		if err := c.CheckBucket(t.Context()); !errors.Is(err, store.ErrNoBucket) {
			t.Errorf("missing: %v", err)
		}
		for range 2 { // the second time as after a lost answer
			if err := c.CreateBucket(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if on, err := c.Versioned(t.Context()); on || err != nil {
			t.Errorf("versioned %v, %v", on, err)
		}
		if err := c.EnableVersioning(t.Context()); err != nil {
			t.Error(err)
		}
		if on, err := c.Versioned(t.Context()); !on || err != nil {
			t.Errorf("versioned %v, %v", on, err)
		}
		_, err := c.Put(t.Context(), valid(), store.Write{Key: key, ID: id}, store.Body{ReaderAt: strings.NewReader(""), Size: 0})
		if err != nil {
			t.Error(err)
		}
		o, err := c.Get(t.Context(), key, store.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Body.Close()
		if text, err := io.ReadAll(o.Body); len(text) > 0 || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}
