package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// foreignRule has what this program knows of rules, and what it does not know.
const foreignRule = `<ID>theirs &amp; old</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>7</ObjectSizeGreaterThan></And></Filter>` +
	`<Status>Enabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>` +
	`<Expiration><Days>365</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>` +
	`<OfNextYear a="1"><Deep>x</Deep></OfNextYear>`

// What a rule says is read, and all of it is kept to the byte.
func TestLifecycleDocument(t *testing.T) {
	rules, err := store.ParseLifecycle([]byte(`<?xml version="1.0"?>` + "\n" + `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>` +
		foreignRule + `</Rule><Rule><Prefix>old/</Prefix><Status>Disabled</Status></Rule></LifecycleConfiguration>`))
	if err != nil || len(rules) != 2 {
		t.Fatalf("%+v, %v", rules, err)
	}
	r := rules[0]
	if r.ID != "theirs & old" || r.For() != "logs/" || r.ExpireDays != 365 || r.NoncurrentDays != 9 || r.KeepNewer != 3 || r.Filter.And.More != 7 ||
		len(r.Filter.And.Tag) != 1 || len(r.Transitions) != 1 || r.Transitions[0].Class != "GLACIER" || r.Status != "Enabled" || rules[1].For() != "old/" {
		t.Errorf("%+v", rules)
	}
	if document := string(store.Lifecycle{Rules: rules}.Document()); r.XML != foreignRule || !strings.Contains(document, "<Rule>"+foreignRule+"</Rule><Rule><Prefix>old/") {
		t.Errorf("the document is %s", document)
	}
	for _, bad := range []string{"", "<html></html>", "<LifecycleConfiguration><Rule>"} {
		if _, err := store.ParseLifecycle([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The rules are replaced as a whole, those that nobody has are none, and an answer that was lost is
// asked for again.
func TestLifecycle(t *testing.T) {
	f := faultstore.New(memstore.New(memstore.Options{Versioned: true}))
	c := store.New(f, store.Options{})
	if l, err := c.Lifecycle(t.Context()); err != nil || len(l.Rules) != 0 {
		t.Errorf("none: %+v, %v", l, err)
	}
	f.On("SetLifecycle").Nth(1).LoseReply()
	want := store.Lifecycle{MinimumSize: "varies_by_storage_class", Rules: []store.LifecycleRule{{XML: foreignRule}}}
	if err := c.SetLifecycle(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := c.Lifecycle(t.Context())
	if err != nil || got.MinimumSize != want.MinimumSize || !slices.Equal(got.Document(), want.Document()) {
		t.Errorf("%+v, %v", got, err)
	}
	f.On("Lifecycle").Fail(store.Refused, store.ErrAccessDenied)
	if _, err := c.Lifecycle(t.Context()); !errors.Is(err, store.ErrAccessDenied) {
		t.Errorf("denied: %v", err)
	}
}
