package file

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
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
	if is == nil {
		w.fail("%q was opened, and nothing is there", key)
		is = &moment{}
	}
	if how != "r" && o == nil {
		o = &opened{at: is, saved: is}
		s.open[h.f] = o
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

// closeAll closes what programs have open.
func (s *session) closeAll() {
	for len(s.programs) > 0 && !s.isDead() {
		s.programs[0].close()
	}
}
