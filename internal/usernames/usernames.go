// Package usernames gives users their names, for people. Who is asked often and knows only numbers
// would else ask a directory server each time.
package usernames

import (
	"os/user"
	"strconv"
	"sync"
	"time"
)

const (
	// believed is how long a name counts: accounts are renamed and removed.
	believed = time.Minute
	// longest is the most bytes of a name: useradd(8) takes 32, a domain comes before it elsewhere.
	longest = 256
)

// Names remembers the names of users for a minute. The zero value is ready.
type Names struct {
	lookup func(uid string) (*user.User, error) // nil: the host's

	mu    sync.Mutex
	known map[uint32]known
}

type known struct {
	name string
	at   time.Time
}

// Of gives the name of a user on this host, its number if it has none or if that cannot be found
// out. Where accounts come from a server it may wait for that.
func (n *Names) Of(uid uint32) string {
	n.mu.Lock()
	k, ok := n.known[uid]
	n.mu.Unlock()
	if ok && time.Since(k.at) < believed {
		return k.name
	}
	lookup := n.lookup
	if lookup == nil {
		lookup = user.LookupId
	}
	number := strconv.FormatUint(uint64(uid), 10)
	k = known{number, time.Now()}
	if u, err := lookup(number); err == nil && u.Username != "" && len(u.Username) <= longest {
		k.name = u.Username
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[uint32]known)
	}
	n.known[uid] = k
	return k.name
}
