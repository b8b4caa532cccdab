package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// The library's own kinds of flags call every wrong value a parse error; these say which form is
// wanted.

// timeValue is the value of a flag that takes a time.
type timeValue struct{ time.Duration }

// Set implements cli.Generic.
func (v *timeValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err == nil {
		v.Duration = d
		return nil
	}
	if _, err := strconv.ParseUint(s, 10, 63); err == nil {
		return fmt.Errorf("a time has a unit: write %ss or %[1]sm", s)
	}
	return errors.New("it is no time, or too long a one: write for example 30s or 5m")
}

// Get implements flag.Getter.
func (v *timeValue) Get() any { return v.Duration }

func timeFlag(name, usage, defaultText string) cli.Flag {
	return &cli.GenericFlag{Name: name, Usage: usage, DefaultText: defaultText, Value: &timeValue{}}
}

func timeOf(c *cli.Context, name string) time.Duration { return c.Generic(name).(*timeValue).Duration }

// idValue is the value of a flag that takes the number of a user or group.
type idValue uint32

// Set implements cli.Generic.
func (v *idValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case s == "" || strings.Trim(s, "0123456789") != "":
		return errors.New("users and groups are given by their numbers: write for example 1000, which id(1) shows")
	case err != nil || n >= 1<<32-1: // -1 means "no change" to chown(2)
		return errors.New("it has to be a number less than 4294967295")
	}
	*v = idValue(n)
	return nil
}

// String gives the form that Set reads.
func (v *idValue) String() string { return strconv.FormatUint(uint64(*v), 10) }

// Get implements flag.Getter.
func (v *idValue) Get() any { return uint32(*v) }

func idFlag(name, usage, defaultText string, value int) cli.Flag {
	v := idValue(value)
	return &cli.GenericFlag{Name: name, Usage: usage, DefaultText: defaultText, Value: &v}
}

func idOf(c *cli.Context, name string) uint32 { return uint32(*c.Generic(name).(*idValue)) }

// refuseEmpty fails for a flag that was given without anything in it, as by an unset variable in a
// script: that would silently mean something else than what was asked for.
func refuseEmpty(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		f, ok := f.(*cli.StringFlag)
		if !ok || !c.IsSet(f.Name) || c.String(f.Name) != "" {
			continue
		}
		_, after, _ := strings.Cut(f.Usage, "`")
		what, _, _ := strings.Cut(after, "`")
		return usagef("--%s is empty: leave it out, or write --%[1]s %s", f.Name, what)
	}
	return nil
}
