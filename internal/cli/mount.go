package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/bytesize"
	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

func mountCommand(args []string, std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "mount a bucket",
		ArgsUsage: "SOURCE MOUNTPOINT",
		Description: "SOURCE is s3://bucket[/prefix/], bucket[:prefix] or local:DIR, a folder with an embedded S3 server.\n" +
			"Without -f the command returns once the bucket is mounted. SIGTERM saves what was closed,\n" +
			"then unmounts; a second signal ends it at once. SIGHUP opens the log anew and reads the credentials\n" +
			"anew; with -f it is as SIGTERM if the terminal is gone.\n\n" +
			"-o takes the flags by their names, allow_other as well as allow-other, and the words of mount(8),\n" +
			"s3fs and rclone for them: ro, rw, url=URL, endpoint=URL or REGION, use_path_request_style, ...;\n" +
			"noexec and noatime; and env.NAME=VALUE, which sets an environment variable of the mount, but is not\n" +
			"shown by ps. Words for mount(8) and systemd (_netdev, nofail, x-...) change nothing. A flag given by\n" +
			"its name wins. A comma inside a word is written \\,\n\n" +
			"Called as mount.latchfs or mount.fuse.latchfs it is the helper of mount(8), for /etc/fstab.\n" +
			"With -f it tells the service manager READY=1 and STOPPING=1 (systemd: Type=notify).",
		Flags: mountFlags(),
		Action: func(c *cli.Context) error {
			env, words, err := c.Generic("o").(*optionWords).takeEnv()
			if err != nil {
				return err
			}
			if len(env) > 0 {
				return become(commandLine(c, args[0], words), env, "")
			}
			o, err := parseMount(c)
			if err != nil || c.Bool(fakeFlag) {
				return err
			}
			manager := takeServiceManager()
			ready, isChild := background()
			if !o.Foreground && !isChild {
				// Without it /dev may lack what starting another process takes, too.
				if err := mount.CheckFUSE(o.AllowOther); err != nil {
					return err
				}
				return startBackground(c.Context, args, c.Bool(helperFlag), std)
			}
			return runMount(c.Context, o, ready, manager, std)
		},
	}
}

// runMount mounts and serves until the mount is gone. ready is nil in the foreground, where the
// service manager is told how far it is.
func runMount(ctx context.Context, o mountOptions, ready *readiness, manager *serviceManager, std Stdio) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	// Whoever reads our log may end before us: then the log is lost, not the mount.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)

	out, log := newMountLog(o.LogLevel, o.Mountpoint, std.Err)
	hangups := newHangups(ready == nil, signals)
	defer hangups.stop()
	tell := func(state string) {
		if err := manager.tell(state); err != nil {
			log.Warn("the service manager does not learn the state of the mount", "err", err)
		}
	}
	if ready == nil {
		o.Stopping = func() { tell("STOPPING=1") }
	}
	m, err := mount.Start(ctx, o.Options, signals, log)
	if err != nil {
		return err
	}
	again := reload{m: m, log: log}
	if ready == nil {
		out.release(std.Err)
		hangups.reloadBy(again.run)
		tell("READY=1")
		return m.Serve()
	}
	if again.file, err = openLog(o.StateDir, o.Mountpoint); err != nil {
		return errors.Join(err, m.Abandon())
	}
	out.release(again.file)
	hangups.reloadBy(again.run)
	// The directory that the command was given in must not stay busy.
	if err := os.Chdir("/"); err != nil {
		log.Warn("leaving the working directory", "err", err)
	}
	if err := ready.mounted(); err != nil {
		log.Error("the command that asked for the mount is gone, unmounting", "err", err)
		return errors.Join(err, m.Abandon())
	}
	return m.Serve()
}

// mountOptions is the parsed command line of mount.
type mountOptions struct {
	mount.Options
	Foreground bool
	LogLevel   slog.Level
}

// Flags of the helper of mount(8), which no help shows.
const (
	helperFlag = "helper" // it was called by mount(8)
	fakeFlag   = "fake"   // stop before anything is mounted
)

func mountFlags() []cli.Flag {
	return append(accessFlags(),
		&cli.BoolFlag{Name: "f", Usage: "stay in the foreground and log to standard error", DisableDefaultText: true},
		&cli.GenericFlag{Name: "o", Usage: "`OPTIONS` as mount(8) has them, with commas between: see above", Value: &optionWords{}},
		&cli.BoolFlag{Name: helperFlag, Hidden: true}, &cli.BoolFlag{Name: fakeFlag, Hidden: true},
		timeFlag("lock-timeout", "`TIME` that an open waits for a file locked elsewhere, then EBUSY", "twice the table's lease and delay"),
		timeFlag("flush-timeout", "`TIME` that a close waits for the bucket's answer, then EIO, the data kept", "twice the table's delay and stall limit"),
		stateDirFlag(),
		&cli.StringFlag{Name: "spool-limit", Usage: "most `BYTES` (K, M, G, T) of data on their way, then ENOSPC", DefaultText: "80 % of what is free at mount"},
		idFlag("uid", "owner `ID` of objects that name none", "the caller", os.Getuid()),
		idFlag("gid", "group `ID` of objects that name none", "the caller's", os.Getgid()),
		&cli.StringFlag{Name: "file-mode", Usage: "octal `MODE` of objects that name none", Value: "0644"},
		&cli.StringFlag{Name: "dir-mode", Usage: "octal `MODE` of directories that name none", Value: "0755"},
		&cli.StringFlag{Name: "umask", Usage: "octal `BITS` taken from --file-mode and --dir-mode", Value: "0"},
		&cli.BoolFlag{Name: "allow-other", Usage: "let other users in, by the permissions of the files", DisableDefaultText: true},
		&cli.BoolFlag{Name: "read-only", Usage: "refuse every change", DisableDefaultText: true},
		&cli.StringFlag{Name: "as-of", Usage: "show the bucket as it stood at `TIME`, read-only: a time of the past as 2026-11-22T18:29, 2h, 7d or yesterday, in the local zone unless it says one"},
		&cli.BoolFlag{Name: "accept-degraded", Usage: "mount a server that cannot keep a DELETE from removing what others write meanwhile", DisableDefaultText: true},
		&cli.BoolFlag{Name: "show-versions", Usage: "list .versions in every directory: find, tar and rm -r then walk into it", DisableDefaultText: true},
		versionsDirFlag("that shows the versions of what is in a directory; off: none does"),
		&cli.StringFlag{Name: "audit", Usage: "what each version says of its author: `LEVEL` off, minimal (host and kind) or full (the user too)", Value: "minimal"},
		&cli.StringFlag{Name: "fsname", Usage: "`NAME` that df and findmnt show", DefaultText: "SOURCE"},
		&cli.GenericFlag{Name: "metadata-ttl", Usage: "`TIME` that names and attributes are believed; 0: they are asked for each time", Value: &timeValue{time.Second}},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the log: debug, info, warn or error", Value: "info"},
	)
}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

var auditLevels = map[string]store.AuditLevel{"off": store.AuditOff, "minimal": store.AuditMinimal, "full": store.AuditFull}

// maxFsName is the most bytes of --fsname: mount(2) takes one page for all its options.
const maxFsName = 1024

// minSpool is the least --spool-limit. A file in the spool takes some 16 KiB for its journal alone.
const minSpool = 1 << 20

// parseMount checks everything of the command line that can be checked without
// touching anything.
func parseMount(c *cli.Context) (o mountOptions, err error) {
	if err := wantArgs(c, "SOURCE", "MOUNTPOINT"); err != nil {
		return o, err
	}
	if err := c.Generic("o").(*optionWords).apply(c, &o.Options); err != nil {
		return o, err
	}
	if err := refuseEmpty(c); err != nil {
		return o, err
	}
	if o.Source, err = volume.ParseSource(c.Args().Get(0)); err != nil {
		return o, err
	}
	if o.Mountpoint, err = filepath.Abs(c.Args().Get(1)); err != nil {
		return o, err
	}
	if o.Access, err = parseAccess(c, o.Source); err != nil {
		return o, err
	}
	if o.StateDir, err = parseStateDir(c); err != nil {
		return o, err
	}
	o.Version = Version
	if o.FsName = c.String("fsname"); len(o.FsName) > maxFsName {
		return o, usagef("--fsname has %d bytes: choose a name of at most %d", len(o.FsName), maxFsName)
	}
	o.Foreground = c.Bool("f")
	var ok bool
	if o.LogLevel, ok = logLevels[strings.ToLower(c.String("log-level"))]; !ok {
		return o, usagef("--log-level %q: choose debug, info, warn or error", c.String("log-level"))
	}
	if o.Audit, ok = auditLevels[c.String("audit")]; !ok {
		return o, usagef("--audit %q: choose off, minimal or full", c.String("audit"))
	}
	if o.LockTimeout, err = duration(c, "lock-timeout"); err != nil {
		return o, err
	}
	if o.FlushTimeout, err = duration(c, "flush-timeout"); err != nil {
		return o, err
	}
	if o.MetadataTTL, err = durationOrZero(c, "metadata-ttl"); err != nil {
		return o, err
	}
	if s := c.String("spool-limit"); s != "" {
		if o.SpoolLimit, err = bytesize.Parse(s); err != nil {
			return o, usagef("--spool-limit: %v", err)
		}
		if o.SpoolLimit < minSpool {
			return o, usagef("--spool-limit %s is too small for a few files: give it 1M or more", s)
		}
	}
	o.UID, o.GID = idOf(c, "uid"), idOf(c, "gid")
	for _, m := range []struct {
		name, example string
		to            *uint32
	}{{"file-mode", "0644", &o.FileMode}, {"dir-mode", "0755", &o.DirMode}, {"umask", "022", &o.Umask}} {
		var ok bool
		if *m.to, ok = parseMode(c.String(m.name)); !ok {
			return o, usagef("--%s %q is not an octal mode: write for example %s", m.name, c.String(m.name), m.example)
		}
	}
	if o.VersionsDir, err = parseVersionsDir(c); err != nil {
		return o, err
	}
	if o.ShowVersions = c.Bool("show-versions"); o.ShowVersions && o.VersionsDir == mount.NoVersionsDir {
		return o, usagef("--show-versions does not go with --versions-dir off: leave one of them out")
	}
	o.AllowOther, o.ReadOnly, o.AcceptDegraded = c.Bool("allow-other"), c.Bool("read-only"), c.Bool("accept-degraded")
	if s := c.String("as-of"); s != "" {
		if o.AsOf, err = when.Parse(s, time.Now(), time.Local); err != nil {
			return o, usagef("--as-of %v", err)
		}
		o.ReadOnly = true
	}
	return o, nil
}
