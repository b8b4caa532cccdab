package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Credentials are what the kernel judges a thread's access to files by. The ids are as in the
// user namespace of whoever reads them; the capabilities count in the thread's own.
type Credentials struct {
	UID, GID     uint32   // for files: fsuid and fsgid
	Groups       []uint32 // supplementary
	Capabilities uint64   // effective; one bit for each, as in capabilities(7)
}

// Credentials gives those in the status of a thread. It fails where a field is missing or is not
// what proc(5) says.
func (f Fields) Credentials() (c Credentials, err error) {
	if c.UID, err = f.id("Uid"); err != nil {
		return c, err
	}
	if c.GID, err = f.id("Gid"); err != nil {
		return c, err
	}
	for group := range strings.FieldsSeq(f.Get("Groups")) {
		n, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return c, fmt.Errorf("groups in status: %w", err)
		}
		c.Groups = append(c.Groups, uint32(n))
	}
	if c.Capabilities, err = strconv.ParseUint(f.Get("CapEff"), 16, 64); err != nil {
		return c, fmt.Errorf("capabilities in status: %w", err)
	}
	return c, nil
}

// id gives the last of the four ids (real, effective, saved, for files) of a field.
func (f Fields) id(name string) (uint32, error) {
	ids := strings.Fields(f.Get(name))
	if len(ids) != 4 {
		return 0, fmt.Errorf("unexpected field %s %q in status", name, ids)
	}
	n, err := strconv.ParseUint(ids[3], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("field %s in status: %w", name, err)
	}
	return uint32(n), nil
}

// UserNamespace names the user namespace of the process or thread. Only those may ask who may
// trace it.
func (p Process) UserNamespace() (string, error) {
	return os.Readlink(filepath.Join(p.dir, "ns", "user"))
}
