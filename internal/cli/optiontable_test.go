package cli

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

// Every word sets a flag that exists, and every flag of mount has a word of its name.
func TestOptionTable(t *testing.T) {
	table := optionTable(mountFlags())
	var names []string
	for _, f := range mountFlags() {
		names = append(names, f.Names()[0])
	}
	for word, o := range table {
		if o.flag != "" && !slices.Contains(names, o.flag) {
			t.Errorf("%s sets %s, which is no flag", word, o.flag)
		}
		if strings.Contains(word, "_") {
			t.Errorf("%s has an underscore and is never found", word)
		}
	}
	for _, name := range names {
		if opt := table[name]; (opt.flag == name) == slices.Contains([]string{"f", "o", helperFlag, fakeFlag}, name) {
			t.Errorf("--%s: in the table: %+v", name, opt)
		}
	}
	for word := range instead {
		if _, ok := table[word]; ok {
			t.Errorf("%s exists and is said not to exist", word)
		}
	}
}

func TestOptionsSetFlags(t *testing.T) {
	parse := func(args ...string) mountOptions {
		t.Helper()
		return parsed(t, "mount", mountFlags(), parseMount, append(args, "s3://bucket", "/mnt/x")...)
	}
	for options, byFlags := range map[string][]string{
		"": nil,
		"defaults,_netdev,nofail,noauto,user,users,x-systemd.automount,x-systemd.requires=a.mount,comment=c,rw,suid,dev,exec,relatime,async": nil,
		"nosuid,nodev,user=me,X-x,default_permissions": nil,
		"ro":                             {"--read-only"},
		"ro,rw":                          nil,
		"rw,ro":                          {"--read-only"},
		"allow_other":                    {"--allow-other"},
		"allow-other":                    {"--allow-other"},
		"allow_other=true,read_only":     {"--allow-other", "--read-only"},
		"allow_other=false":              nil,
		"accept_degraded":                {"--accept-degraded"},
		"uid=1,gid=2,umask=0022":         {"--uid", "1", "--gid", "2", "--umask", "0022"},
		"file_mode=600,dir-mode=700":     {"--file-mode", "600", "--dir-mode", "700"},
		"file_perms=0600,dir_perms=0700": {"--file-mode", "0600", "--dir-mode", "0700"},
		"url=http://e:1,use_path_request_style,endpoint=eu-west-1": {"--endpoint-url", "http://e:1", "--force-path-style", "--region", "eu-west-1"},
		"endpoint=https://e/,region=r,profile=p":                   {"--endpoint-url", "https://e/", "--region", "r", "--profile", "p"},
		"endpoint_url=http://e,dynamodb_endpoint_url=http://d":     {"--endpoint-url", "http://e", "--dynamodb-endpoint-url", "http://d"},
		"s3_endpoint=http://e,s3_region=r,s3_profile=p,s3_force_path_style=true": {"--endpoint-url", "http://e", "--region", "r",
			"--profile", "p", "--force-path-style"},
		"lock_timeout=1m,flush_timeout=2m,spool_limit=1G,state_dir=/s": {"--lock-timeout", "1m", "--flush-timeout", "2m", "--spool-limit", "1G", "--state-dir", "/s"},
		"attr_timeout=3s":                     {"--metadata-ttl", "3s"},
		"dir_cache_time=3s":                   {"--metadata-ttl", "3s"},
		"stat_cache_expire=3":                 {"--metadata-ttl", "3s"},
		"metadata_ttl=0":                      {"--metadata-ttl", "0"},
		"show_versions,versions_dir=.history": {"--show-versions", "--versions-dir", ".history"},
		"versions-dir=off":                    {"--versions-dir", "off"},
		"dbglevel=err":                        {"--log-level", "error"},
		"log_level=DEBUG":                     {"--log-level", "debug"},
		`fsname=a\,b`:                         {"--fsname", "a,b"},
		"region=old,region=newer":             {"--region", "newer"},
	} {
		if got, want := parse("-o", options), parse(byFlags...); !reflect.DeepEqual(got, want) {
			t.Errorf("-o %s: %+v\nwant %+v", options, got, want)
		}
	}
	if got := parse("-o", "noexec,noatime"); !got.NoExec || !got.NoATime {
		t.Errorf("noexec,noatime: %+v", got)
	}
	if got := parse("-o", "noexec,noatime,exec,relatime"); got.NoExec || got.NoATime {
		t.Errorf("the last one of a kind: %+v", got)
	}
	if got := parse("--region", "flag", "-o", "region=word,metadata_ttl=5s", "--read-only"); got.Access.Region != "flag" || got.MetadataTTL != 5*time.Second || !got.ReadOnly {
		t.Errorf("a flag and a word for the same: %+v", got)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for options, says := range map[string]string{
		"allow_othr":              "-o allow_othr does not exist, the nearest is allow_other",
		"regoin=secret":           "-o regoin does not exist, the nearest is region",
		"end-point-url=http://e":  "the nearest is endpoint-url",
		"_netdv":                  "the nearest is _netdev",
		"Env.KEY=secret":          "-o Env.KEY does not exist",
		"passwd_file=secret":      "env.AWS_SHARED_CREDENTIALS_FILE",
		"remount":                 "cannot be changed",
		"foreground":              "latchfs mount -f",
		"f":                       "latchfs mount -f",
		"fake":                    "-o fake does not exist",
		"o=ro":                    "-o o does not exist",
		"uid=root":                `-o uid=root: "root" is no value for it`,
		"uid":                     "a value is missing",
		"umask=9":                 "--umask",
		"ro=1":                    "takes no value",
		"noexec=1":                "takes no value",
		"allow_other=perhaps":     "perhaps",
		"endpoint=localhost:9000": "write https://localhost:9000",
		"stat_cache_expire=soon":  "no number of seconds",
		"dbglevel=loud":           "choose crit",
		"env.SECRET":              "-o env.SECRET sets no environment variable",
	} {
		code, out, errs := run(t, "mount", "-o", options, "s3://bucket", "/mnt")
		if code != ExitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, says) || strings.Contains(errs, "secret") {
			t.Errorf("-o %s: exit code %d, %q, %q; want %q", options, code, out, errs, says)
		}
	}
	if code, _, errs := run(t, "mount", "-o", "region=r", "local:data", "/mnt"); code != ExitUsage || !strings.Contains(errs, "does not go with local:") {
		t.Errorf("an option that means nothing for a source: exit code %d, %q", code, errs)
	}
}

// What the rewritten command line means is what the first one meant.
func TestCommandLine(t *testing.T) {
	var again []string
	parse := func(c *cli.Context) (mountOptions, error) {
		again = commandLine(c, "latchfs", *c.Generic("o").(*optionWords))
		return parseMount(c)
	}
	for _, args := range [][]string{
		{"s3://bucket", "/mnt/x"},
		{"-f", "--region", "r", "--lock-timeout", "1m30s", "--uid", "7", "--allow-other", "--read-only=false", "-o", `fsname=a\,b`, "-o", "noexec,gid=8", "--", "s3://bucket", "/mnt/x"},
	} {
		want := parsed(t, "mount", mountFlags(), parse, args...)
		if again[0] != "latchfs" || again[1] != "mount" {
			t.Fatalf("%q", again)
		}
		if got := parsed(t, "mount", mountFlags(), parseMount, again[2:]...); !reflect.DeepEqual(got, want) {
			t.Errorf("%q becomes %q:\n%+v\nwant %+v", args, again, got, want)
		}
	}
}
