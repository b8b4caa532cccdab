package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// An opened is a file that programs of a session have open for write.
type opened struct {
	at    *moment // what they have made of it
	saved *moment // what it was at the last fsync, or when it was opened, with later modes
	gone  bool    // its name was taken away here, or may have been
	n     int     // descriptors
}

// A program has one descriptor. A nil one could not open the file, and does nothing.
type program struct {
	*Handle
	s    *session
	file *opened // nil: it only reads
}

// use notes that programs use a key.
func (w *sweep) use(key string) {
	if !slices.Contains(w.keys, key) {
		w.keys = append(w.keys, key)
	}
}

// here is the file of a key that is open for write on this session, and what it is.
func (s *session) here(key string) (*opened, *moment) {
	s.mu.Lock()
	f := s.files[key]
	s.mu.Unlock()
	if o := s.open[f]; o != nil && !o.gone {
		return o, o.at
	}
	return nil, s.w.there(key)
}

// answered notes what the author of a moment was told.
func (s *session) answered(m *moment, err error) {
	switch name := errnoName(err); {
	case s.isDead(), name == "EIO":
	case err == nil:
		m.answer = accepted
	default:
		m.answer = denied
	}
}

// open opens a file as a shell would: "r", "w" (truncate), "a", "r+".
func (b *box) open(key, how string) (p *program) {
	b.w.do(b, "opens "+key+" "+how, func() (err error) {
		p, err = b.session.tryOpen(key, how)
		return err
	})
	return p
}

func (s *session) tryOpen(key, how string) (*program, error) {
	w := s.w
	w.use(key)
	r := OpenRequest{Key: key, Caller: caller, Read: how == "r" || how == "r+", Write: how != "r", Trunc: how == "w", Append: how == "a"}
	h, attr, err := s.Open(s.ctx, r)
	if s.isDead() {
		return nil, err
	}
	if err != nil {
		if _, is := s.here(key); errors.Is(err, store.ErrNotFound) && is != nil {
			w.fail("%q is not found, and it is %v", key, is)
		}
		return nil, err
	}
	o, is := s.here(key)
	if how != "r" && o == nil {
		o = &opened{at: is, saved: is}
		s.open[h.f] = o
	}
	if is == nil {
		w.fail("%q was opened, and nothing is there", key)
		is = &moment{}
	}
	if attr.Mode != is.mode {
		w.fail("%q is opened with mode %o, and it is %v", key, attr.Mode, is)
	}
	p := &program{Handle: h, s: s}
	s.programs = append(s.programs, p)
	if how == "r" || how == "r+" {
		if got, ok := p.content(); ok && got != is.text {
			w.fail("%q shows %q, and it is %v", key, cutText(got), is)
		}
	}
	if how == "r" {
		return p, nil
	}
	p.file = o
	o.n++
	if how == "w" && is.text != "" {
		o.at = w.newMoment(moment{mode: is.mode, answer: accepted}, is)
	}
	return p, nil
}

// content reads the file.
func (p *program) content() (text string, ok bool) {
	b := make([]byte, 1<<10)
	n, err := p.Handle.Read(p.s.ctx, b, 0)
	switch {
	case p.s.isDead():
		return "", false
	case err != nil:
		p.s.w.judge("read", err)
		return "", false
	}
	return string(b[:n]), true
}

// create makes a file. No two have the same mode.
func (b *box) create(key string) (p *program) {
	w := b.w
	b.w.do(b, "creates "+key, func() error {
		s := b.session
		w.use(key)
		mode := w.mode()
		h, _, err := s.Create(s.ctx, CreateRequest{OpenRequest: OpenRequest{Key: key, Caller: caller, Read: true}, Mode: mode, UID: 7, GID: 8})
		m := w.newMoment(moment{mode: ModeRegular | mode}, w.now(key))
		s.answered(m, err)
		if err != nil {
			if _, is := s.here(key); errors.Is(err, fs.ErrExist) && is == nil && !w.occupied(key) {
				w.fail("%q exists, and nothing is there", key)
			}
			return err
		}
		if s.isDead() {
			return nil
		}
		o := &opened{at: m, saved: m, n: 1}
		s.open[h.f] = o
		p = &program{Handle: h, s: s, file: o}
		s.programs = append(s.programs, p)
		return nil
	})
	return p
}

// token is a text that was nowhere else.
func (w *sweep) token() string {
	w.tokens++
	return fmt.Sprint(w.tokens)
}

// mode is one that no other file has.
func (w *sweep) mode() uint32 {
	w.modes++
	return 0o600 + w.modes
}

// does makes one step of a program, unless it could not open its file or has died.
func (p *program) does(what string, f func() error) {
	if p == nil || p.s.isDead() || p.s.box.session != p.s {
		return
	}
	p.s.w.do(p.s.box, what+" "+p.Key(), func() error {
		err := f()
		if p.file != nil && p.file.gone && errnoName(err) == "ESTALE" {
			return nil
		}
		return err
	})
}

// write writes at an offset; a program that appends writes at the end.
func (p *program) write(text string, off int) {
	p.does("writes "+cutText(text)+" to", func() error {
		old := p.file.at
		if p.Handle.append {
			off = len(old.text)
		}
		now := []byte(old.text)
		now = append(now, make([]byte, max(0, off+len(text)-len(now)))...)
		copy(now[off:], text)
		m := p.s.w.newMoment(moment{text: string(now), mode: old.mode, owed: !p.file.gone}, old)
		_, err := p.Handle.Write([]byte(text), int64(off))
		p.changed(m, err)
		return err
	})
}

// changed notes that the program has changed its file. A change of an open file has happened
// when that was answered, and not if not.
func (p *program) changed(m *moment, err error) {
	p.s.answered(m, err)
	if err == nil {
		p.file.at = m
	} else if !p.s.isDead() {
		m.answer = denied
	}
}

// truncate sets the size through the descriptor.
func (p *program) truncate(size int64) {
	p.does("truncates", func() error {
		old := p.file.at
		m := p.s.w.newMoment(moment{text: resized(old.text, size), mode: old.mode}, old)
		_, err := p.Handle.SetAttr(p.s.ctx, Change{Size: &size})
		p.changed(m, err)
		return err
	})
}

// instead notes what a recovery may make of a change of the mode.
func (o *opened) instead(w *sweep, m *moment) {
	if o.saved.text != m.text {
		o.saved = w.newMoment(moment{text: o.saved.text, mode: m.mode}, o.saved)
		m.instead = o.saved
	}
}

func resized(text string, size int64) string {
	n := min(int(size), len(text))
	return text[:n] + strings.Repeat("\x00", int(size)-n)
}

// chmod changes the mode through the descriptor.
func (p *program) chmod() {
	p.does("changes the mode of", func() error {
		old, mode := p.file.at, p.s.w.mode()
		m := p.s.w.newMoment(moment{text: old.text, mode: old.mode&ModeType | mode, owed: !p.file.gone}, old)
		p.file.instead(p.s.w, m)
		_, err := p.Handle.SetAttr(p.s.ctx, Change{Mode: &mode})
		p.changed(m, err)
		return err
	})
}

// fsync saves the file.
func (p *program) fsync() {
	p.does("syncs", func() error {
		err := p.Sync(p.s.ctx)
		p.saved(err)
		p.file.saved = p.file.at
		return err
	})
}

// close is the last close of the descriptor.
func (p *program) close() {
	p.does("closes", func() error {
		err := p.Flush(p.s.ctx, caller)
		p.saved(err)
		p.Release()
		p.s.programs = slices.DeleteFunc(p.s.programs, func(o *program) bool { return o == p })
		if p.file != nil {
			if p.file.n--; p.file.n == 0 {
				delete(p.s.open, p.f)
			}
		}
		return err
	})
}

// closing begins a close that goes on beside what comes next.
func (p *program) closing() {
	p.does("begins to close", func() error {
		p.s.w.ending.Go(func() { p.Flush(p.s.ctx, caller) })
		time.Sleep(10 * time.Millisecond)
		return nil
	})
}

// saved checks what a close or fsync has acknowledged.
func (p *program) saved(err error) {
	if err != nil || p.file == nil || p.file.gone || p.s.isDead() {
		return
	}
	p.s.w.mustShow(p.Key(), p.file.at)
}

// mustShow checks that what was acknowledged is in the bucket.
func (w *sweep) mustShow(key string, m *moment) {
	if !slices.Contains(w.versions(key), m) {
		w.fail("acknowledged, and not in the bucket under %q: %v; there is %v", key, m, w.now(key))
	}
}

// closeAll closes what programs have open.
func (s *session) closeAll() {
	for len(s.programs) > 0 && !s.isDead() {
		s.programs[0].close()
	}
}

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
		if err == nil && !s.isDead() {
			if _, now := s.here(from); now != nil {
				w.fail("%q was renamed, and it is %v", from, now)
			}
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

// occupied tells whether the name of a key is a file or a directory.
func (w *sweep) occupied(key string) bool {
	name := strings.TrimSuffix(key, "/")
	return w.there(name) != nil || w.there(name+"/") != nil
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
		_, err := s.Symlink(s.ctx, key, target, 7, 8)
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

// begin lets something happen beside what comes next; the function that it returns waits for it.
func (b *box) begin(key, how string) (wait func() *program) {
	done := make(chan struct{})
	var p *program
	var err error
	s := b.session
	b.w.log("%s begins to open %s %s", b.name, key, how)
	go func() {
		defer close(done)
		p, err = s.tryOpen(key, how)
	}()
	synctest.Wait()
	time.Sleep(10 * time.Millisecond)
	return func() *program {
		b.w.do(b, "waits for its open of "+key, func() error {
			<-done
			if s.isDead() {
				return nil
			}
			return err
		})
		if s.isDead() {
			return nil
		}
		return p
	}
}

// cut takes the lock table away from a box, or gives it back.
func (b *box) cut(off bool) {
	b.w.do(b, fmt.Sprintf("is cut off from the lock table: %v", off), func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.isCut = off
		return nil
	})
}

// outage takes the bucket away from a box, or gives it back.
func (b *box) outage(off bool) {
	b.w.do(b, fmt.Sprintf("is cut off from the bucket: %v", off), func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.isOffline = off
		return nil
	})
}

// slow lets what a box changes in the bucket land late, without an answer.
func (b *box) slow() {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.isSlow = true
}

// insist does something again until it is done, or the locks of a dead session must be free.
func (w *sweep) insist(do func() bool) {
	for began := time.Now(); !do() && w.plan != nil && time.Since(began) < sweepLease+sweepDelay+2*sweepBeat; {
	}
}

// kill ends the session; another one takes its place, from where all is within reach.
func (b *box) kill() {
	b.w.do(b, "is killed", func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		if !b.session.dead {
			b.session.crash()
		}
		b.heal()
		return nil
	})
}

// heal gives a box what was out of its reach. w.mu is held.
func (b *box) heal() { b.isCut, b.isOffline, b.isSlow = false, false, false }

// until lets time pass up to a moment, where chance has decided how long something took.
func (w *sweep) until(moment time.Duration) {
	time.Sleep(moment - time.Since(sweepBegan))
	synctest.Wait()
	w.revive()
}

// foreign is a writer that knows nothing of locks.
func (w *sweep) foreign(key, text string) {
	w.use(key)
	w.rivals = true
	w.newMoment(moment{text: text, mode: ModeRegular | 0o644, owed: true, answer: accepted}, w.now(key))
	w.mem.PutForeign(key, text)
	w.log("somebody else writes %s to %s", text, key)
}

// fresh changes every name that the programs have used, which nothing may prevent any more. The
// lease of a dead session is free after a while.
func (w *sweep) fresh(b *box) {
	for _, key := range w.keys {
		is := w.there(key)
		began, wrong := time.Now(), len(w.wrong)
		for done := false; !done && len(w.wrong) == wrong; {
			w.freshly = time.Since(began) > sweepLease+sweepDelay+2*sweepBeat
			switch {
			case strings.HasSuffix(key, "/"):
				done = is == nil || b.chmod(key)
			case is == nil && w.occupied(key):
				done = true // by a directory
			case is == nil:
				p := b.create(key)
				p.write("<fresh"+w.token()+">", 0)
				p.close()
				done = p != nil
			case is.mode&ModeType == ModeSymlink:
				done = b.unlink(key)
			default:
				how := "a"
				if len(is.text) > 1<<20 {
					how = "w"
				}
				p := b.open(key, how)
				p.write("<fresh"+w.token()+">", 0)
				p.close()
				done = p != nil
			}
		}
		w.freshly = false
	}
}
