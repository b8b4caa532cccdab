package chaos

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A scene is a history that is told by hand: each step takes a second.
type scene struct {
	*history
	now     int64
	handles int
}

// version makes the next version of a key. base is the version that its author believes to
// replace; nil: the one that is there.
func (s *scene) version(by, kind, key string, base *version, tokens ...string) *version {
	s.now += 1e9
	v := &version{n: len(s.keys[key]), mode: 0o600, tokens: tokens, etag: strings.Join(tokens, " "), base: "-"}
	v.change = change{key: key, version: fmt.Sprint(key, "#", v.n), by: by, kind: kind, from: s.now, till: s.now + 1e8}
	v.deleted, v.writeID = kind == "delete", v.change.version
	if base == nil {
		base = s.last(key)
	}
	switch {
	case by == foreigner:
		v.base = ""
	case base != nil && !base.deleted:
		v.base = base.change.version
	}
	s.keys[key] = append(s.keys[key], v)
	s.byID[key+" "+v.change.version] = v
	if kind == "put" && !kept(key) {
		for _, token := range tokens {
			if s.first[token] == nil {
				s.first[token] = v
			}
		}
	}
	return v
}

// says adds a call of a program and its answer. during is what happens meanwhile.
func (s *scene) says(host string, e Event, errno syscall.Errno, during ...func()) {
	s.now += 1e9
	e.Host, e.From, e.Errno = host, s.now, errno
	for _, f := range during {
		f()
	}
	s.now += 1e9
	e.Till = s.now
	s.events = append(s.events, e)
}

// opens opens a file for write and reads it.
func (s *scene) opens(host, name, how string, shows ...string) Event {
	s.handles++
	e := Event{Op: "open", Name: name, Handle: s.handles, How: how, Mode: 0o600}
	s.says(host, e, 0)
	from := s.events[len(s.events)-1].From
	if hows[how]&unix.O_ACCMODE == unix.O_RDWR {
		e.Op, e.Lines, e.Mode = "first read", append([]string{}, shows...), 0
		s.says(host, e, 0)
		s.events[len(s.events)-1].From = from
	}
	e.Host = host
	return e
}

func (s *scene) writes(h Event, token string, seen ...string) {
	s.says(h.Host, Event{Op: "add", Name: h.Name, Handle: h.Handle, How: h.How, Token: token, Seen: seen}, 0)
}

func (s *scene) closes(h Event, errno syscall.Errno, during ...func()) {
	s.says(h.Host, Event{Op: "close", Name: h.Name, Handle: h.Handle, How: h.How}, errno, during...)
}

// begins gives a scene in which host one has saved a line in a file.
func begins() *scene {
	s := &scene{history: newHistory(Plan{})}
	s.began = 0
	h := s.opens("one", "d1/b", "create")
	s.writes(h, "one.0.1")
	s.closes(h, 0, func() { s.version("one", "put", "d1/b", nil, "one.0.1") })
	return s
}

// Each promise that can be broken is found broken, and what is allowed is not.
func TestCheck(t *testing.T) {
	t.Parallel()
	look := Event{Op: "look", Name: f}
	checkStories(t, []story{
		{"nothing happens", func(*scene) {}, nil},
		{"others follow", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			s.closes(h, 0, func() { s.version("two", "put", f, nil, "two.0.1") })
			s.says("three", Event{Op: "look", Name: f, Lines: []string{"two.0.1"}}, 0)
		}, nil},

		{"a rename gives a writer a base that it never saw", func(s *scene) {
			h := s.opens("two", "d2/b", "update", "one.0.9")
			s.version("three", "put", f, nil, "three.0.1")
			s.writes(h, "two.0.1", "one.0.9")
			s.closes(h, 0, func() { s.version("two", "put", f, nil, "two.0.1") })
		}, []string{"LOST UPDATE"}},
		{"the same, and the writer is told", func(s *scene) {
			h := s.opens("two", "d2/b", "update", "one.0.9")
			s.version("three", "put", f, nil, "three.0.1")
			s.writes(h, "two.0.1", "one.0.9")
			s.closes(h, unix.ESTALE, func() { s.version("two", "put", f, nil, "two.0.1") })
		}, nil},
		{"a writer who began with an empty file has to see nothing", func(s *scene) {
			h := s.opens("two", f, "cut")
			s.writes(h, "two.0.1")
			s.closes(h, 0, func() { s.version("two", "put", f, nil, "two.0.1") })
		}, nil},

		{"another mount's chmod is undone", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			base := s.last(f)
			s.version("three", "copy", f, nil, "one.0.1")
			s.closes(h, 0, func() { s.version("two", "put", f, base, "one.0.1", "two.0.1") })
		}, []string{"LOST UPDATE"}},
		{"a foreign change of metadata is not seen", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			base := s.last(f)
			s.version(foreigner, "copy", f, nil, "one.0.1")
			s.closes(h, 0, func() { s.version("two", "put", f, base, "one.0.1", "two.0.1") })
		}, nil},
		{"other bytes are replaced", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			base := s.last(f)
			s.version(foreigner, "put", f, nil, "foreign.0.1")
			s.closes(h, 0, func() { s.version("two", "put", f, base, "one.0.1", "two.0.1") })
		}, []string{"CONDITION BROKEN", "LOST UPDATE"}},
		{"a deleted file comes back", func(s *scene) {
			base := s.last(f)
			s.version("two", "delete", f, nil)
			s.version("one", "copy", f, base, "one.0.1")
		}, []string{"CONDITION BROKEN"}},
		{"a rename removes what it did not copy", func(s *scene) {
			s.says("two", Event{Op: "rename", Name: f, To: "d2/b"}, 0, func() {
				copied := s.version("two", "copy", "d2/b", nil, "one.0.1")
				copied.source = s.last(f).change.version
				s.version("three", "copy", f, nil, "one.0.1")
				s.version("two", "delete", f, nil)
			})
		}, []string{"LOST UPDATE"}},

		{"a saved line is nowhere", func(s *scene) {
			h := s.opens("two", f, "append")
			s.writes(h, "two.0.1")
			s.closes(h, 0)
		}, []string{"ACKNOWLEDGED AND LOST", "ACCEPTED AND LOST"}},
		{"an accepted line is nowhere", func(s *scene) {
			h := s.opens("two", f, "append")
			s.writes(h, "two.0.1")
			s.closes(h, unix.EIO)
		}, []string{"ACCEPTED AND LOST"}},
		{"an accepted line is kept", func(s *scene) {
			h := s.opens("two", f, "append")
			s.writes(h, "two.0.1")
			s.closes(h, unix.ENOTCONN)
			s.version("two", "put", f+".recovered-two-1", nil, "one.0.1", "two.0.1")
		}, nil},
		{"a saved line is only kept", func(s *scene) {
			h := s.opens("two", f, "append")
			s.writes(h, "two.0.1")
			s.closes(h, 0)
			s.version("two", "put", f+".conflict-two-1", nil, "one.0.1", "two.0.1")
		}, []string{"ACKNOWLEDGED BESIDE"}},
		{"a saved line comes later", func(s *scene) {
			h := s.opens("two", f, "append")
			s.writes(h, "two.0.1")
			s.closes(h, 0)
			s.version("two", "put", f, nil, "one.0.1", "two.0.1")
		}, []string{"ACKNOWLEDGED TOO EARLY"}},
		{"a program of the same host removes the file", func(s *scene) {
			h := s.opens("two", f, "append")
			s.says("two", Event{Op: "unlink", Name: f}, 0, func() { s.version("two", "delete", f, nil) })
			s.writes(h, "two.0.1")
			s.closes(h, 0)
		}, nil},

		{"an open shows what was before", func(s *scene) {
			s.version(foreigner, "put", f, nil, "foreign.0.1")
			look.Lines = []string{"one.0.1"}
			s.says("two", look, 0)
		}, []string{"STALE OPEN"}},
		{"an open follows its host's writer, who has lost the file", func(s *scene) {
			s.opens("two", f, "update", "one.0.1")
			h := s.opens("three", f, "update", "one.0.1")
			s.writes(h, "three.0.1", "one.0.1")
			s.closes(h, 0, func() { s.version("three", "put", f, nil, "three.0.1") })
			look.Lines = []string{"one.0.1"}
			s.says("two", look, 0)
		}, []string{"STALE OPEN"}},
		{"an open follows its host's writer, and a host that lost the file saved it without the lease", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			g := s.opens("three", f, "cut")
			s.closes(h, 0, func() { s.version("two", "put", f, nil, "one.0.1", "two.0.1").looked = true })
			look.Lines = nil
			s.says("three", look, 0)
			s.closes(g, unix.ESTALE)
		}, nil},
		{"an open follows its host's writer", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			look.Lines = []string{"one.0.1", "two.0.1"}
			s.says("two", look, 0)
			s.closes(h, 0, func() { s.version("two", "put", f, nil, "one.0.1", "two.0.1") })
		}, nil},
		{"an open follows a new file, and its name was taken and is free again", func(s *scene) {
			h := s.opens("two", d, "create")
			s.writes(h, "two.0.1")
			s.says("three", Event{Op: "rename", Name: f, To: d}, 0, func() { s.version("three", "copy", d, nil, "one.0.1") })
			s.says("three", Event{Op: "unlink", Name: d}, 0, func() { s.version("three", "delete", d, nil) })
			s.says("two", Event{Op: "look", Name: d, Lines: []string{"two.0.1"}}, 0)
			s.closes(h, 0, func() { s.version("two", "put", d, nil, "two.0.1") })
		}, nil},
		{"an open follows a file whose version another host removed", func(s *scene) {
			h := s.opens("two", f, "update", "one.0.1")
			s.writes(h, "two.0.1", "one.0.1")
			s.says("three", Event{Op: "unlink", Name: f}, 0, func() { s.version("three", "delete", f, nil) })
			look.Lines = []string{"one.0.1", "two.0.1"}
			s.says("two", look, 0)
			s.closes(h, unix.ESTALE, func() { s.version("two", "put", f+".conflict-two-1", nil, "one.0.1", "two.0.1") })
		}, []string{"STALE OPEN"}},
		{"an open finds nothing where something is", func(s *scene) {
			s.now += 5e9
			look.Lines = nil
			s.says("two", look, unix.ENOENT)
		}, []string{"STALE OPEN"}},

		{"a mixture", func(s *scene) { s.last(f).torn = fmt.Errorf("half a line") }, []string{"MIXTURE"}},

		{"a mode of a file that was only made when its mount died", func(s *scene) {
			h := s.opens("two", "d2/c", "create")
			s.says("two", Event{Op: "chmod", Name: "d2/c", Mode: 0o613}, 0)
			s.closes(h, unix.ENOTCONN)
		}, nil},
		{"a mode of a file with a line when its mount died", func(s *scene) {
			h := s.opens("two", "d2/c", "create")
			s.writes(h, "two.0.1")
			s.says("two", Event{Op: "chmod", Name: "d2/c", Mode: 0o613}, 0)
			s.closes(h, unix.ENOTCONN, func() { s.version("two", "put", "d2/c.recovered-two", nil, "two.0.1") })
		}, []string{"ATTRIBUTE LOST"}},
		{"a mode is lost", func(s *scene) { s.says("two", Event{Op: "chmod", Name: f, Mode: 0o613}, 0) }, []string{"ATTRIBUTE LOST"}},
		{"a mode is replaced", func(s *scene) {
			s.says("two", Event{Op: "chmod", Name: f, Mode: 0o613}, 0)
			s.says("two", Event{Op: "chmod", Name: f, Mode: 0o600}, 0)
		}, nil},
		{"a kept file is readable to all", func(s *scene) {
			s.version("two", "put", f+".recovered-two-1", nil, "one.0.1").mode = 0o644
		}, []string{"MODE OF A KEPT FILE"}},
		{"the same, and a foreign client had given it no mode", func(s *scene) {
			s.version(foreigner, "put", f, nil, "foreign.0.1").mode = -1
			s.version("two", "put", f+".recovered-two-1", nil, "foreign.0.1").mode = 0o644
		}, nil},
	})
}

// The names of the stories: a file, and what may be a file or a directory.
const f, d = "d1/b", "d1/c"

// A story is what happens in a scene, and what the check has to say of it.
type story struct {
	name string
	tell func(s *scene)
	want []string
}

func checkStories(t *testing.T, stories []story) {
	for _, tt := range stories {
		t.Run(tt.name, func(t *testing.T) {
			s := begins()
			tt.tell(s)
			s.keysOfEvents()
			s.lives()
			s.check()
			var got []string
			for _, p := range s.found {
				if !slices.Contains(got, p.kind) {
					got = append(got, p.kind)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q: %q\n%s", got, tt.want, s.found, s.story(f))
			}
		})
	}
}

// What is written can be read.
func TestLines(t *testing.T) {
	t.Parallel()
	content := line("one.0.1", "-") + strings.Repeat("\x00", lineSize) + line("two.1.23", "one.0.1")
	if got, err := lines(content); err != nil || !slices.Equal(got, []string{"one.0.1", "two.1.23"}) {
		t.Errorf("lines gives %q, %v", got, err)
	}
	for _, torn := range []string{content[:10], content[1 : 1+lineSize], content[:5] + content[2*lineSize+5:]} {
		if got, err := lines(torn); err == nil {
			t.Errorf("lines takes %q for %q", torn, got)
		}
	}
}
