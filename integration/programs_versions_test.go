package integration

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
)

// counts are the numbers of versions of files.
type counts map[string]count

type count struct {
	versions int
	gone     bool // the name is not there any more
}

// versionsBelow counts the versions of all files below a prefix.
func versionsBelow(b *harness.Bucket, prefix string) counts {
	b.Helper()
	all := counts{}
	p := s3.NewListObjectVersionsPaginator(b.S3.Client, &s3.ListObjectVersionsInput{Bucket: &b.Name, Prefix: &prefix})
	for p.HasMorePages() {
		page, err := p.NextPage(b.Timeout(time.Minute))
		b.Must(err)
		for _, v := range page.Versions {
			if key := strings.TrimPrefix(*v.Key, prefix); !strings.HasSuffix(*v.Key, "/") {
				all[key] = count{all[key].versions + 1, all[key].gone}
			}
		}
		for _, m := range page.DeleteMarkers {
			if key := strings.TrimPrefix(*m.Key, prefix); *m.IsLatest && !strings.HasSuffix(*m.Key, "/") {
				all[key] = count{all[key].versions, true}
			}
		}
	}
	return all
}

// since gives the files that got versions after before was counted.
func (c counts) since(before counts) counts {
	more := counts{}
	for key, n := range c {
		if n.versions -= before[key].versions; n.versions > 0 {
			more[key] = n
		}
	}
	return more
}

// is tells whether words say what String does. Two forms allow fewer than they say. "1, gone up to 9"
// speaks of what was gone in all. After "up to 9", no file that is there has more, and what is gone
// does not count: what a program does in its own directories differs between its releases. A change
// of attributes just after a close may still go with it, since the kernel tells of the close later.
func (c counts) is(words string) bool {
	if limit, ok := strings.CutPrefix(words, "up to "); ok {
		most := 0
		for _, n := range c {
			if !n.gone {
				most = max(most, n.versions)
			}
		}
		return most > 0 && within(most, limit)
	}
	if there, limit, ok := strings.Cut(words, ", gone up to "); ok {
		return c.there() == there && within(c.gone(), limit)
	}
	return c.String() == words
}

func within(n int, limit string) bool {
	most, err := strconv.Atoi(limit)
	return err == nil && n <= most
}

// String is "1" where each file got one version, and "1, a 2, b 3" where up to three files got another
// number than the most; else "1 to 4". It ends with the sum for names that are not there any more:
// "1, gone 2".
func (c counts) String() string {
	if gone := c.gone(); gone > 0 {
		return fmt.Sprintf("%s, gone %d", c.there(), gone)
	}
	return c.there()
}

func (c counts) gone() int {
	sum := 0
	for _, n := range c {
		if n.gone {
			sum += n.versions
		}
	}
	return sum
}

func (c counts) there() string {
	files := map[int][]string{} // by number of versions
	for key, n := range c {
		if !n.gone {
			files[n.versions] = append(files[n.versions], key)
		}
	}
	numbers := slices.Sorted(maps.Keys(files))
	usual := 0
	for _, n := range numbers {
		if len(files[n]) > len(files[usual]) {
			usual = n
		}
	}
	delete(files, usual)
	var others []string
	for n, keys := range files {
		for _, key := range keys {
			others = append(others, fmt.Sprintf(", %s %d", key, n))
		}
	}
	slices.Sort(others)
	if len(others) > 3 {
		return fmt.Sprintf("%d to %d", numbers[0], numbers[len(numbers)-1])
	}
	return fmt.Sprint(usual) + strings.Join(others, "")
}
