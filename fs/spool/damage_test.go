package spool

import "testing"

// A journal whose synced part is damaged is set aside with its data, not guessed at.
func TestDamagedJournalIsSetAside(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.WriteAt([]byte("bytes"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	disk := m.killed()
	j := disk.files["/spool/f-000001/journal"]
	j.b[len(j.b)-80] ^= 1
	scan := scanned(t, disk)
	if len(scan.Bad) != 1 || len(scan.Files) != 0 {
		t.Fatalf("bad %v, files %d", scan.Bad, len(scan.Files))
	}
	if disk.files["/spool/bad-f-000001/data"] == nil {
		t.Error("the data was not kept")
	}
	again, err := ScanDir("/spool", disk)
	if err != nil || len(again.Bad) != 1 {
		t.Errorf("second scan: %v, bad %v", err, again.Bad)
	}
}

// Where the machine ran on there is no torn middle: a bad record with sound ones after it is
// damage, and what was accepted after it is not dropped for it.
func TestDamageOfTheSameBootIsSetAside(t *testing.T) {
	for _, hit := range []string{"open record", "write record", "seal", "data"} {
		t.Run(hit, func(t *testing.T) {
			m := newMemFS()
			sp, err := Open("/spool", Options{FS: m})
			if err != nil {
				t.Fatal(err)
			}
			f, err := sp.Create(Header{Key: "a"})
			if err != nil {
				t.Fatal(err)
			}
			opened := len(m.files["/spool/f-000001/journal"].b)
			if err := f.WriteAt([]byte("bytes"), 0); err != nil {
				t.Fatal(err)
			}
			written := len(m.files["/spool/f-000001/journal"].b)
			if _, err := f.Seal(Seal{ID: "w"}); err != nil {
				t.Fatal(err)
			}
			if err := f.Attempt("w", false); err != nil {
				t.Fatal(err)
			}
			disk := m.killed()
			j, d := disk.files["/spool/f-000001/journal"].b, disk.files["/spool/f-000001/data"].b
			switch hit {
			case "open record":
				j[5] ^= 1
			case "write record":
				j[opened+10] ^= 1
			case "seal":
				j[written+20] ^= 1
			case "data":
				d[2] ^= 1
			}
			if scan := scanned(t, disk); len(scan.Bad) != 1 || len(scan.Files) != 0 {
				t.Errorf("bad %v, files %d", scan.Bad, len(scan.Files))
			}
			if disk.files["/spool/bad-f-000001/data"] == nil {
				t.Error("the data was not kept")
			}
		})
	}
}

// Every kind of record shows that what stands before it was written.
func TestDamageBeforeAttributesIsSetAside(t *testing.T) {
	m := newMemFS()
	f := newFile(t, m)
	must(t, f.WriteAt([]byte("bytes"), 0))
	written := len(m.files["/spool/f-000001/journal"].b)
	must(t, f.Attributes(mode("0600")))
	disk := m.killed()
	disk.files["/spool/f-000001/journal"].b[written-1] ^= 1
	if scan := scanned(t, disk); len(scan.Bad) != 1 {
		t.Errorf("bad %v", scan.Bad)
	}
}
