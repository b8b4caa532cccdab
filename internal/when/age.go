package when

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

var age = regexp.MustCompile(`^-?(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

// maxAge bounds each number of an age, of which even years are no overflow.
const maxAge = 1 << 40

// ago gives the time that was so long before now.
func ago(s string, now time.Time) (time.Time, error) {
	m := age.FindStringSubmatch(s)
	if m == nil || s == "" || s == "-" {
		return now, fmt.Errorf("is no time: write %s", Forms)
	}
	var n [6]int64
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		var err error
		if n[i], err = strconv.ParseInt(digits, 10, 64); err != nil || n[i] > maxAge {
			return now, tooOld()
		}
	}
	years, days := n[0], 7*n[1]+n[2]
	seconds := 3600*n[3] + 60*n[4] + n[5]
	const second = int64(time.Second)
	if years > oldest || days > 366*oldest || seconds > math.MaxInt64/second {
		return now, tooOld()
	}
	return now.AddDate(-int(years), 0, -int(days)).Add(-time.Duration(seconds * second)), nil
}

func tooOld() error {
	return fmt.Errorf("is before %d: write a time as %s", oldest, Forms)
}
