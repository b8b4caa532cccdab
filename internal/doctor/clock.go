package doctor

import (
	"fmt"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	// skewWarn is by how much the clocks may differ before somebody should know.
	skewWarn = time.Minute
	// skewFail is from where on S3 refuses requests.
	skewFail = 15 * time.Minute
)

// checkClock: S3 refuses what is signed with a date too far from its own, and people compare the
// times of files. The commit protocol compares no clocks.
func checkClock(c *store.Client) Line {
	const check = "clock"
	const advice = "let this host's clock be set by NTP"
	skew, known := c.Skew()
	if !known {
		return Line{Check: check, Status: Warn, Found: "not known: the server does not tell its time", Advice: "make sure that this host's clock is right"}
	}
	by := skew.Abs().Round(time.Second)
	where := "behind"
	if skew < 0 {
		where = "ahead of"
	}
	found := fmt.Sprintf("this host is %s %s the server", by, where)
	switch {
	case by >= skewFail:
		return Line{Check: check, Status: Fail, Found: found + ", and S3 refuses requests from 15m on", Advice: advice}
	case by > skewWarn:
		return Line{Check: check, Status: Warn, Found: found, Advice: advice}
	}
	if by <= time.Second { // the Date of an answer has whole seconds
		found = "this host and the server agree to a second"
	}
	return ok(check, "%s", found)
}
