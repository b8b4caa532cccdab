package lifecycle

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// escape writes text as XML has it.
func escape(b *strings.Builder, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a Builder never fails
}

// Ours tells whether a rule is one of this program's.
func Ours(r store.LifecycleRule) bool { return r.ID == ExpireID || r.ID == AbortID }

// For says in words for which objects a rule is.
func For(r store.LifecycleRule) string {
	var parts []string
	if p := r.For(); p != "" {
		parts = append(parts, p+"*")
	}
	f := r.Filter
	for _, t := range append(f.Tag, f.And.Tag...) {
		parts = append(parts, "tag "+t.Key+"="+t.Value)
	}
	if more := max(f.More, f.And.More); more > 0 {
		parts = append(parts, fmt.Sprintf("larger than %d bytes", more))
	}
	if less := max(f.Less, f.And.Less); less > 0 {
		parts = append(parts, fmt.Sprintf("smaller than %d bytes", less))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// Does says in words what a rule does; what of it this program does not know is not in it.
func Does(r store.LifecycleRule) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if r.NoncurrentDays > 0 {
		but := ""
		if r.KeepNewer > 0 {
			but = fmt.Sprintf(" but for the newest %d", r.KeepNewer)
		}
		say("removes versions %s after they were replaced%s", days(r.NoncurrentDays), but)
	}
	if r.ExpireMarkers {
		say("removes delete markers with nothing below them")
	}
	if r.AbortDays > 0 {
		say("ends uploads %s after they began", days(r.AbortDays))
	}
	switch {
	case r.ExpireDays > 0:
		say("deletes files %s after they were written", days(r.ExpireDays))
	case r.ExpireDate != "":
		say("deletes files on %s", r.ExpireDate)
	}
	for _, t := range r.Transitions {
		if t.Date != "" {
			say("moves files to %s on %s", t.Class, t.Date)
		} else {
			say("moves files to %s after %s", t.Class, days(t.Days))
		}
	}
	for _, t := range r.NoncurrentTransitions {
		say("moves versions to %s %s after they were replaced", t.Class, days(t.NoncurrentDays))
	}
	if len(parts) == 0 {
		return "something that latchfs does not know"
	}
	return strings.Join(parts, "; ")
}

func days(n int) string { return fmt.Sprintf("%dd", n) }

// Consequences says what the wanted rules will remove that the present ones do not say, a line each.
func (w Wanted) Consequences() (lines []string) {
	if e := w.Expire; e != nil && e.Days > 0 {
		but := ""
		if e.Keep > 0 {
			but = fmt.Sprintf(", but for the newest %d of each file", e.Keep)
		}
		lines = append(lines, fmt.Sprintf("from now on the service removes for good, once a day, each version %s after it was replaced or deleted%s", days(e.Days), but))
		if e.Keep == 0 {
			lines = append(lines, "the last content of a deleted file goes too: --keep-versions 1 keeps it")
		}
		lines = append(lines, "labels do not keep a version from that, since rules cannot leave tags out; Object Lock does")
	}
	if w.Abort != nil && *w.Abort > 0 {
		lines = append(lines, fmt.Sprintf("from now on the service ends each multipart upload %s after it began, also one that is still under way", days(*w.Abort)))
	}
	return lines
}
