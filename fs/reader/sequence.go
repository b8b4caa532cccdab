package reader

import "context"

const (
	// near is how far in bytes a read may be from a sequence and still be of it. The kernel
	// reads up to two windows of 4 MiB ahead of a program.
	near = 8 << 20
	// maxAhead is the largest window in bytes. A part is a quarter of the window, so the largest
	// is 8 MiB: S3's time to the first byte is a small share of what that takes.
	maxAhead = 32 << 20
	// minPart is the smallest part in bytes, as far as the window allows: below, that time
	// outweighs the transfer.
	minPart = 1 << 20
	// maxParts is how many requests ahead of one file are under way at most.
	maxParts = 4
	// minRun is the run in bytes below which one that shrinks is over.
	minRun = 64 << 10
	// maxStrays is how many reads in a row outside of a sequence leave it alone: programs
	// look up an index in between.
	maxStrays = 4
)

// follow learns from a read of [off, end) and fetches ahead of it. r.mu is held.
func (p *Pinned) follow(off, end int64) {
	inBlock := p.has(off)
	in, joined, fresh := p.asked.add(off, end)
	switch {
	case p.run == 0:
		if joined && fresh {
			p.run = in.end - in.off
			p.pos, p.next = in.end, in.end
			p.fetchAhead()
		}
	case inBlock || fresh && p.pos-near <= off && off <= p.pos+near:
		p.pos = max(p.pos, end)
		p.strays = 0
		if inBlock || joined {
			p.run += end - off
			p.trim()
			p.fetchAhead()
		}
	case p.strays < maxStrays:
		p.strays++
	default:
		p.stop()
		p.asked = asked{{off, end}}
	}
}

// stop ends the sequence and drops what it has in memory. r.mu is held.
func (p *Pinned) stop() {
	p.run = 0
	for len(p.blocks) > 0 {
		p.drop(p.blocks[len(p.blocks)-1])
	}
}

// trim drops the blocks that the sequence has passed, and takes back half of its run for each
// that was hardly read: a program that reads only here and there is not worth it. Blocks that
// are on their way or being read stay. r.mu is held.
func (p *Pinned) trim() {
	for len(p.blocks) > 0 {
		b := p.blocks[0]
		if b.end() >= p.pos-near || b.refs > 1 {
			break
		}
		p.drop(b)
		if b.unread <= b.size/2 {
			continue
		}
		p.run /= 2
		if p.run < minRun {
			p.stop()
		}
	}
}

// fetchAhead starts parts until the window is full, memory is short or maxParts are under
// way. It leaves out what was asked for, which whoever asked fetches, and between two such
// stretches what is too short for a part: reads that overtook others leave these gaps, and
// the others are on their way. r.mu is held.
func (p *Pinned) fetchAhead() {
	for p.run > 0 && p.parts < maxParts {
		window := min(4*p.run, maxAhead)
		share := p.r.share(len(p.blocks), int(window/blockSize))
		window = min(window, int64(share)*blockSize)
		n := min(max(window/4, minPart), window)
		p.next = p.asked.gap(p.next, n)
		n = min(n, p.info.Size-p.next)
		if n <= 0 || p.next+n > p.pos+window || !p.start(n) {
			return
		}
	}
}

// start fetches up to n bytes at next in the background; it tells whether there was memory
// for any. r.mu is held.
func (p *Pinned) start(n int64) bool {
	bufs := p.r.take(int((n + blockSize - 1) / blockSize))
	if len(bufs) == 0 {
		return false
	}
	// The request serves whoever comes for its bytes, so no caller's context ends it.
	ctx, cancel := context.WithCancel(context.Background())
	blocks := make([]*block, len(bufs))
	s := source{get: p.r.get, info: p.info, off: p.next}
	for i, buf := range bufs {
		size := min(blockSize, n)
		n -= size
		blocks[i] = &block{
			off: p.next, buf: buf, size: size, unread: size, cancel: cancel,
			ready: make(chan struct{}), refs: 2,
		}
		p.next += size
	}
	s.end = p.next
	p.blocks = append(p.blocks, blocks...)
	p.r.owners[p] = struct{}{}
	p.parts++
	go func() {
		defer cancel()
		p.fill(ctx, s, blocks)
	}()
	return true
}

// fill reads s into the blocks, one after the other.
func (p *Pinned) fill(ctx context.Context, s source, blocks []*block) {
	defer s.close()
	var err error
	for _, b := range blocks {
		if err == nil {
			_, err = s.readFull(ctx, b.buf[:b.size])
		}
		p.r.mu.Lock()
		b.finish(err)
		if err != nil {
			p.drop(b)
		}
		p.r.release(b)
		p.r.mu.Unlock()
	}
	p.r.mu.Lock()
	p.parts--
	p.r.mu.Unlock()
}
