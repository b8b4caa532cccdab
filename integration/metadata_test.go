package integration

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/store"
)

// metadataRules are the rows of docs/METADATA.md, in its order. Each has the bucket and a mount of
// it, and an object of its own.
var metadataRules = []struct {
	id   string
	test func(o *metadataObject)
}{
	{"K1", func(o *metadataObject) {
		o.put(meta{"colour": "blue"})
		for _, script := range []string{"echo new > $f", "echo more >> $f", "chmod 600 $f", "touch -d @7 $f", "truncate -s 2 $f"} {
			o.sh(script)
			o.has(meta{"colour": "blue"})
		}
		if head := o.head(); aws.ToString(head.ContentType) != "text/x" || aws.ToString(head.CacheControl) != "no-store" {
			o.Errorf("type %q, cache control %q", aws.ToString(head.ContentType), aws.ToString(head.CacheControl))
		}
	}},
	{"B1", func(o *metadataObject) {
		o.put(meta{"md5chksum": "x"})
		o.sh("printf x | dd of=$f bs=1 conv=notrunc status=none")
		o.lacks("md5chksum")
	}},
	{"B2", func(o *metadataObject) {
		o.put(meta{"s3cmd-attrs": "gid:20/md5:656c/mode:33188/mtime:1"})
		o.sh("echo more >> $f")
		o.has(meta{"s3cmd-attrs": "gid:20/mode:33188/mtime:1"})
	}},
	{"B3", func(o *metadataObject) {
		sums := []string{
			"md5", "md5-hash", "original-md5-hash", "sha256", "checksum-crc32", "checksum-crc32c", "checksum-crc64nvme",
			"checksum-sha1", "checksum-sha256", "large_file_sha1",
		}
		all := meta{}
		for _, name := range sums {
			all[name] = "x"
		}
		o.put(all)
		o.sh("truncate -s 3 $f")
		o.lacks(sums...)
	}},
	{"B4", func(o *metadataObject) {
		described := meta{"md5chksum": "x", "sha256": "y", "s3cmd-attrs": "md5:656c/uid:1"}
		o.put(described)
		o.sh("chmod 600 $f; chown 5:6 $f; touch -d @7 $f; mv $f $f.b; mv $f.b $f")
		o.has(described)
		o.encoded("gzip")
	}},
	{"E1", func(o *metadataObject) {
		for _, script := range []string{"echo new > $f", "truncate -s 0 $f", "printf 'base or longer' | dd of=$f conv=notrunc status=none"} {
			o.put(nil)
			o.sh(script)
			o.encoded("")
		}
	}},
	{"E2", func(o *metadataObject) {
		o.put(nil)
		o.sh("echo more >> $f; truncate -s 3 $f; printf x | dd of=$f bs=1 seek=1 conv=notrunc status=none")
		o.encoded("gzip")
	}},
	{"E3", func(o *metadataObject) {
		keys := meta{"x-amz-key-v2": "k", "x-amz-iv": "i", "x-amz-cek-alg": "a", "x-amz-unencrypted-content-length": "5", "s3tools-gpgenc": "gpg"}
		o.put(keys)
		o.sh("echo more >> $f")
		o.has(keys)
		o.sh("echo new > $f")
		o.lacks(slices.Collect(maps.Keys(keys))...)
	}},
	{"R1", func(o *metadataObject) {
		o.put(meta{"mode": "33152", "uid": "1", "gid": "2", "mtime": "3.5", "file-permissions": "0100640", "file-owner": "4", "file-mtime": "5000000000ns"})
		o.shows("640 4 2 1970-01-01 00:00:05.000000000")
		o.put(meta{"file-mtime": "5500"}) // no suffix: milliseconds
		o.shows("644 0 0 1970-01-01 00:00:05.500000000")
		o.put(meta{"file-permissions": "rw", "mode": "rw", "file-owner": "-1", "mtime": "7"})
		o.shows("644 0 0 1970-01-01 00:00:07.000000000")
	}},
	{"R2", func(o *metadataObject) {
		o.put(meta{"mode": "33152", "mtime": "7.25"}) // s3fs
		o.shows("600 0 0 1970-01-01 00:00:07.250000000")
		o.put(meta{"mode": "100640", "mtime": "2001-02-03T04:05:06.5Z"}) // rclone --metadata
		o.shows("640 0 0 2001-02-03 04:05:06.500000000")
	}},
	{"R3", func(o *metadataObject) {
		o.put(meta{"MODE": "33152", "Mtime": "7", "File-Owner": "4"})
		o.shows("600 4 0 1970-01-01 00:00:07.000000000")
	}},
	{"S1", func(o *metadataObject) {
		o.sh("echo ours > $f; chmod 640 $f; chown 5:6 $f; touch -d @7.5 $f")
		o.has(meta{"file-permissions": "0100640", "file-owner": "5", "file-group": "6", "file-mtime": "7500000000ns"})
		o.lacks("mode", "uid", "gid", "mtime", "atime")
	}},
	{"S2", func(o *metadataObject) {
		o.put(meta{"mode": "33188", "uid": "1", "gid": "2", "mtime": "3.5"})
		o.sh("chmod 600 $f; chown 5:6 $f; touch -d @7.25 $f")
		o.has(meta{"mode": "33152", "uid": "5", "gid": "6", "mtime": "7.250000000", "file-mtime": "7250000000ns"})
		o.put(meta{"mode": "100644", "mtime": "3"})
		o.sh("chmod 600 $f; touch -d @7.25 $f")
		o.has(meta{"mode": "33152", "mtime": "7", "file-mtime": "7250000000ns"})
		o.shows("600 0 0 1970-01-01 00:00:07.250000000")
		o.put(meta{"mtime": "2001-02-03T04:05:06Z"})
		o.sh("touch -d @7.25 $f")
		o.has(meta{"mtime": "1970-01-01T00:00:07.25Z"})
	}},
	{"S3", func(o *metadataObject) {
		o.put(meta{"mode": "33188", "mtime": "3", "ctime": "4"})
		o.sh("chmod 600 $f")
		o.lacks("ctime")
	}},
	{"S4", func(o *metadataObject) {
		o.put(meta{"x": strings.Repeat("x", 1890), "file-atime": "1ns"})
		o.sh("touch -m -d @7 $f; chmod 600 $f; chown 5:6 $f")
		o.has(meta{"file-mtime": "7000000000ns", "file-permissions": "0100600"})
		o.lacks("file-atime", "file-owner", "file-group")
		o.put(meta{"x": strings.Repeat("x", 1966)})
		if out := o.TrySh(o.h.Mountpoint, "export f="+o.key+"; echo new >> $f"); !strings.Contains(out.Err, "No space left") {
			o.Errorf("a full object: %+v", out)
		}
		o.h.Expect("metadata")
	}},
	{"L1", func(o *metadataObject) {
		o.ours()
		o.change(meta{"mtime": "981173106"}) // rclone touch
		o.shows("640 5 6 2001-02-03 04:05:06.000000000")
		o.sh("chmod 600 $f")
		o.has(meta{"mtime": "981173106", "file-mtime": "981173106000000000ns"})
		o.change(meta{"mtime": "8.5"})
		o.shows("600 5 6 1970-01-01 00:00:08.500000000")
	}},
	{"L2", func(o *metadataObject) {
		o.ours()
		o.change(meta{"mode": "33060", "uid": "8", "gid": "9", "mtime": "1000000000.25"}) // s3fs
		o.shows("444 8 9 2001-09-09 01:46:40.250000000")
		o.change(meta{"mode": "100600"}) // rclone --metadata
		o.shows("600 8 9 2001-09-09 01:46:40.250000000")
	}},
	{"L3", func(o *metadataObject) {
		o.put(meta{"mode": "33188", "mtime": "3"})
		o.sh("chmod 640 $f; touch -d @7.5 $f")
		o.change(meta{"file-permissions": "0100600", "file-mtime": "9000000000ns"}) // DataSync
		o.shows("600 0 0 1970-01-01 00:00:09.000000000")
	}},
	{"L4", func(o *metadataObject) {
		o.ours()
		o.change(meta{"file-mtime": "9000000000ns", "mtime": "8"})
		o.shows("640 5 6 1970-01-01 00:00:09.000000000")
	}},
	{"L5", func(o *metadataObject) {
		o.put(meta{"mtime": "3.5"})
		o.sh("chmod 640 $f; chown 5:6 $f; touch -d @7.123456789 $f")
		const want = "640 5 6 1970-01-01 00:00:07.123456789"
		for _, back := range []meta{{"mtime": "7"}, {"mtime": "7.12"}, {"mtime": "7.1234568"}, {"mtime": "1970-01-01T00:00:07.123Z"}, {"mode": "416", "mtime": "7.123456789"}} {
			o.change(back)
			o.shows(want)
		}
		o.change(meta{"file-mtime": "7123"})
		o.shows(want)
	}},
	{"L6", func(o *metadataObject) {
		o.ours()
		o.change(meta{"latchfs-attrs": "", "mtime": "8"}) // as an older latchfs left it
		o.shows("640 5 6 1970-01-01 00:00:07.500000000")
		o.sh("touch -d @9 $f")
		o.change(meta{"mtime": "8"})
		o.shows("640 5 6 1970-01-01 00:00:08.000000000")
	}},
	{"L7", func(o *metadataObject) {
		o.ours()
		o.change(meta{"mtime": "8"})
		copied := &metadataObject{o.Bucket, o.h, o.key + ".copy"}
		_, err := o.S3.CopyObject(o.Timeout(time.Minute), &s3.CopyObjectInput{Bucket: &o.Name, Key: &copied.key, CopySource: aws.String(o.Name + "/" + o.key)})
		o.Must(err)
		copied.shows("640 5 6 1970-01-01 00:00:08.000000000")
		copied.change(meta{"mtime": "9"})
		copied.shows("640 5 6 1970-01-01 00:00:09.000000000")
	}},
	{"A1", func(o *metadataObject) {
		o.put(meta{"latchfs-user": "copied", "latchfs-from": "copied"})
		o.sh("echo new > $f")
		o.has(meta{"latchfs-host": "one", "latchfs-what": "write"})
		o.lacks("latchfs-user", "latchfs-from")
		o.sh("chmod 600 $f")
		o.has(meta{"latchfs-host": "one", "latchfs-what": "meta"})
		all := o.VersionsOf(o.key)
		if out := o.Latchfs("restore", o.h.Path(o.key)+"@~1"); out.Code != 0 {
			o.Errorf("restore: %+v", out)
		}
		o.has(meta{"latchfs-what": "restore", "latchfs-from": all[len(all)-2].ID})
		from := o.key
		o.key += " \u00e9"
		o.Sh(o.h.Mountpoint, "mv '"+from+"' '"+o.key+"'")
		o.has(meta{"latchfs-host": "one", "latchfs-what": "rename", "latchfs-from": from})
		o.lacks("latchfs-user")
	}},
	{"A2", func(o *metadataObject) {
		o.h = o.Mount("two", "--audit=full", "--allow-other", "--dir-mode=0777")
		o.sh("setpriv --reuid 4242 --regid 4242 --clear-groups sh -c 'echo new > '$f")
		o.has(meta{"latchfs-host": "two", "latchfs-user": "4242", "latchfs-what": "write"})
		o.sh("chmod 600 $f")
		o.has(meta{"latchfs-host": "two", "latchfs-user": "root", "latchfs-what": "meta"})
		o.h.Umount()
	}},
	{"A3", func(o *metadataObject) {
		o.h = o.Mount("three", "--audit=off")
		o.sh("echo new > $f; chmod 600 $f")
		o.lacks("latchfs-host", "latchfs-user", "latchfs-what", "latchfs-from")
		for _, name := range []string{"latchfs-write-id", "latchfs-base"} {
			if o.head().Metadata[name] == "" {
				o.Errorf("%s is missing", name)
			}
		}
		o.h.Umount()
	}},
	{"A4", func(o *metadataObject) {
		o.sh("exec 3> $f; echo new >&3; chmod 600 $f; touch -d @7 $f; exec 3>&-")
		o.has(meta{"latchfs-what": "write", "latchfs-base": "-", "file-permissions": "0100600"})
	}},
	{"A5", func(o *metadataObject) {
		o.ours()
		o.change(meta{"colour": "blue"})
		var commits []store.Commit
		for _, v := range o.VersionsOf(o.key) {
			commits = append(commits, store.ReadCommit(v.Meta))
		}
		if foreign := store.Foreign(commits); len(foreign) < 2 || foreign[0] || !foreign[len(foreign)-1] || foreign[len(foreign)-2] {
			o.Errorf("foreign: %v of %+v", foreign, commits)
		}
	}},
}

// TestMetadataRules tries each row of docs/METADATA.md on a mount, with a client that writes what
// the tools named there write.
// SEMANTICS G9, Attributes and times
func TestMetadataRules(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--metadata-ttl", "0")
	for _, rule := range metadataRules {
		t.Run(rule.id, func(t *testing.T) {
			e, b := *b.Env, *b // whose failures are the row's
			e.TB, b.Env = t, &e
			rule.test(&metadataObject{&b, h, "f" + rule.id})
		})
	}
}

// TestMetadataTable: the document has the rules that are tried, in their order.
func TestMetadataTable(t *testing.T) {
	var rows, rules []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]\d+) \|`).FindAllStringSubmatch(readText(t, "../docs/METADATA.md"), -1) {
		rows = append(rows, m[1])
	}
	for _, r := range metadataRules {
		rules = append(rules, r.id)
	}
	if !slices.Equal(rows, rules) {
		t.Errorf("docs/METADATA.md has the rows\n%v, tried are\n%v", rows, rules)
	}
}
