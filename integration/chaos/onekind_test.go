package chaos

import (
	"testing"

	"golang.org/x/sys/unix"
)

// What two hosts make of one name and of what is inside.
func TestCheckOneKind(t *testing.T) {
	t.Parallel()
	checkStories(t, []story{
		{"a file and a directory", func(s *scene) {
			s.version("one", "put", d, nil)
			s.version("two", "put", d+"/", nil)
		}, []string{"TWO KINDS"}},
		{"a file and then a directory", func(s *scene) {
			s.version("one", "put", d, nil)
			s.version("one", "delete", d, nil)
			s.version("two", "put", d+"/", nil)
		}, nil},
		{"a directory over a file", func(s *scene) {
			s.version("one", "put", d, nil)
			s.says("two", Event{Op: "mkdir", Name: d}, 0)
		}, []string{"MADE OVER ANOTHER"}},
		{"a directory while a file is made", func(s *scene) {
			s.says("two", Event{Op: "mkdir", Name: d}, 0, func() { s.version("one", "put", d, nil) })
		}, nil},
		{"a file over a directory", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.opens("two", d, "create")
		}, []string{"MADE OVER ANOTHER"}},
		{"a file that is moved over a directory", func(s *scene) {
			s.version("one", "put", d+"/in", nil)
			s.says("two", Event{Op: "rename", Name: f, To: d}, 0)
		}, []string{"MADE OVER ANOTHER"}},
		{"a new file over another", func(s *scene) { s.opens("two", f, "new") }, []string{"MADE OVER ANOTHER", "STALE OPEN"}},
		{"a file in what has become a file", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.version("one", "delete", d+"/", nil)
			s.version("one", "put", d, nil)
			s.opens("two", d+"/in", "new")
		}, []string{"BELOW A FILE"}},
		{"a file in what becomes a file meanwhile", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			h := s.opens("two", d+"/in", "new")
			s.version("one", "delete", d+"/", nil)
			s.version("one", "put", d, nil)
			s.writes(h, "two.0.1")
			s.closes(h, 0, func() { s.version("two", "put", d+"/in", nil, "two.0.1") })
		}, []string{"TWO KINDS"}},
		{"the same, and who finds the file takes his own back", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			h := s.opens("two", d+"/in", "new")
			s.version("one", "delete", d+"/", nil)
			s.version("one", "put", d, nil)
			s.writes(h, "two.0.1")
			s.closes(h, unix.ESTALE, func() {
				s.version("two", "put", d+"/in", nil, "two.0.1")
				s.version("two", "delete", d+"/in", nil)
			})
		}, nil},
		{"a file and a file inside are left by a crash", func(s *scene) {
			s.version("one", "put", d, nil)
			s.version("two", "put", d+"/in", nil, "two.0.1")
		}, []string{"TWO KINDS"}},
		{"a file in a directory that is removed meanwhile", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			h := s.opens("two", d+"/in", "new")
			s.says("one", Event{Op: "rmdir", Name: d}, 0, func() { s.version("one", "delete", d+"/", nil) })
			s.writes(h, "two.0.1")
			s.closes(h, 0, func() { s.version("two", "put", d+"/in", nil, "two.0.1") })
		}, []string{"IN NO DIRECTORY"}},
		{"a directory in one that is removed meanwhile", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.says("two", Event{Op: "mkdir", Name: d + "/in"}, 0, func() {
				s.says("one", Event{Op: "rmdir", Name: d}, 0, func() { s.version("one", "delete", d+"/", nil) })
				s.version("two", "put", d+"/in/", nil)
			})
		}, []string{"IN NO DIRECTORY"}},
		{"the same, and the marker is put back", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.says("two", Event{Op: "mkdir", Name: d + "/in"}, 0, func() {
				s.says("one", Event{Op: "rmdir", Name: d}, 0, func() { s.version("one", "delete", d+"/", nil) })
				s.version("two", "put", d+"/in/", nil)
				s.version("two", "put", d+"/", nil)
			})
		}, nil},
		{"a kept file in what becomes a file meanwhile", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			h := s.opens("two", d+"/in", "new")
			s.version("one", "delete", d+"/", nil)
			s.version("one", "put", d, nil)
			s.writes(h, "two.0.1")
			s.closes(h, unix.ESTALE, func() { s.version("two", "put", d+"/in.conflict-two-1", nil, "two.0.1") })
		}, nil},
		{"a file in what is a directory by what is inside", func(s *scene) {
			s.version("one", "put", d, nil)
			s.version("one", "put", d+"/in.conflict-two-1", nil)
			s.opens("two", d+"/in", "new")
		}, nil},
		{"a full directory is removed", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.version("one", "put", d+"/in", nil)
			s.says("two", Event{Op: "rmdir", Name: d}, 0, func() { s.version("two", "delete", d+"/", nil) })
		}, []string{"FULL DIRECTORY REMOVED"}},
		{"a directory is removed and made and removed", func(s *scene) {
			for range 2 {
				s.version("one", "put", d+"/", nil)
				s.says("two", Event{Op: "rmdir", Name: d}, 0, func() { s.version("two", "delete", d+"/", nil) })
			}
		}, nil},
		{"a directory is removed twice", func(s *scene) {
			s.version("one", "put", d+"/", nil)
			s.says("two", Event{Op: "rmdir", Name: d}, 0, func() { s.version("two", "delete", d+"/", nil) })
			s.says("three", Event{Op: "rmdir", Name: d}, 0)
		}, []string{"REMOVED TWICE"}},
	})
}
