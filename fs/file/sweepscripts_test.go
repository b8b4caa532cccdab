package file

import (
	"strings"
	"time"
)

// The scripts of the fault sweep, each of which is short, so that a step at its end sees what
// went wrong at its beginning.
var sweepScripts = []struct {
	name string
	run  func(w *sweep)
}{
	{"create, save and write again", func(w *sweep) {
		a, b := w.a, w.b
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		p.write("<two>", 5)
		p.close()
		b.open("f", "r").close()
		p = b.open("f", "w")
		p.write("<three>", 0)
		p.close()
		p = a.open("f", "a")
		p.write("<four>", 0)
		p.close()
	}},
	{"sizes and modes", func(w *sweep) {
		a, b := w.a, w.b
		p := a.create("f")
		p.write("<a long line>", 0)
		p.close()
		b.truncate("f", 12)
		a.chmod("f")
		p = a.open("f", "r+")
		p.truncate(10)
		p.chmod()
		a.chmod("f")
		p.write("<x>", 2)
		p.close()
		b.chmod("f")
	}},
	{"rename", func(w *sweep) {
		a, b := w.a, w.b
		for _, key := range []string{"f", "g"} {
			p := a.create(key)
			p.write("<"+key+">", 0)
			p.close()
		}
		old := a.open("g", "r+")
		old.write("<never>", 3)
		a.rename("f", "g")
		old.write("<again>", 3)
		old.close()
		p := b.open("g", "r+")
		p.write("<dirty>", 3)
		b.rename("g", "h")
		p.write("<more>", 10)
		p.close()
		a.open("h", "r").close()
	}},
	{"remove", func(w *sweep) {
		a, b := w.a, w.b
		p := a.create("f")
		p.write("<f>", 0)
		p.close()
		p = a.open("f", "r+")
		p.write("<dirty>", 3)
		a.unlink("f")
		p.write("<late>", 3)
		p.close()
		p = b.create("f")
		p.write("<anew>", 0)
		p.close()
		a.unlink("f")
	}},
	{"directories", func(w *sweep) {
		a, b := w.a, w.b
		a.mkdir("d/")
		p := b.create("d/f")
		p.write("<f>", 0)
		p.close()
		a.symlink("d/l", "f")
		b.unlink("d/l")
		a.unlink("d/f")
		b.rmdir("d/")
	}},
	{"hand-over", func(w *sweep) {
		a, b := w.a, w.b
		p := a.create("f")
		p.write("<a>", 0)
		p.fsync()
		p.write("<b>", 3)
		waiting := b.begin("f", "r+")
		p.close()
		p = waiting()
		p.write("<c>", 6)
		p.close()
		p = a.open("f", "a")
		p.write("<d>", 0)
		p.close()
	}},
	{"unmount and mount again", func(w *sweep) {
		a, b := w.a, w.b
		w.keeps = 1
		p := a.create("f")
		p.write("<saved>", 0)
		p.fsync()
		p.write("<and not>", 7)
		b.create("g").close()
		a.umount()
		b.umount()
		a.mount()
		b.mount()
		p = b.open("f", "a")
		p.write("<more>", 0)
		p.close()
	}},
	{"kill with bytes and modes", func(w *sweep) {
		a, b := w.a, w.b
		w.keeps = 2
		p := a.create("f")
		p.write("<saved>", 0)
		p.fsync()
		p.write("<and not>", 7)
		p.chmod()
		p = b.create("g")
		p.write("<new>", 0)
		a.create("h").close()
		a.open("h", "r+").chmod()
		a.kill()
		b.kill()
		p = b.open("f", "a")
		p.write("<more>", 0)
		p.close()
	}},
	{"kill in an outage", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		w.keeps = 1
		p := a.create("f")
		p.write("<one>", 0)
		p.close()
		p = a.open("f", "r+")
		q := a.create("g")
		q.write("<g>", 0)
		a.outage(true)
		p.write("<two>", 5)
		p.fsync()
		p.write("<three>", 10)
		p.fsync()
		p.write("<tail>", 17)
		q.close()
		a.mkdir("d/")
		a.kill()
		b.open("f", "r").close()
	}},
	{"conflict", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		w.keeps = 1
		p := a.create("f")
		p.write("<one>", 0)
		p.close()
		p = a.open("f", "r+")
		p.write("<two>", 5)
		w.foreign("f", "<theirs>")
		p.fsync()
		p.write("<three>", 10)
		p.close()
		b.open("f", "r").close()
	}},
	{"kill and conflict", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		w.keeps = 2
		p := a.create("f")
		p.write("<one>", 0)
		p.close()
		p = a.open("f", "r+")
		p.write("<two>", 5)
		a.outage(true)
		p.fsync()
		p.write("<three>", 10)
		w.foreign("f", "<theirs>")
		a.kill()
		b.open("f", "r").close()
	}},
	{"cut off from the lock table", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		a.cut(true)
		p.write("<two>", 5)
		p.fsync()
		p.write("<three>", 10)
		p.fsync()
		a.cut(false)
		p.write("<four>", 17)
		p.close()
		b.open("f", "r").close()
	}},
	{"lost lease", func(w *sweep) {
		a, b := w.a, w.b
		w.expected, w.rivals = true, true
		w.keeps = 1
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		p.write("<two>", 5)
		a.cut(true)
		q := b.open("f", "a")
		w.until(time.Minute)
		q.write("<theirs>", 0)
		q.close()
		a.cut(false)
		w.until(80 * time.Second)
		p.close()
		a.open("f", "r").close()
	}},
	{"lost lease, and another mode", func(w *sweep) {
		a, b := w.a, w.b
		w.expected, w.rivals = true, true
		w.keeps = 1
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		p.write("<two>", 5)
		a.cut(true)
		b.chmod("f")
		w.until(time.Minute)
		a.cut(false)
		w.until(80 * time.Second)
		p.close()
		a.open("f", "r").close()
	}},
	{"remove, then another mode", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true // nothing is there any more
		p := a.create("f")
		p.write("<f>", 0)
		p.close()
		a.unlink("f")
		b.chmod("f")
	}},
	{"rename, then other modes", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		for _, key := range []string{"f", "g"} {
			p := a.create(key)
			p.write("<"+key+">", 0)
			p.close()
		}
		a.rename("f", "g")
		b.chmod("f")
		b.chmod("g")
	}},
	{"a file, or a directory", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		p := a.create("n")
		p.write("<file>", 0)
		p.close()
		w.insist(func() bool { return b.mkdir("n/") })
	}},
	{"unmount with a removal under way", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		// The wait of chmod ends at about the time at which the lock comes free, and chance decides
		// whether it is had, and given back.
		w.only = func(e effect) bool { return !strings.HasPrefix(e.label, "table release ") }
		p := a.create("f")
		p.write("<f>", 0)
		p.close()
		a.slow()
		a.unlink("f")
		a.umountWithin(time.Second)
		b.chmod("f")
		w.until(4 * time.Minute)
		a.mount()
	}},
	{"unmount with a close under way", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		p := a.create("f")
		p.write("<f>", 0)
		p.close()
		p = a.open("f", "a")
		p.write("<late>", 0)
		a.slow()
		p.closing()
		a.umountWithin(time.Second)
		b.chmod("f")
		w.until(4 * time.Minute)
		a.mount()
	}},
	{"cut off for long, and killed", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		a.cut(true)
		w.until(time.Minute)
		p.write("<two>", 5)
		p.fsync()
		p.write("<three>", 10)
		p.close()
		a.kill()
		b.chmod("f")
	}},
	{"cut off, lease lost, and killed", func(w *sweep) {
		a, b := w.a, w.b
		w.expected = true
		w.keeps = 1
		p := a.create("f")
		p.write("<one>", 0)
		p.fsync()
		a.cut(true)
		b.open("f", "r+").close()
		w.until(time.Minute)
		p.write("<two>", 5)
		p.fsync()
		p.write("<three>", 10)
		a.kill()
		b.open("f", "r").close()
	}},
	{"a large file", func(w *sweep) {
		a, b := w.a, w.b
		w.only = func(e effect) bool {
			return strings.HasPrefix(e.label, "s3 ") || e.label == "disk write ops"
		}
		p := a.create("f")
		p.truncate(8 << 20)
		p.write("<end>", 8<<20)
		p.close()
		p = b.open("f", "w")
		p.write("<short>", 0)
		p.close()
	}},
}
