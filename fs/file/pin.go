package file

import (
	"sync"

	"github.com/latchfs/latchfs/fs/reader"
)

// A pin shares one reader.Pinned among the handles of a file; the last Close closes it.
type pin struct {
	*reader.Pinned
	mu     sync.Mutex
	shares int // guarded by mu
}

func newPin(p *reader.Pinned) *pin { return &pin{Pinned: p, shares: 1} }

func (p *pin) share() *pin {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shares++
	return p
}

// Close gives up one share.
func (p *pin) Close() {
	p.mu.Lock()
	p.shares--
	last := p.shares == 0
	p.mu.Unlock()
	if last {
		p.Pinned.Close()
	}
}
