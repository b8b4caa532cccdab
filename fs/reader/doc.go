// Package reader reads pinned versions of objects, ahead of programs that read in sequence.
//
// A Pinned reads exactly one version, by version id or by If-Match with the ETag: bytes of
// another one are never returned, ErrChanged is (SEMANTICS G3).
//
// # Read-ahead
//
// What a program asks for first is fetched exactly, straight into its buffer. A read that
// joins one made before begins a sequence: a window ahead of it, four times what was read
// so far and at most maxAhead, is fetched in parts, each one request in the background.
// The kernel sends the reads of one program from several threads, in any order, so a
// sequence takes every read near it. Whatever was asked for stays out of the parts, and
// whatever a part brings is not asked for by a read, so no byte of a sequence is fetched
// twice. Reads far away or of the same bytes again are fetched exactly; a few in a row end
// the sequence.
//
// # Memory
//
// A part is read into blocks, and a block serves reads as soon as it is full. It goes back
// once all its bytes were read. All blocks come from one budget. A file may have as many as
// are free beside it: when it runs short the windows shrink to equal shares, and something
// is left for the next file. Files that rest give theirs up then. Without a block nothing is
// read ahead, but a read needs none: it has its caller's buffer.
//
// # Locks
//
// Reader.mu guards everything, and is never held across a request or a copy.
package reader
