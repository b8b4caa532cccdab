package procfs

import (
	"os"
	"reflect"
	"testing"
)

func TestCredentials(t *testing.T) {
	good := "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t4294967294\nGroups:\t10 20 \nCapEff:\t0000000000000006\n"
	got, err := Fields(good).Credentials()
	if want := (Credentials{4, 4294967294, []uint32{10, 20}, 6}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	none, err := Fields("Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t \nCapEff:\t0\n").Credentials()
	if err != nil || len(none.Groups) > 0 {
		t.Errorf("without groups: %+v, %v", none, err)
	}
	for _, bad := range []string{
		"",
		"Uid:\t1\t2\t3\nGid:\t1\t1\t1\t1\nGroups:\t\nCapEff:\t0\n",
		"Uid:\t1\t1\t1\t-1\nGid:\t1\t1\t1\t1\nGroups:\t\nCapEff:\t0\n",
		"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t4294967296\nGroups:\t\nCapEff:\t0\n",
		"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\tx\nCapEff:\t0\n",
		"Uid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t\n",
	} {
		if c, err := Fields(bad).Credentials(); err == nil {
			t.Errorf("%q: %+v", bad, c)
		}
	}
}

// What the kernel says of this process is what the system calls say.
func TestOwnCredentials(t *testing.T) {
	status, err := Default.Self().Status()
	if err != nil {
		t.Fatal(err)
	}
	c, err := status.Credentials()
	if err != nil || int(c.UID) != os.Geteuid() || int(c.GID) != os.Getegid() {
		t.Errorf("%+v, %v", c, err)
	}
	if groups, _ := os.Getgroups(); len(groups) != len(c.Groups) {
		t.Errorf("groups %v, want %v", c.Groups, groups)
	}
	self, err := Default.Self().UserNamespace()
	if again, err2 := Default.Process(os.Getpid()).UserNamespace(); err != nil || err2 != nil || self == "" || again != self {
		t.Errorf("user namespaces %q, %v and %q, %v", self, err, again, err2)
	}
}
