package store

import "fmt"

// Versioning is whether a bucket keeps versions, in the words of S3.
type Versioning string

const (
	// VersioningOff: it was never switched on, and a write replaces what was there.
	VersioningOff Versioning = ""
	// VersioningOn: each write and each deletion makes a version.
	VersioningOn Versioning = "Enabled"
	// VersioningSuspended: the versions that are there stay, and no new ones are made.
	VersioningSuspended Versioning = "Suspended"
)

// Retention is the default rule of Object Lock: for how long each new version can be removed
// by nobody (COMPLIANCE), or by nobody without a right of its own (GOVERNANCE). One of Days and
// Years is 0. The zero value is no rule.
type Retention struct {
	Mode        string
	Days, Years int
}

// String gives the rule as "GOVERNANCE, 30 days", or "none".
func (r Retention) String() string {
	switch {
	case r == Retention{}:
		return "none"
	case r.Years > 0:
		return fmt.Sprintf("%s, %d years", r.Mode, r.Years)
	}
	return fmt.Sprintf("%s, %d days", r.Mode, r.Days)
}
