package cli

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIsHelper(t *testing.T) {
	for name, want := range map[string]bool{"/sbin/mount.latchfs": true, "mount.fuse.latchfs": true, "latchfs": false, "/sbin/mount.fuse": false} {
		if got := isHelper([]string{name}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if isHelper(nil) {
		t.Error("a command without a name is a helper")
	}
}

// The forms are those of mount(8), "External helpers", of mount.fuse(8), and of getopt(3).
func TestParseHelper(t *testing.T) {
	for _, c := range []struct {
		args string
		want helperCall
	}{
		{"S M", helperCall{}},
		{"S M -o rw,noexec", helperCall{options: optionWords{"rw", "noexec"}}},
		{"S M -sfnv -N ns -o ro -t fuse.latchfs", helperCall{options: optionWords{"ro"}, fake: true, sloppy: true, namespace: "ns"}},
		{"-n -f -s -v S -o ro M -o uid=1", helperCall{options: optionWords{"ro", "uid=1"}, fake: true, sloppy: true}},
		{"S -oro -nvtlatchfs -- M", helperCall{options: optionWords{"ro"}}},
	} {
		c.want.name, c.want.source, c.want.mountpoint = "mount.latchfs", "S", "M"
		got, err := parseHelper(append([]string{"mount.latchfs"}, strings.Fields(c.args)...))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.args, got, err, c.want)
		}
		got.namespace = "" // it has been entered when the rest is needed
		if again, err := parseHelper(got.args()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s: %q is read as %+v, %v", c.args, got.args(), again, err)
		}
	}
}

func TestHelperBecomesMount(t *testing.T) {
	for args, want := range map[string]string{
		"S M":                           "latchfs mount --helper -o fsname=S -- S M",
		"S M -o rw,_netdev":             "latchfs mount --helper -o fsname=S,rw,_netdev -- S M",
		"S M -o fsname=x,rw":            "latchfs mount --helper -o fsname=x,rw -- S M",
		"S M -f":                        "latchfs mount --helper --fake -o fsname=S -- S M",
		"S M -s -o bogus,ro,x-a,bogs=1": "latchfs mount --helper -o fsname=S,ro,x-a -- S M",
	} {
		got, err := helperArgs(append([]string{"/sbin/mount.latchfs"}, strings.Fields(args)...))
		if err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, %v; want %q", args, got, err, want)
		}
	}
}

func TestHelperErrors(t *testing.T) {
	for args, says := range map[string]string{
		"":                                       "SOURCE and MOUNTPOINT",
		"S":                                      "SOURCE and MOUNTPOINT",
		"S M more":                               "SOURCE and MOUNTPOINT",
		"s3://bucket /mnt -x":                    "flag -x",
		"s3://bucket /mnt --ro":                  "flag --ro",
		"s3://bucket /mnt -o":                    "flag -o lacks its value",
		"s3://bucket /mnt -o rx":                 "-o rx does not exist, the nearest is ro",
		"nfs://x /mnt":                           "names no bucket",
		"s3://bucket /mnt -f -o env.AWS_PROFILE": "sets no environment variable",
	} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), append([]string{"/sbin/mount.latchfs"}, strings.Fields(args)...), Stdio{Out: &out, Err: &errs})
		if code != mountExitUsage || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), says) {
			t.Errorf("%s: exit code %d, %q, %q; want %q", args, code, out.String(), errs.String(), says)
		}
	}
}

// -f of mount(8) checks the command line and mounts nothing.
func TestHelperFake(t *testing.T) {
	var errs bytes.Buffer
	if code := Run(t.Context(), []string{"mount.latchfs", "s3://bucket", "/nowhere", "-f", "-o", "ro"}, Stdio{Out: &errs, Err: &errs}); code != ExitOK || errs.Len() > 0 {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}

func TestHelperExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		0:  {nil},
		1:  {usagef("x"), &reportedError{ExitUsage}},
		2:  {fmt.Errorf("starting: %w", unix.ENOMEM), fmt.Errorf("starting: %w", unix.EAGAIN), unix.EMFILE},
		32: {errors.New("x"), &reportedError{ExitFailed}, &reportedError{ExitUnsaved}, unix.EPERM},
	} {
		for _, err := range errs {
			if got := helperExitCode(err); got != want {
				t.Errorf("%v: exit code %d, want %d", err, got, want)
			}
		}
	}
}
