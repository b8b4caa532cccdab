package file

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// overwroteError: an attempt without a lease landed on top of a version that nobody here had
// seen. That one is in the history of the name.
type overwroteError struct {
	key, version string
}

func (e *overwroteError) Error() string {
	return fmt.Sprintf("%q was saved without a lease over version %s, which somebody else had made meanwhile", e.key, e.version)
}

// singleAttempt gives the right to one attempt without a lease (LOCKS P5): nil if there is
// none. The condition on the ETag alone does not see that the same bytes were put back, or that
// only metadata changed; between mounts the lease prevents that, and here there is none. So
//
//   - the bucket has to keep versions;
//   - there has to be a base: nothing but the lease keeps a new file and a directory of its
//     name apart;
//   - the base has to be the current version just before the attempt, and the version right
//     below ours after it (lookBelow), so that we overwrite nothing unseen;
//   - the attempt has to bring an ETag that is new to the name, so that whoever has the lease by
//     now does not overwrite ours unseen: his condition would not tell it from his base.
//
// The permit ends with the first attempt whose outcome is unknown; those that were surely not
// sent may be repeated.
func (f *File) singleAttempt(ctx context.Context, m *commit) (store.Permit, error) {
	versioned, err := f.t.o.Objects.Versioned(ctx)
	if err != nil || !versioned {
		return nil, nil // what cannot be found out counts as no
	}
	base := m.write.Base
	if !base.Absent() && (!base.Pinned() || !f.bringsNewETag(ctx, m)) {
		return nil, nil // without versioning then, its id does not tell it from others
	}
	switch stands, err := f.t.stands(ctx, m.write.Key, base); {
	case err != nil:
		return nil, nil
	case !stands:
		return nil, fmt.Errorf("before the only attempt without a lease: %w", errBaseGone)
	case base.Absent():
		return nil, nil
	}
	m.unleased = true
	p := &revocable{Permit: store.Unleased("the lock table is out of reach"), why: "the only attempt without a lease was made"}
	told := m.write.Unanswered
	m.write.Unanswered = func(err error) {
		p.revoked.Store(true)
		told(err)
	}
	return p, nil
}

// bringsNewETag tells whether the commit brings an ETag that the name did not have since its
// lease was proved valid last. A plain ETag is the MD5 of the bytes; that of an upload, which a change of
// attributes is too on some servers, is another one for the same bytes, but the same for the same upload.
// So what matters is what the commit brings, and it is a PUT. Where that is expensive to find out, for a large file that keeps its size, the
// answer is no.
func (f *File) bringsNewETag(ctx context.Context, m *commit) bool {
	f.mu.Lock()
	had := f.core.unleased()
	base := f.pinned()
	f.unlock()
	defer base.Close()
	size := m.snap.Size()
	sum := ""
	for _, v := range had {
		switch {
		case v.ETag == "", !m.copy && v.Size != size:
			continue
		case m.copy, size > store.PartSize:
			return false
		case sum == "":
			h := md5.New()
			if _, err := io.Copy(h, io.NewSectionReader(m.snap.Reader(ctx, base), 0, size)); err != nil {
				return false
			}
			sum = hex.EncodeToString(h.Sum(nil))
		}
		if v.ETag == sum {
			return false
		}
	}
	return true
}

// lookBelow fails with *overwroteError unless the version right below the one that an attempt
// without a lease made is the base. It looks until it is answered: without that nobody may be
// told that all is well.
func (f *File) lookBelow(ctx context.Context, m *commit, info store.Info) error {
	for {
		err := f.t.onTopOf(ctx, m.write.Key, info, m.write.Base)
		if err == nil || !errors.Is(err, store.ErrUnavailable) || !wait.For(ctx, retryPause, nil) {
			return err
		}
	}
}

// onTopOf fails with *overwroteError unless the version right below the given one is the base.
// If the caller gives up before it was seen, or nobody answers, it says nothing.
func (t *Table) onTopOf(ctx context.Context, key string, info store.Info, base store.Base) error {
	below, err := t.o.Objects.Below(ctx, key, info.VersionID)
	switch {
	case errors.Is(err, store.ErrUnavailable), err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		t.o.Log.Error("what an attempt without a lease replaced cannot be seen", "key", key, "err", err)
		return &overwroteError{key, "unknown"}
	case base.Absent() && (below.Deleted || below.Info.VersionID == ""):
		return nil
	case !base.Absent() && !below.Deleted && below.Info.VersionID == base.VersionID:
		return nil
	}
	return &overwroteError{key, below.Info.VersionID}
}
