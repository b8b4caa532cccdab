package history

import (
	"context"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// wholePages is how many pages of a directory with all that is below it are listed before large
// directories in it are left out. So a walk through a tree of up to that size asks once for each page.
const wholePages = 10

// A pastBuild makes the listings of a directory and of those below it from one walk.
type pastBuild struct {
	walk     *pastWalk
	dir      string
	began    time.Time
	listings map[string]*pastListing // those that are not whole yet, by directory
	keep     func(dir string, l *pastListing)
}

// run goes on with the listing of the directory, until it is whole or enough. What it finds out on
// the way of directories below is given to keep, too, whole or not.
//
// In a tree that has turned out to be large, a directory that was there and fills a page by itself is
// left to those who look into it.
func (b *pastBuild) run(ctx context.Context, enough func(*pastListing) bool) error {
	l := b.listings[b.dir]
	for !b.walk.end {
		before := b.in(b.walk.reached())
		stood, err := b.walk.page(ctx)
		if err != nil {
			return err
		}
		l.pages++
		for _, i := range stood {
			b.add(i)
		}
		if b.walk.end {
			break
		}
		now := b.walk.reached()
		b.each(func(dir string) bool { return !strings.HasPrefix(now, dir) }, (*pastListing).end)
		if enough(l) {
			b.each(func(string) bool { return true }, b.pause)
			return nil
		}
		if sub := b.in(now); sub != "" && sub == before && l.endsWith(sub) && l.pages >= wholePages && now < endOf(sub) {
			b.each(func(dir string) bool { return strings.HasPrefix(dir, sub) }, b.pause)
			b.listings[sub] = &pastListing{headless: true} // if there are keys behind its end
			b.walk.skip(endOf(sub))
		}
	}
	b.each(func(string) bool { return true }, (*pastListing).end)
	return nil
}

// in gives the directory in dir that a key is in, "" if it is in none.
func (b *pastBuild) in(key string) string {
	rest, ok := strings.CutPrefix(key, b.dir)
	if name, _, isDir := strings.Cut(rest, "/"); ok && isDir {
		return b.dir + name + "/"
	}
	return ""
}

// add takes over what stood under a key, in all directories that it is in.
func (b *pastBuild) add(i store.Info) {
	dir := b.dir
	for {
		l := b.listings[dir]
		if l == nil {
			l = &pastListing{seen: b.began}
			b.listings[dir] = l
		}
		if dir = l.add(dir, i); dir == "" {
			return
		}
	}
}

// pause lets somebody go on with a listing later.
func (b *pastBuild) pause(l *pastListing) { l.done, l.pages = b.walk.done, b.listings[b.dir].pages }

// each finishes listings and gives them to keep.
func (b *pastBuild) each(choose func(dir string) bool, finish func(*pastListing)) {
	for dir, l := range b.listings {
		if !choose(dir) {
			continue
		}
		if finish(l); !l.headless {
			b.keep(dir, l)
		}
		if dir != b.dir {
			delete(b.listings, dir)
		}
	}
}
