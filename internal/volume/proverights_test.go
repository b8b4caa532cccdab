package volume

import (
	"fmt"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// Where Object Lock keeps what a probe writes, init asks first, and a mount goes by what init found.
func TestProveUnderRetention(t *testing.T) {
	p := newProven(t, memstore.Options{Retention: store.Retention{Mode: "GOVERNANCE", Days: 1}, Flaws: store.CopyConditions})
	p.mounts(0, false, "true the S3 server \"s/1\" at http://e/ is not proved: Object Lock would keep")
	if err := p.init(false); err != nil {
		t.Error(err)
	}
	p.says("What is written to bucket b stays", "not proved")
	if keys := p.b.Keys(); len(keys) != 1 {
		t.Errorf("written %q", keys)
	}
	if err := p.init(true); err != nil {
		t.Error(err)
	}
	p.says("What is written to bucket b stays", "small objects, versions or uploads of the probe stay", "of CopyObject")
	p.mounts(store.CopyConditions, false, "false the S3 server")
}

// Who may not write below .latchfs/probe/ is told so and mounts, or goes by what is known.
func TestProveDenied(t *testing.T) {
	p := newProven(t, memstore.Options{Flaws: store.CopyConditions})
	p.f.On("Put").Key(".latchfs/probe/*/*").Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(0, false, "true the S3 server \"s/1\" at http://e/ is not proved: these credentials may not write below .latchfs/probe/ in bucket b")
	if strings.Contains(p.config(), "http://e") {
		t.Error("what was not proved is kept")
	}
	if err := p.init(true); err != nil {
		t.Error(err)
	}
	p.says("is not proved")
	p.f.Heal()
	if err := p.init(true); err != nil {
		t.Error(err)
	}
	p.f.On("Put").Key(".latchfs/probe/*/*").Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(store.CopyConditions, false, "of CopyObject")
}

// What credentials may not ask is not known of the server: no verdict is kept that others would take
// for the whole.
func TestProveInPart(t *testing.T) {
	p := newProven(t, memstore.Options{Flaws: store.CopyConditions})
	p.f.On("Copy").Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(0, true, "is proved in part: these credentials lack s3:PutObject and s3:PutObjectTagging")
	if strings.Contains(p.config(), "http://e") {
		t.Error("a verdict in part is kept")
	}
	p.f.Heal()
	p.mounts(store.CopyConditions, true, "of CopyObject")
	if !strings.Contains(p.config(), "http://e") {
		t.Error("the whole verdict is not kept")
	}
}

// Who cannot remove what a probe writes leaves it once, not at every mount.
func TestProveThatLeavesVersions(t *testing.T) {
	p := newProven(t, memstore.Options{})
	p.f.On("DeleteVersion").Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(0, true, "false the S3 server \"s/1\" at http://e/ is proved in part: these credentials lack s3:DeleteObjectVersion", "stay below .latchfs/probe/ in bucket b, since these credentials lack s3:DeleteObjectVersion")
	before := p.b.Count("Put")
	p.mounts(0, false)
	if p.b.Count("Put") != before {
		t.Error("the second mount probes again")
	}
	if err := p.init(false); err != nil {
		t.Error(err)
	}
	p.says("What is written to bucket b stays", "not proved")
	text := p.config()
	p.f.Heal()
	p.mounts(0, false)
	if p.b.Count("Put") == before || p.config() != text {
		t.Errorf("who may remove it does not probe, or writes %s over %s", p.config(), text)
	}
	p.f.On("DeleteVersion").Fail(store.Refused, store.ErrAccessDenied)
	before = p.b.Count("Put")
	p.mounts(0, false)
	if p.b.Count("Put") != before {
		t.Error("who may not remove it probes after one who may")
	}
}

// Likewise who cannot abort uploads. What that would have shown the next one finds out who may.
func TestProveThatLeavesUploads(t *testing.T) {
	p := newProven(t, memstore.Options{Flaws: store.AbortHarms})
	denied := func() { p.f.On("AbortUpload").Fail(store.Refused, store.ErrAccessDenied) }
	denied()
	p.mounts(0, true, "false the S3 server \"s/1\" at http://e/ is proved in part: these credentials lack s3:AbortMultipartUpload", "stay below .latchfs/probe/ in bucket b, since these credentials lack s3:AbortMultipartUpload")
	if n := p.b.OpenUploads(); n == 0 || !strings.Contains(p.said[1], fmt.Sprintf("true %d small objects", n)) {
		t.Errorf("%d uploads are left, said %q", n, p.said)
	}
	before := p.b.Count("Put")
	p.mounts(0, false)
	if p.b.Count("Put") != before || !strings.Contains(p.config(), `"unknown"`) {
		t.Errorf("the second mount probes again: %s", p.config())
	}
	p.f.Heal()
	p.f.On("DeleteVersion").Fail(store.Refused, store.ErrAccessDenied)
	if _, err := p.prove(); err == nil || !strings.Contains(err.Error(), "AbortMultipartUpload") {
		t.Errorf("who may abort: %v", err)
	}
	p.f.Heal()
	denied()
	if _, err := p.prove(); err == nil || strings.Contains(p.config(), `"unknown"`) {
		t.Errorf("after that: %v, %s", err, p.config())
	}
}

// Where a default rule may not be asked for, what Object Lock kept once decides.
func TestProveUnderHiddenRetention(t *testing.T) {
	p := newProven(t, memstore.Options{Retention: store.Retention{Mode: "GOVERNANCE", Days: 1}})
	p.f.On("DefaultRetention").Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(0, true, "since Object Lock keeps them")
	before := p.b.Count("Put")
	p.mounts(0, false)
	if p.b.Count("Put") != before {
		t.Error("the second mount probes again")
	}
}

// Who may not remove objects from the bucket of a lock table leaves what a probe writes once. Others remove records there once
// they have seen that its server keeps the condition.
func TestProveThatLeavesLockObjects(t *testing.T) {
	p := newProven(t, memstore.Options{})
	p.bind("T", memstore.Options{})
	mounts := func(asks, removes bool, says ...string) {
		t.Helper()
		before := p.locks.Count("Put")
		v, err := p.prove()
		if err != nil || v.removesRecords() != removes || (p.locks.Count("Put") > before) != asks {
			t.Errorf("%v; %d PUTs, want some: %v; records are removed: %v, want %v", err, p.locks.Count("Put")-before, asks, v.removesRecords(), removes)
		}
		p.says(says...)
	}
	p.f2.On("Delete").Fail(store.Refused, store.ErrAccessDenied)
	mounts(true, false, "is proved in part: these credentials lack s3:DeleteObject below .latchfs/probe/ in bucket locks", "stay below .latchfs/probe/ in bucket locks, since these credentials lack s3:DeleteObject:")
	mounts(false, false)
	p.f2.Heal()
	before := p.locks.Count("Put")
	mounts(true, true)
	if n := p.locks.Count("Put") - before; n < 20 {
		t.Errorf("%d PUTs: nobody has raced for a DELETE yet", n)
	}
	p.f2.On("Delete").Fail(store.Refused, store.ErrAccessDenied)
	mounts(false, true)
}
