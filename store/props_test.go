package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// SEMANTICS G9: a rewrite by each way keeps all that a foreign object has, and what is
// returned is what HEAD says.
func TestForeignPropertiesKept(t *testing.T) {
	foreign := store.Props{
		Meta: map[string]string{"colour": "red"}, ContentType: "text/html", CacheControl: "no-store",
		ContentDisposition: "inline", ContentEncoding: "identity", ContentLanguage: "de", Expires: "Thu, 01 Jan 2032 00:00:00 GMT",
		WebsiteRedirect: "/x", StorageClass: "STANDARD_IA", Encryption: "aws:kms", KMSKeyID: "k", BucketKey: true,
	}
	write := func(size int) func(*world, store.Write, store.Info) (store.Info, error) {
		return func(w *world, wr store.Write, _ store.Info) (store.Info, error) {
			body := strings.NewReader(strings.Repeat("x", size))
			return w.c.Put(w.Context(), valid(), wr, store.Body{ReaderAt: body, Size: body.Size()})
		}
	}
	for name, rewrite := range map[string]func(*world, store.Write, store.Info) (store.Info, error){
		"put":       write(10),
		"multipart": write(store.PartSize + 1),
		"copy": func(w *world, wr store.Write, i store.Info) (store.Info, error) {
			return w.c.Copy(w.Context(), valid(), wr, store.Source{Key: i.Key, Base: i.Base(), Size: i.Size})
		},
		"rename": func(w *world, wr store.Write, i store.Info) (store.Info, error) {
			wr.Key, wr.Base = "other", store.Base{}
			return w.c.Copy(w.Context(), valid(), wr, store.Source{Key: i.Key, Base: i.Base(), Size: i.Size})
		},
	} {
		for _, at := range []struct {
			versioned bool
			flaws     store.Flaws
		}{{true, 0}, {false, 0}, {true, noCopy}, {false, noCopy}, {true, noComplete}, {true, noCopy | noComplete}, {false, noCopy | noParts}} {
			versioned := at.versioned
			t.Run(fmt.Sprint(name, " ", at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// The server's clock is slow, and what it says counts where it has to.
					b := memstore.New(memstore.Options{Versioned: versioned, Flaws: at.flaws, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
					w := &world{TB: t, b: b, c: store.New(newMonitor(t, b), store.Options{Host: "here"})}
					w.c.SetFlaws(at.flaws)
					old := w.b.PutForeignProps(key, "base", foreign, "a=1&b=x%26y")
					time.Sleep(time.Minute)
					var progress atomic.Int64
					wr := store.Write{Key: key, ID: id, Base: old.Base(), Props: old.Props, Progress: func(n int64) { progress.Add(n) }}
					before := maps.Clone(old.Props.Meta)
					got, err := rewrite(w, wr, old)
					if err != nil {
						t.Fatal(err)
					}
					if !maps.Equal(before, old.Props.Meta) {
						t.Errorf("the caller's metadata were changed: %v", old.Props.Meta)
					}
					now, err := w.c.Head(t.Context(), got.Key, "")
					if err != nil {
						t.Fatal(err)
					}
					if versioned {
						got.LastModified = now.LastModified // an estimate
					}
					if progress.Load() != got.Size {
						t.Errorf("progress %d of %d bytes", progress.Load(), got.Size)
					}
					if !equal(got, now) {
						t.Errorf("returned %+v\nHEAD says %+v", got, now)
					}
					base := old.VersionID
					if !versioned {
						base = old.ETag
					}
					if name == "rename" {
						base = "-"
					}
					own := map[string]string{"latchfs-write-id": string(id), "latchfs-base": url.PathEscape(base), "latchfs-host": "here"}
					maps.Copy(own, foreign.Meta)
					want := foreign
					want.Meta, want.TagCount = own, 2
					if i := now; !equal(store.Info{Props: want}, store.Info{Props: i.Props}) {
						t.Errorf("properties %+v\nwant %+v", i.Props, want)
					}
					if tags, _ := w.b.Tags(t.Context(), got.Key, ""); tags != "a=1&b=x%26y" {
						t.Errorf("tags %q", tags)
					}
				})
			})
		}
	}
}

func equal(a, b store.Info) bool {
	am, bm := a.Props.Meta, b.Props.Meta
	a.Props.Meta, b.Props.Meta = nil, nil
	return maps.Equal(am, bm) && a.Key == b.Key && a.ETag == b.ETag && a.VersionID == b.VersionID && a.Size == b.Size &&
		a.LastModified.Equal(b.LastModified) && sameProps(a.Props, b.Props)
}

func sameProps(a, b store.Props) bool {
	return a.ContentType == b.ContentType && a.CacheControl == b.CacheControl && a.ContentDisposition == b.ContentDisposition &&
		a.ContentEncoding == b.ContentEncoding && a.ContentLanguage == b.ContentLanguage && a.Expires == b.Expires &&
		a.WebsiteRedirect == b.WebsiteRedirect && a.StorageClass == b.StorageClass && a.Encryption == b.Encryption &&
		a.KMSKeyID == b.KMSKeyID && a.BucketKey == b.BucketKey && a.TagCount == b.TagCount
}

// A write says who, after what, and with what id; of an earlier write nothing is left.
func TestOwnMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(memstore.Options{Versioned: true})
		put := func(host string, wr store.Write) store.Info {
			t.Helper()
			i, err := store.New(b, store.Options{Host: host}).Put(t.Context(), valid(), wr, store.Body{})
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		first := put("büro 1", store.Write{Key: key, ID: "a b"})
		if m := first.Props.Meta; m["latchfs-write-id"] != "a%20b" || m["latchfs-base"] != "-" || m["latchfs-host"] != "b%C3%BCro%201" {
			t.Errorf("metadata %v", m)
		}
		second := put("", store.Write{Key: key, ID: "w2", Base: first.Base(), Props: first.Props})
		if m := second.Props.Meta; m["latchfs-write-id"] != "w2" || m["latchfs-base"] != first.VersionID || m["latchfs-host"] != "" {
			t.Errorf("metadata %v", m)
		}
		// SEMANTICS Metadata: our own keys take at most 350 bytes.
		p := store.Posix{Mode: 0o100644, UID: 4294967295, GID: 4294967295, Mtime: time.Unix(-1700000000, 1), Atime: time.Unix(-1700000000, 1), Has: all}
		meta, err := p.Put(store.WithInode(nil, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		third := put(strings.Repeat("ü", 100), store.Write{Key: key, ID: store.NewWriteID(), Base: second.Base(), Props: store.Props{Meta: meta}})
		size := 0
		for name, value := range third.Props.Meta {
			size += len(name) + len(value)
		}
		if len(third.Props.Meta) != 10 || size > 350 {
			t.Errorf("%d bytes of our own: %v", size, third.Props.Meta)
		}
	})
}

// Where there is no room the host goes first; what posix.Put let through always fits.
func TestOwnMetadataFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		p := store.Posix{Mode: 0o100644, UID: 1000, GID: 1000, Mtime: time.Unix(1700000000, 0), Atime: time.Unix(1700000000, 0), Has: all}
		base := store.Base{}
		for n := 1500; ; n++ {
			meta, err := p.Put(map[string]string{"x": strings.Repeat("x", n)})
			if errors.Is(err, store.ErrMetadataFull) {
				break
			}
			i, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: store.NewWriteID(), Base: base, Props: store.Props{Meta: meta}}, store.Body{})
			if err != nil {
				t.Fatalf("with %d foreign bytes: %v", n, err)
			}
			m := i.Props.Meta
			if m["latchfs-write-id"] == "" || m["latchfs-base"] == "" {
				t.Fatalf("with %d foreign bytes: %v", n, m)
			}
			base = i.Base()
		}
		_, err := w.c.Put(t.Context(), valid(), store.Write{Key: "full", ID: id, Props: store.Props{Meta: map[string]string{"x": strings.Repeat("x", 2040)}}}, store.Body{})
		if !errors.Is(err, store.ErrMetadataFull) || w.c.Requests()["Put"] == 0 {
			t.Errorf("error %v", err)
		}
		meta := map[string]string{"x": strings.Repeat("x", 2048-1-len("latchfs-write-idw1latchfs-base-"))}
		i, err := w.c.Put(t.Context(), valid(), store.Write{Key: "tight", ID: id, Props: store.Props{Meta: meta}}, store.Body{})
		if err != nil || i.Props.Meta["latchfs-host"] != "" || i.Props.Meta["latchfs-write-id"] == "" {
			t.Errorf("%v, %v", i.Props.Meta, err)
		}
	})
}

// Tags are read before anything is sent; if they cannot be, nothing is lost with them.
func TestTagsUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for cause, want := range map[error]error{store.ErrAccessDenied: store.ErrAccessDenied, store.ErrNotFound: store.ErrConflict} {
			w := newWorld(t, true)
			old := w.b.PutForeignProps(key, "base", store.Props{}, "a=1")
			w.f.On("Tags").Fail(store.Refused, cause)
			_, err := w.c.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: old.Base(), Props: old.Props}, store.Body{})
			if !errors.Is(err, want) || w.content(key) != "base" {
				t.Errorf("%v: %v", cause, err)
			}
		}
		w := newWorld(t, true)
		old := w.b.PutForeignProps(key, "base", store.Props{}, "a=1")
		w.f.On("Tags").Hang()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := w.c.Put(ctx, valid(), store.Write{Key: key, ID: id, Base: old.Base(), Props: old.Props}, store.Body{})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}
