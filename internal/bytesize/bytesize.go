// Package bytesize reads and writes numbers of bytes as people do.
package bytesize

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a number of bytes: digits with an optional K, M, G or T, which count
// by 1024 as in df -h (KiB and KB mean the same here).
func Parse(s string) (int64, error) {
	num := strings.TrimRight(s, "KMGTiBkmgtb")
	unit := strings.ToUpper(s[len(num):])
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "B"), "I")
	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || !ok || n <= 0 || n > (1<<63-1)>>shift {
		return 0, fmt.Errorf("%q is not a size: write for example 500M or 20G", s)
	}
	return n << shift, nil
}

// Format writes a number of bytes in the largest unit that it fills.
func Format(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	return fmt.Sprintf("%.1f %ciB", f, units[u])
}
