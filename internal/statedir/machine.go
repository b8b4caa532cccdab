package statedir

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrOtherMachine: the session was made on another machine. Its lock could be had, but that
// may mean only that the two machines do not see each other's locks.
var ErrOtherMachine = errors.New("the session belongs to another machine")

// machineName is the file of a session directory that says on which machine it was made.
// Without it nobody asks.
const machineName = "machine"

// A machine is a running kernel and the installation that it runs. An empty field is not
// known.
type machine struct {
	// BootID is new at each start and the same in all containers of a machine.
	BootID string `json:"boot_id"`
	// ID stays the same over starts, but containers may have others, or none.
	ID string `json:"machine_id"`
}

// other tells whether m is surely not the machine o: not the same run of it, and not a
// later one.
func (m machine) other(o machine) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(m.BootID, o.BootID) && differ(m.ID, o.ID)
}

// thisMachine reads the ids of the machine from the files of proc(5) and machine-id(5) below
// root.
func thisMachine(root string) machine {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "" // not known is an answer
		}
		return strings.TrimSpace(string(b))
	}
	m := machine{BootID: read("/proc/sys/kernel/random/boot_id")}
	// An image that was never started may have no id in the file, or a word in its place.
	if id, err := hex.DecodeString(read("/etc/machine-id")); err == nil && len(id) == 16 {
		// The id itself is confidential (machine-id(5)).
		sum := hmac.New(sha256.New, id)
		sum.Write([]byte("latchfs state directory"))
		m.ID = hex.EncodeToString(sum.Sum(nil)[:16])
	}
	return m
}

func writeMachine(dir string, m machine) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return replaceFile(dir, machineName, append(b, '\n'))
}

// checkMachine fails with ErrOtherMachine if the session directory was made on another machine
// than here. A session whose machine is not known may be any machine's.
func checkMachine(dir string, here machine) error {
	path := filepath.Join(dir, machineName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var made machine
	if err := json.Unmarshal(b, &made); err != nil {
		return fmt.Errorf("%s: %w: if nothing of its session runs any more, remove that file", path, err)
	}
	if made.other(here) {
		return fmt.Errorf("%s: %w: if nothing of it runs there any more, remove %s", dir, ErrOtherMachine, path)
	}
	return nil
}
