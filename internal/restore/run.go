package restore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/internal/change"
)

// Run carries a plan out, 64 steps at a time, and tells of each, from several goroutines. It goes on
// after a failure. Once ctx has ended no more steps are begun, and Run fails with its cause. The order
// is such that a program which looks on misses nothing for longer than it has to:
//
//  1. what has the name of a directory that is to come back, or is inside what is to be a file, goes
//  2. directories come back, those above first
//  3. files come back
//  4. what was not there goes: files, then directories, those below first
func (r *Restorer) Run(ctx context.Context, p Plan, done func(s Step, res Result, err error)) error {
	for _, phase := range phases(p.Steps) {
		change.Each(ctx, phase, func(s Step) {
			res, err := r.Do(ctx, s)
			done(s, res, err)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// phases puts steps that may run side by side together, in the order of Run.
func phases(steps []Step) [][]Step {
	files, dirs := make(map[string]bool), make(map[string]bool) // names that come back
	for _, s := range steps {
		if s.Do == Delete {
			continue
		}
		files[s.Key] = true
		for dir := range above(s.Key) {
			dirs[dir] = true
		}
	}
	inTheWay := func(s Step) bool {
		if dirs[s.Key+"/"] || files[s.Key+"/"] || files[strings.TrimSuffix(s.Key, "/")] {
			return true
		}
		for dir := range above(s.Key) {
			if files[strings.TrimSuffix(dir, "/")] {
				return true
			}
		}
		return false
	}
	const fileFirst = 1 << 20 // more than any depth
	order := func(s Step) int {
		isDir, depth := strings.HasSuffix(s.Key, "/"), strings.Count(s.Key, "/")
		switch {
		case s.Do == Delete && inTheWay(s) && isDir:
			return -2*fileFirst - depth
		case s.Do == Delete && inTheWay(s):
			return -4 * fileFirst
		case s.Do == Delete && isDir:
			return 4*fileFirst - depth
		case s.Do == Delete:
			return 2 * fileFirst
		case isDir:
			return depth - fileFirst
		}
		return 0
	}
	sorted := slices.Clone(steps)
	slices.SortStableFunc(sorted, func(a, b Step) int { return cmp.Compare(order(a), order(b)) })
	var all [][]Step
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && order(sorted[n]) == order(sorted[0]) {
			n++
		}
		all = append(all, sorted[:n])
		sorted = sorted[n:]
	}
	return all
}

// above gives the keys of the directories that a key is in.
func above(key string) func(yield func(dir string) bool) {
	return func(yield func(string) bool) {
		for i, b := range []byte(strings.TrimSuffix(key, "/")) {
			if b == '/' && !yield(key[:i+1]) {
				return
			}
		}
	}
}
