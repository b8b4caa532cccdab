package file

import (
	"context"
	"errors"
	"io/fs"

	"github.com/latchfs/latchfs/store"
)

// set changes attributes or the size by name.
func (b *box) set(key string, c Change) (done bool) {
	w := b.w
	w.do(b, "changes "+key, func() error {
		s := b.session
		w.use(key)
		o, old := s.here(key)
		m := w.newMoment(c.of(old), old)
		m.change = &c
		if o != nil && c.Mode != nil {
			o.instead(w, m)
		}
		_, err := s.SetAttr(s.ctx, key, c)
		s.answered(m, err)
		done = err == nil
		switch {
		case errors.Is(err, store.ErrNotFound) && !s.isDead() && w.there(key) != nil:
			w.fail("%q is not found, and it is %v", key, w.there(key))
		case err != nil || s.isDead():
		case o != nil:
			o.at = m
		default:
			w.there(key) // the file may have changed while the lease was waited for
			w.mustShow(key, m.became())
		}
		return err
	})
	return done
}

// of is what a change by name makes of a moment.
func (c Change) of(old *moment) moment {
	if old == nil {
		old = &moment{mode: ModeRegular}
	}
	next := moment{text: old.text, mode: old.mode, owed: c.Mode != nil}
	if c.Mode != nil {
		next.mode = old.mode&ModeType | *c.Mode
	}
	if c.Size != nil {
		next.text = resized(old.text, *c.Size)
	}
	return next
}

func (b *box) chmod(key string) (done bool) {
	mode := b.w.mode()
	return b.set(key, Change{Mode: &mode})
}

func (b *box) truncate(key string, size int64) { b.set(key, Change{Size: &size}) }

// rename gives a file another name.
func (b *box) rename(from, to string) {
	w := b.w
	w.do(b, "renames "+from+" to "+to, func() error {
		s := b.session
		w.use(from)
		w.use(to)
		_, src := s.here(from)
		target, dst := s.here(to)
		if src == nil {
			src = &moment{mode: ModeRegular}
		}
		if was := w.now(to); dst == nil {
			dst = was
		}
		if dst != nil {
			src.saw = append(src.saw, dst)
		}
		end := w.newMoment(moment{gone: true, key: from}, src)
		err := s.Rename(s.ctx, from, to, false, nil)
		s.answered(end, err)
		// It may have come half way, also if it is denied: then both names are there.
		copied := end.answer != denied || w.there(to) == src
		switch {
		case !copied && dst != nil:
			src.saw = src.saw[:len(src.saw)-1]
		case copied && target != nil:
			target.gone = true
		}
		_, now := s.here(from)
		switch {
		case s.isDead():
		case errors.Is(err, store.ErrNotFound) && now != nil:
			w.fail("%q is not found, and it is %v", from, now)
		case err == nil && now != nil:
			w.fail("%q was renamed, and it is %v", from, now)
		case err == nil:
			w.mustShow(to, src)
		}
		return err
	})
}

// unlink removes a file, and rmdir a directory.
func (b *box) unlink(key string) (done bool) { return b.remove(key, (*Table).Unlink) }
func (b *box) rmdir(key string) (done bool)  { return b.remove(key, (*Table).Rmdir) }

func (b *box) remove(key string, how func(*Table, context.Context, string, func()) error) (done bool) {
	w := b.w
	w.do(b, "removes "+key, func() error {
		s := b.session
		w.use(key)
		o, old := s.here(key)
		end := w.newMoment(moment{gone: true, key: key}, old)
		err := how(s.Table, s.ctx, key, nil)
		s.answered(end, err)
		if o != nil && end.answer != denied {
			o.gone = true
		}
		if err == nil && !s.isDead() && w.there(key) != nil {
			w.fail("%q was removed, and it is %v", key, w.now(key))
		}
		if errors.Is(err, store.ErrNotFound) && w.there(key) != nil {
			w.fail("%q is not found, and it is %v", key, w.now(key))
		}
		done = err == nil
		return err
	})
	return done
}

// mkdir makes a directory, whose key ends in "/".
func (b *box) mkdir(key string) (done bool) {
	mode := b.w.mode()
	return b.make(key, moment{mode: ModeDir | mode}, func(s *session) error {
		_, err := s.Mkdir(s.ctx, key, mode, 7, 8)
		return err
	})
}

func (b *box) symlink(key, target string) {
	b.make(key, moment{text: target, mode: ModeSymlink | 0o777}, func(s *session) error {
		_, err := s.Symlink(s.ctx, SymlinkRequest{Key: key, Target: target, UID: 7, GID: 8})
		return err
	})
}

func (b *box) make(key string, m moment, do func(*session) error) (done bool) {
	w := b.w
	w.do(b, "makes "+key, func() error {
		s := b.session
		w.use(key)
		m := w.newMoment(m, w.now(key))
		err := do(s)
		s.answered(m, err)
		if err == nil && !s.isDead() {
			w.mustShow(key, m)
		}
		if errors.Is(err, fs.ErrExist) && !w.occupied(key) {
			w.fail("%q exists, and nothing is there", key)
		}
		done = err == nil
		return err
	})
	return done
}
