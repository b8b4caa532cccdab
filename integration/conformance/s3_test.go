package conformance

import (
	"syscall"
	"testing"
)

// local is what latchfs-local says in the informational rows.
var local = expectation{open: map[string]string{
	"b11": `^status 412 after \d+ of 8388608 body bytes were sent$`,
	"c09": `^If-None-Match:<etag> 501/NotImplemented, If-Match:\* ok$`,
	"d03": `^absent\+etag: 404/NoSuchKey, absent\+\*: 404/NoSuchKey, present\+\*: ok$`,
	"k05": `a bare '\+' in CopySource is read as a space: 404/NoSuchKey$`,
	"k06": `^501/NotImplemented$`,
	"m04": `unconditional complete: ok$`,
	"m06": `^2nd complete: ok`,
	"o08": `^round trip fine; plain list shows`, // XML 1.0 has no 0x01; url-encoded listing is right
	"o25": `^round trip fine; plain list shows`,
	"s04": `^412 PreconditionFailed$`,
	"t02": `^2,100 B: 400/MetadataTooLarge; utf-8 put: ok; read back "héllo-日本"$`,
	"x10": `^object whole in all 10 rounds; answers map\[ok:80\]$`,
	"z02": `^append: 501/NotImplemented \(content now "a"\)`,
	"z03": `closed the connection after 0 of 3 requests$`,
}}

const s3Rows = 149

func TestS3(t *testing.T) {
	program, a := startLocal(t)
	e := newS3Server("http://"+a.Address, a.Region, a.AccessKey, a.SecretKey)
	groups := []struct {
		name string
		rows []row
	}{
		{"setup", e.setup()}, {"basics", e.basics()},
		{"conditional put", e.conditionalPuts()}, {"conditional complete", e.conditionalCompletes()},
		{"copy", e.copies()}, {"delete", e.deletes()}, {"multipart", e.multiparts()}, {"read", e.reads()},
		{"list", e.lists()}, {"keys", append(e.roundTrips(), e.keys()...)}, {"metadata", e.metadata()},
		{"races", e.races()}, {"versions", append(e.versions(), e.versionOrder()...)}, {"object lock", e.objectLocks()},
		{"presigned", e.presigned()}, {"odds", e.odds()},
	}
	n := 0
	t.Run("up", func(t *testing.T) { // which returns when the rows that wait are done
		for _, g := range groups {
			n += len(g.rows)
			run(t, g.rows, local)
		}
	})
	s := e.seed()
	program.stop(t, syscall.SIGKILL)
	if b := program.start(t); b.Address != a.Address || b.AccessKey != a.AccessKey || b.SecretKey != a.SecretKey {
		t.Fatalf("after a restart the access is %+v, before it was %+v", b, a)
	}
	rows := e.restarts(s)
	t.Run("restarted", func(t *testing.T) { run(t, rows, local) })
	if n += len(rows); n != s3Rows {
		t.Errorf("%d rows, want %d", n, s3Rows)
	}
}
