package volume

import (
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// A Mode is how much of a mount a server allows.
type Mode int

const (
	// ReadWrite: what the server does wrong, if anything, is gone around.
	ReadWrite Mode = iota
	// Degraded: read-write with --accept-degraded alone.
	Degraded
	// ReadOnly: read-only at most.
	ReadOnly
)

// flawTable is SEMANTICS "Servers" in code: what a server that has a flaw fails to do, and how it
// may be mounted. The worst come first.
var flawTable = []struct {
	flaw  store.Flaws
	mode  Mode
	fails string
}{
	{store.PutConditions, ReadOnly, "does not keep a PUT from overwriting what others wrote meanwhile (If-Match and If-None-Match of PutObject)"},
	{store.AbortHarms, ReadOnly, "changes an object when an upload of the same name is aborted (AbortMultipartUpload)"},
	{store.WrongReads, ReadOnly, "reads other bytes than those of the version and range that it is asked for (GetObject)"},
	{store.WrongHistory, ReadOnly, "does not list all versions in their order (ListObjectVersions)"},
	{store.DeleteConditions, Degraded, "does not keep a DELETE from removing what others wrote meanwhile (If-Match of DeleteObject)"},
	{store.CompleteConditions, ReadWrite, "does not keep a multipart upload from overwriting what others wrote meanwhile (If-Match and If-None-Match of CompleteMultipartUpload)"},
	{store.CopyConditions, ReadWrite, "does not keep a copy from overwriting what others wrote meanwhile (If-Match and If-None-Match of CopyObject)"},
	{store.PartSource, ReadWrite, "does not hold the source of a copy by parts against its ETag (UploadPartCopy)"},
}

// judge gives the mode that the flaws of a server allow, and one line that names the server, what
// it fails to do, and what that means; "" if it does all that a mount relies on. accepted: the user
// accepts Degraded.
func judge(server string, f store.Flaws, accepted bool) (Mode, string) {
	var mode Mode
	var fails []string
	for _, row := range flawTable {
		if !f.Has(row.flaw) {
			continue
		}
		if mode == ReadWrite {
			mode = row.mode
		}
		if row.mode == mode {
			fails = append(fails, row.fails)
		}
	}
	if len(fails) == 0 {
		return ReadWrite, ""
	}
	return mode, fmt.Sprintf("%s %s: %s", server, strings.Join(fails, ", and "), consequence(mode, f, accepted))
}

// consequence says what follows from the flaws.
func consequence(mode Mode, f store.Flaws, accepted bool) string {
	switch {
	case mode == ReadOnly:
		return "mount it with --read-only, or use another server"
	case mode == Degraded && accepted:
		return "an unlink or rename here can remove what a program without latchfs writes at the same moment, as --accept-degraded allows"
	case mode == Degraded:
		return "an unlink or rename here can remove what a program without latchfs writes at the same moment; mount it with --accept-degraded if that does not happen, or with --read-only, or use another server"
	case f.Has(store.CompleteConditions) && f.Has(store.CopyConditions|store.PartSource):
		return "each file is saved and copied by one PUT, so that files over 5 GiB fail with EFBIG; use another server for these"
	case f.Has(store.CompleteConditions):
		return "each file is saved by one PUT, so that files over 5 GiB fail with EFBIG; use another server for these"
	}
	return "nothing has to be done, copies are made by other requests"
}
