package integration

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// Everything that a user would call one save is one version of the object and one
// request that writes it, however many times the kernel says FLUSH.
func TestOneCloseIsOneVersion(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one")
	for i, tt := range []struct {
		script string
		want   int
	}{
		{"echo x > F", 1},
		{": > F", 1},
		{"touch F", 1},
		{"echo x > F; echo y > F", 2},
		{"echo x > F; echo y >> F", 2},
		{"(echo a; /bin/echo b) > F", 1},
		{"{ /bin/echo a; /bin/echo b; } > F", 1},
		{"exec 5>>F; echo a >&5; (echo b) >&5; /bin/echo c >&5; exec 5>&-", 1},
		{"(echo a; sleep 0.2; echo b) > F", 1},
		{"for i in 1 2 3; do echo $i; done > F", 1},
		{"dd if=/dev/zero of=F bs=64k count=8 status=none", 1},
		{"printf 'b\\na\\n' | sort -o F", 1},
		{"echo x | tee F > /dev/null", 1},
		{"gzip -c < /etc/passwd > F", 1},
		{"cp /etc/passwd F", 1},
		{"python3 -c 'import subprocess as s; f = open(\"F\", \"w\"); f.write(\"a\"); f.flush(); s.run([\"true\"]); f.write(\"b\"); f.close()'", 1},
		{"echo x > F; chmod 600 F", 2},
		{"echo x > F; chmod 644 F; chmod 644 F", 1}, // a change that changes nothing
		{"cp -p /etc/passwd F", 1},
	} {
		name := fmt.Sprintf("f%d", i)
		t.Run(tt.script, func(t *testing.T) {
			e.Sh(h.Mountpoint, strings.ReplaceAll(tt.script, "F", name))
			versions := b.VersionsOf(name)
			if len(versions) != tt.want {
				t.Errorf("%d versions, want %d", len(versions), tt.want)
			}
			checkLineage(e, versions)
			writes := p.Seen(func(r harness.Request) bool {
				q, _ := url.ParseQuery(r.Query)
				return r.Method == http.MethodPut && r.Key(b.Name) == name && !q.Has("partNumber")
			})
			if len(writes) != len(versions) {
				t.Errorf("%d requests wrote %d versions", len(writes), len(versions))
			}
		})
	}
}
