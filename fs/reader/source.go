package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

const (
	// maxBreaks is how often a body may break off without a single byte in between.
	maxBreaks = 5
	// firstPause is the pause after the first of these breaks; it doubles.
	firstPause = 50 * time.Millisecond
)

// A source reads the bytes [off, end) of a version in one request, and goes on in another
// one where the body breaks off.
type source struct {
	get      Getter
	info     store.Info
	off, end int64
	body     io.ReadCloser // nil before the request
	breaks   int
}

// readFull fills b with the next bytes. All calls get the same ctx.
func (s *source) readFull(ctx context.Context, b []byte) (n int, err error) {
	for {
		if s.body == nil {
			if err := s.open(ctx); err != nil {
				return n, err
			}
		}
		m, err := io.ReadFull(s.body, b[n:])
		n += m
		s.off += int64(m)
		if err == nil {
			return n, nil
		}
		s.close()
		if m > 0 {
			s.breaks = 0
		}
		s.breaks++
		if s.breaks == maxBreaks {
			if err == io.EOF { // an end here is not the object's
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("the answer broke off: %w", err)
		}
		// Parts that broke off together do not come back together.
		pause := firstPause << (s.breaks - 1)
		if !wait.For(ctx, pause/2+rand.N(pause/2), nil) {
			return n, context.Cause(ctx)
		}
	}
}

// open sends the request for what is left.
func (s *source) open(ctx context.Context) error {
	o := store.GetOptions{VersionID: s.info.VersionID, Range: &store.Range{Offset: s.off, Length: s.end - s.off}}
	// The id "null" is that of whatever was written last while versioning was off or suspended.
	if o.VersionID == "" || o.VersionID == "null" {
		o.IfMatch = s.info.ETag
	}
	if o.VersionID == "" && o.IfMatch == "" {
		return errors.New("neither a version id nor an ETag to pin it by")
	}
	obj, err := s.get.Get(ctx, s.info.Key, o)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, store.ErrArchived) { // which archive: it tells how long a restore takes
			err = fmt.Errorf("storage class %s: %w", s.info.Props.StorageClass, err)
		}
		return changed(err)
	}
	// Not every server heeds the condition of a GET.
	if got := obj.Info.ETag; got != "" && s.info.ETag != "" && got != s.info.ETag {
		obj.Body.Close()
		return fmt.Errorf("%w: the ETag is %s, not %s", ErrChanged, got, s.info.ETag)
	}
	s.body = obj.Body
	return nil
}

// close ends the request, if there is one.
func (s *source) close() {
	if s.body != nil {
		s.body.Close() // of a body that is only read, and as far as it was wanted
		s.body = nil
	}
}
