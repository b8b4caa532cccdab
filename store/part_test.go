package store

import "testing"

// Parts are as small as S3's limit on their number lets them be.
func TestPartSize(t *testing.T) {
	for _, size := range []int64{PartSize + 1, 78 << 30, 79 << 30, 1 << 40, maxObject} {
		for _, least := range []int64{PartSize, copySize} {
			p := partSize(size, least)
			if n := (size + p - 1) / p; n > MaxParts || p < least || p > least && (size+p-(1<<20)-1)/(p-(1<<20)) <= MaxParts {
				t.Errorf("%d bytes in %d parts of %d", size, n, p)
			}
			if p > 5<<30 {
				t.Errorf("a part of %d bytes", p)
			}
		}
	}
}
