package volume

import "fmt"

// A UsageError says that what was asked for is wrong in itself, whatever bucket and lock
// table hold. Nothing was done.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, args...)}
}
