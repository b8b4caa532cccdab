package review

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/latchfs/latchfs/store"
)

const (
	// maxCompared is the size up to which two versions are compared line by line, in bytes: both are
	// held in memory then.
	maxCompared = 16 << 20
	// sniffed is how much of a file tells whether it is text, as git has it.
	sniffed = 8000
)

// A Side is one of two versions that are compared; the zero Side is nothing, of a file that did not
// exist yet, or does not any more.
type Side struct {
	// Name and Stamp tell in the output which file and which version it is, each in one line without
	// control characters. patch(1) takes what comes after a tab for a time.
	Name, Stamp string
	Objects     Objects // of the bucket that it is in
	Info        store.Info
	Posix       store.Posix
	// bytes are those of Info, once they have been read.
	bytes []byte
	read  bool
}

func (s *Side) absent() bool { return s.Name == "" }

// header is what stands after --- or +++.
func (s *Side) header() string {
	if s.absent() {
		return "/dev/null"
	}
	return s.Name + "\t" + s.Stamp
}

func (s *Side) label() string {
	if s.absent() {
		return "/dev/null"
	}
	return s.Name + " (" + s.Stamp + ")"
}

// Unified compares two versions, as diff -u and git do, with three lines of context. What is the same
// gives "", but for another mode; what is no text, or too large, is only said to differ. The bytes of
// a Side are kept in it for a comparison with the next one. It fails as Copy does.
func Unified(ctx context.Context, old, new *Side) (string, error) {
	var b strings.Builder
	b.WriteString(modes(old, new))
	if old.Info.ETag == new.Info.ETag && old.Info.Size == new.Info.Size && old.absent() == new.absent() {
		return b.String(), nil
	}
	if max(old.Info.Size, new.Info.Size) > maxCompared {
		fmt.Fprintf(&b, "Files %s and %s differ, and are too large to compare line by line\n", old.label(), new.label())
		return b.String(), nil
	}
	for _, s := range []*Side{old, new} {
		if err := s.load(ctx); err != nil {
			return "", err
		}
	}
	switch {
	case bytes.Equal(old.bytes, new.bytes):
	case binary(old.bytes) || binary(new.bytes):
		fmt.Fprintf(&b, "Binary files %s and %s differ\n", old.label(), new.label())
	default:
		text := diff.Diff(old.header(), old.bytes, new.header(), new.bytes)
		_, hunks, _ := bytes.Cut(text, []byte("\n")) // the first line is diff's command
		b.Write(hunks)
	}
	return b.String(), nil
}

// modes says as git does what became of the mode.
func modes(old, new *Side) string {
	if old.Posix.Has&new.Posix.Has&store.HasMode == 0 || old.Posix.Mode == new.Posix.Mode {
		return ""
	}
	return fmt.Sprintf("old mode %06o\nnew mode %06o\n", old.Posix.Mode, new.Posix.Mode)
}

func (s *Side) load(ctx context.Context) error {
	if s.read || s.absent() {
		return nil
	}
	var b bytes.Buffer
	if err := Copy(ctx, &b, s.Objects, s.Info); err != nil {
		return err
	}
	s.bytes, s.read = b.Bytes(), true
	return nil
}

// binary tells whether a program for text should not show the bytes.
func binary(b []byte) bool { return bytes.IndexByte(b[:min(len(b), sniffed)], 0) >= 0 }
