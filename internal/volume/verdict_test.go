package volume

import (
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// SEMANTICS "Servers": what a server does wrong decides how it may be mounted.
func TestJudge(t *testing.T) {
	const all = ^store.Flaws(0)
	for _, c := range []struct {
		flaws    store.Flaws
		mode     Mode
		says     []string
		saysNone []string
	}{
		{0, ReadWrite, nil, nil},
		{store.CopyConditions, ReadWrite, []string{"of CopyObject", "nothing has to be done"}, []string{"EFBIG", "accept"}},
		{store.PartSource, ReadWrite, []string{"UploadPartCopy", "nothing has to be done"}, []string{"EFBIG"}},
		{store.CompleteConditions, ReadWrite, []string{"CompleteMultipartUpload", "saved by one PUT", "over 5 GiB", "EFBIG"}, []string{"copied"}},
		{store.CompleteConditions | store.CopyConditions, ReadWrite, []string{"CompleteMultipartUpload", "of CopyObject", "saved and copied by one PUT", "EFBIG"}, nil},
		{store.DeleteConditions, Degraded, []string{"DeleteObject", "--accept-degraded", "--read-only", "another server"}, nil},
		{store.DeleteConditions | store.CopyConditions, Degraded, []string{"DeleteObject"}, []string{"of CopyObject"}},
		{store.PutConditions, ReadOnly, []string{"of PutObject", "--read-only", "another server"}, []string{"accept"}},
		{store.AbortHarms, ReadOnly, []string{"AbortMultipartUpload", "--read-only"}, nil},
		{store.WrongReads, ReadOnly, []string{"GetObject", "--read-only"}, nil},
		{store.WrongHistory, ReadOnly, []string{"ListObjectVersions", "--read-only"}, nil},
		{all, ReadOnly, []string{"of PutObject", "AbortMultipartUpload", "GetObject", "ListObjectVersions"}, []string{"DeleteObject", "of CopyObject"}},
	} {
		mode, line := judge("the S3 server at http://e", c.flaws, false)
		if mode != c.mode || (line == "") != (c.flaws == 0) || strings.Contains(line, "\n") {
			t.Errorf("%s: mode %d, %q; want mode %d", c.flaws, mode, line, c.mode)
		}
		if line != "" && !strings.HasPrefix(line, "the S3 server at http://e ") {
			t.Errorf("%s: %q does not name the server", c.flaws, line)
		}
		for _, s := range c.says {
			if !strings.Contains(line, s) {
				t.Errorf("%s: %q does not say %q", c.flaws, line, s)
			}
		}
		for _, s := range c.saysNone {
			if strings.Contains(line, s) {
				t.Errorf("%s: %q says %q", c.flaws, line, s)
			}
		}
	}
	if _, line := judge("x", store.DeleteConditions, true); !strings.Contains(line, "as --accept-degraded allows") {
		t.Errorf("accepted: %q", line)
	}
	var rows store.Flaws
	for _, row := range flawTable {
		rows |= row.flaw
	}
	for _, name := range all.Names() {
		if f, _ := store.ParseFlaws([]string{name}); !rows.Has(f) {
			t.Errorf("%s is not in the table", name)
		}
	}
}
