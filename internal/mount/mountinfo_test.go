package mount

import (
	"strings"
	"testing"
)

func TestParseMountinfo(t *testing.T) {
	const in = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 22 0:52 / /mnt/with\040space rw,nosuid,nodev - fuse.latchfs s3://b/a\134b rw,user_id=0
37 22 0:53 /sub /x rw master:1 propagate_from:2 - tmpfs tmpfs rw
`
	got, err := parseMountinfo(strings.NewReader(in))
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := mounted{Device: "0:52", Mountpoint: "/mnt/with space", Type: "fuse.latchfs", Source: `s3://b/a\b`}
	if got[1] != want || !got[1].ours() || got[2].ours() || got[2].Mountpoint != "/x" {
		t.Errorf("%+v", got)
	}
	if _, err := parseMountinfo(strings.NewReader("36 22 0:52 / /mnt\n")); err == nil {
		t.Error("a line without a separator is read")
	}
}
