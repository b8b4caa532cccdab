package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/internal/mount"
)

// An option is what a word of -o means. The zero value is a word that means nothing here: mount(8)
// or systemd has acted on it, or the mount behaves in that way in any case.
type option struct {
	flag string // of mount, which it sets
	// fixed is the value that it sets the flag to; "": the one that is given.
	fixed string
	bare  bool                                         // it may stand without a value, and means "true" then
	value func(string) (flag, value string, err error) // reads the value that is given; nil: it is taken as it is
	// kernel is set where the option is one of the kernel's.
	kernel func(*mount.Options)
}

// ignored are words that mount(8), systemd and fstab files have for every file system. The mount
// is nosuid and nodev in any case, has no access times, checks permissions in the kernel and has
// changed the bucket when a call that changes a name returns.
const ignored = "defaults auto noauto user nouser users owner group nofail -netdev comment helper uhelper " +
	"suid nosuid dev nodev diratime nodiratime norelatime nostrictatime lazytime nolazytime iversion noiversion " +
	"async dirsync mand nomand loud silent default-permissions"

// instead says what to write for words of other programs that have no counterpart.
var instead = map[string]string{
	"remount":              "a mount cannot be changed: unmount it, then mount it again",
	"sync":                 "leave it out, a close returns once the file is in the bucket",
	"nonempty":             "leave it out and choose an empty mount point",
	"allow-non-empty":      "leave it out and choose an empty mount point",
	"foreground":           "leave it out, or run latchfs mount -f",
	"f":                    "leave it out, or run latchfs mount -f",
	"use-cache":            "write state-dir=DIR, where data is kept on its way",
	"cache-dir":            "write state-dir=DIR, where data is kept on its way",
	"vfs-cache-mode":       "leave it out, what is written is on the disk until it is in the bucket",
	"vfs-cache-max-size":   "write spool-limit=BYTES, for data on its way",
	"args2env":             "leave it out and write env.NAME=VALUE for what is secret",
	"config":               "write profile=NAME or env.AWS_CONFIG_FILE=FILE",
	"iam-role":             "leave it out, the role of the machine is found by itself",
	"s3-env-auth":          "leave it out, credentials of the environment are used by themselves",
	"passwd-file":          "write env.AWS_SHARED_CREDENTIALS_FILE=FILE or profile=NAME",
	"access-key-id":        "write env.AWS_ACCESS_KEY_ID=VALUE",
	"secret-access-key":    "write env.AWS_SECRET_ACCESS_KEY=VALUE",
	"s3-access-key-id":     "write env.AWS_ACCESS_KEY_ID=VALUE",
	"s3-secret-access-key": "write env.AWS_SECRET_ACCESS_KEY=VALUE",
}

// optionTable has every word of -o: the flags of mount by their names, and what s3fs, rclone and
// mount(8) call the same. Names are written with hyphens.
func optionTable(flags []cli.Flag) map[string]option {
	t := map[string]option{}
	for _, f := range flags {
		name := f.Names()[0]
		b, isBool := f.(*cli.BoolFlag)
		if hidden := isBool && b.Hidden; len(name) > 1 && !hidden {
			t[name] = option{flag: name, bare: isBool}
		}
	}
	for _, name := range strings.Fields(ignored) {
		t[name] = option{}
	}
	maps.Copy(t, map[string]option{
		"ro":                     {flag: "read-only", fixed: "true"},
		"rw":                     {flag: "read-only", fixed: "false"},
		"url":                    {flag: "endpoint-url"},
		"s3-endpoint":            {flag: "endpoint-url"},
		"endpoint":               {flag: "endpoint-url", value: readEndpoint},
		"s3-region":              {flag: "region"},
		"s3-profile":             {flag: "profile"},
		"use-path-request-style": {flag: "force-path-style", bare: true},
		"s3-force-path-style":    {flag: "force-path-style", bare: true},
		"file-perms":             {flag: "file-mode"},
		"dir-perms":              {flag: "dir-mode"},
		"attr-timeout":           {flag: "metadata-ttl"},
		"dir-cache-time":         {flag: "metadata-ttl"},
		"stat-cache-expire":      {flag: "metadata-ttl", value: readSeconds},
		"dbglevel":               {flag: "log-level", value: readDebugLevel},
		"noexec":                 {kernel: func(o *mount.Options) { o.NoExec = true }},
		"exec":                   {kernel: func(o *mount.Options) { o.NoExec = false }},
		"noatime":                {kernel: func(o *mount.Options) { o.NoATime = true }},
		"atime":                  {kernel: func(o *mount.Options) { o.NoATime = false }},
		"relatime":               {kernel: func(o *mount.Options) { o.NoATime = false }},
		"strictatime":            {kernel: func(o *mount.Options) { o.NoATime = false }},
	})
	return t
}

// readEndpoint reads s3fs's endpoint, which is a region, and rclone's, which is a URL.
func readEndpoint(v string) (flag, value string, err error) {
	switch {
	case strings.Contains(v, "://"):
		return "endpoint-url", v, nil
	case strings.ContainsAny(v, ".:/"):
		return "", "", fmt.Errorf("%q is no URL: write https://%s, or http://%s", v, v, v)
	}
	return "region", v, nil
}

func readSeconds(v string) (flag, value string, err error) {
	if _, err := strconv.ParseUint(v, 10, 31); err != nil {
		return "", "", fmt.Errorf("%q is no number of seconds", v)
	}
	return "metadata-ttl", v + "s", nil
}

// readDebugLevel reads the levels of s3fs.
func readDebugLevel(v string) (flag, value string, err error) {
	levels := map[string]string{"crit": "error", "critical": "error", "err": "error", "error": "error",
		"wan": "warn", "warn": "warn", "warning": "warn", "inf": "info", "info": "info", "dbg": "debug", "debug": "debug"}
	level, ok := levels[v]
	if !ok {
		return "", "", fmt.Errorf("%q is no level: choose crit, err, warn, info or dbg", v)
	}
	return "log-level", level, nil
}

// find gives what a word means. Words that begin with x- are for whoever reads the fstab file.
func find(table map[string]option, name string) (option, bool) {
	if strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") {
		return option{}, true
	}
	o, ok := table[name]
	return o, ok
}

// unknownOption is the error of a word that the table does not have. It does not show the value.
func unknownOption(table map[string]option, word string) error {
	given, _, _ := strings.Cut(word, "=")
	name, _, _ := cutOption(word)
	if hint := instead[name]; hint != "" {
		return usagef("-o %s does not exist: %s", given, hint)
	}
	near := nearest(name, slices.Sorted(maps.Keys(table)))
	if strings.Contains(given, "_") {
		near = strings.ReplaceAll(near, "-", "_")
	}
	return usagef("-o %s does not exist, the nearest is %s: see latchfs mount --help", given, near)
}

// apply sets the flags that the words stand for, the last one of a kind, unless the flag was given
// by its name, and notes in o what is for the kernel.
func (w optionWords) apply(c *cli.Context, o *mount.Options) error {
	table, given := optionTable(c.Command.Flags), c.LocalFlagNames()
	for _, word := range w {
		name, value, hasValue := cutOption(word)
		opt, ok := find(table, name)
		if !ok {
			return unknownOption(table, word)
		}
		switch {
		case opt.kernel != nil && hasValue:
			return usagef("-o %s: it takes no value", word)
		case opt.kernel != nil:
			opt.kernel(o)
			continue
		case opt.flag == "":
			continue
		}
		flag, value, err := opt.setting(value, hasValue)
		if err != nil {
			return usagef("-o %s: %v", word, err)
		}
		if slices.Contains(given, flag) {
			continue
		}
		if err := c.Set(flag, value); err != nil {
			return usagef("-o %s: %q is no value for it (%v)", word, value, err)
		}
	}
	return nil
}

// setting gives the flag that the option sets, and to what.
func (o option) setting(value string, hasValue bool) (flag, set string, err error) {
	switch {
	case o.fixed != "" && hasValue:
		return "", "", fmt.Errorf("it takes no value")
	case o.fixed != "":
		return o.flag, o.fixed, nil
	case !hasValue && o.bare:
		return o.flag, "true", nil
	case !hasValue:
		return "", "", fmt.Errorf("a value is missing: write NAME=VALUE")
	case o.value != nil:
		return o.value(value)
	}
	return o.flag, value, nil
}
