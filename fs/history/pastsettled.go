package history

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	// settleTime is what the time of a version may be behind the moment at which it is seen in the
	// bucket, at the most, unless it is that of a multipart upload: a copy has the time of its start.
	settleTime = time.Minute
	// maxUploadPages is how many pages of uploads are asked for. Where there are more, no past is
	// certain.
	maxUploadPages = 10
	// uploadsPause is the pause after the uploads could not be listed: not everybody may do that.
	uploadsPause = time.Minute
)

// settled tells of which pasts nothing changes any more. An upload counts from its start, so that
// one which is completed today changes every past since; that of other keys stays as it is. One that
// begins later changes nothing before.
type settled struct {
	objects uploadLister
	prefix  string // of the keys that matter
	ttl     time.Duration

	mu      sync.Mutex // guards what follows
	known   *uploadsUnderWay
	refused time.Time // when they could not be listed last
}

type uploadLister interface {
	ListUploads(ctx context.Context, o store.UploadOptions) (store.UploadPage, error)
	ServerNow() time.Time
}

// uploadsUnderWay are those of a moment.
type uploadsUnderWay struct {
	seen    time.Time // by the clock of this host, when the first request was sent
	until   time.Time // by the server's clock: what stood until then could be seen by that moment
	uploads []store.Upload
}

// lasts tells whether what stood in a directory at a time, as it is listed after that moment, stays
// so for ever; nil is never certain.
func (u *uploadsUnderWay) lasts(dir string, at time.Time) bool {
	return u != nil && !at.After(u.until) && !slices.ContainsFunc(u.uploads, func(up store.Upload) bool {
		return strings.HasPrefix(up.Key, dir) && !up.Begun.After(at)
	})
}

// look gives the uploads under way, to be asked for before what stood in the directory is. It asks
// only if what is known does not do. Nil: they are not known.
func (s *settled) look(ctx context.Context, dir string, at time.Time) *uploadsUnderWay {
	s.mu.Lock()
	known, refused := s.known, s.refused
	s.mu.Unlock()
	switch {
	case known.lasts(dir, at), known != nil && time.Since(known.seen) < s.ttl:
		return known
	case s.objects.ServerNow().Add(-settleTime).Before(at): // too young in any case
		return nil
	case !refused.IsZero() && time.Since(refused) < uploadsPause:
		return nil
	}
	known = s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case known == nil && ctx.Err() == nil:
		s.refused = time.Now()
	case known != nil:
		s.known = known
	}
	return known
}

// ask lists the uploads. That the past cannot be remembered without them is no failure.
func (s *settled) ask(ctx context.Context) *uploadsUnderWay {
	u := &uploadsUnderWay{seen: time.Now(), until: s.objects.ServerNow().Add(-settleTime)}
	o := store.UploadOptions{Prefix: s.prefix}
	for range maxUploadPages {
		page, err := s.objects.ListUploads(ctx, o)
		if err != nil {
			return nil
		}
		u.uploads = append(u.uploads, page.Uploads...)
		if page.NextKey == "" {
			return u
		}
		o.KeyMarker, o.UploadMarker = page.NextKey, page.NextUpload
	}
	return nil
}
