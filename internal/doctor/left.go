package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// uploadAge is from when on an open upload counts as stray.
const uploadAge = 24 * time.Hour

// checkUploads: the parts of an upload that nobody completes or aborts are billed for ever, and no
// listing of objects shows them.
func checkUploads(ctx context.Context, c *store.Client, prefix string) Line {
	const check = "stray-uploads"
	var stray finding
	var oldest time.Duration
	all, ours := 0, 0
	for o := (store.UploadOptions{Prefix: prefix}); ; {
		page, err := c.ListUploads(ctx, o)
		if err != nil {
			return undecided(check, err)
		}
		all += len(page.Uploads)
		for _, u := range page.Uploads {
			age := c.ServerNow().Sub(u.Begun)
			if age < uploadAge {
				continue
			}
			stray.add(u.Key)
			oldest = max(oldest, age)
			if u.AsOurs {
				ours++
			}
		}
		if page.NextKey == "" {
			break
		}
		o.KeyMarker, o.UploadMarker = page.NextKey, page.NextUpload
	}
	if stray.count == 0 {
		return ok(check, "none of %d open uploads is older than a day", all)
	}
	return Line{Check: check, Status: Warn, Count: stray.count, Keys: stray.first,
		Found: fmt.Sprintf("%d of %d open uploads are older than a day, the oldest %s; %d of them ask for the checksums that latchfs asks for and may be its own, which nothing proves",
			stray.count, all, days(oldest), ours),
		Advice: "abort those that nobody works on (latchfs gc finds those with its checksums that are a week old), or let the service do it: latchfs lifecycle set --abort-uploads 7d"}
}

// days writes an age of a day or more.
func days(d time.Duration) string {
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// checkLeftovers: whoever dies while he tries the server leaves small objects behind.
func checkLeftovers(ctx context.Context, c *store.Client) Line {
	const check = "probe-leftovers"
	var left finding
	all := 0
	for o := (store.VersionOptions{Prefix: store.ProbePrefix}); ; {
		page, err := c.ListVersions(ctx, o)
		if err != nil {
			return undecided(check, err)
		}
		all += len(page.Versions)
		for _, v := range page.Versions {
			if c.ServerNow().Sub(v.Info.LastModified) >= store.ProbeTime {
				left.add(v.Info.Key)
			}
		}
		if page.NextKey == "" {
			break
		}
		o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion
	}
	switch {
	case left.count > 0:
		return Line{Check: check, Status: Warn, Count: left.count, Keys: left.first,
			Found:  fmt.Sprintf("%d versions below %s were left by probes that did not end", left.count, store.ProbePrefix),
			Advice: "remove them with latchfs gc --yes"}
	case all > 0:
		return ok(check, "%d versions below %s, of a probe that is under way", all, store.ProbePrefix)
	}
	return ok(check, "none")
}

// leftovers are the lines about what probes have left in the bucket, and in that of the lock table if there
// is one.
func leftovers(ctx context.Context, v *volume.Volume, unseen bool) []Line {
	lines := []Line{checkLeftovers(ctx, v.Bucket)}
	switch {
	case v.Bond == nil:
		return lines
	case unseen:
		if inBucket(v) {
			lines = append(lines, notSeen(lockLeftovers))
		}
		return lines
	}
	locks, err := v.LockBucket(ctx)
	switch {
	case err != nil:
		return append(lines, undecided(lockLeftovers, err))
	case locks == nil:
		return lines
	}
	return append(lines, checkLockLeftovers(ctx, locks))
}

const lockLeftovers = "lock-probe-leftovers"

// checkLockLeftovers: the same in the bucket of the lock table, which keeps no versions.
func checkLockLeftovers(ctx context.Context, c *store.Client) Line {
	var left finding
	for o := (store.ListOptions{Prefix: store.ProbePrefix}); ; {
		page, err := c.List(ctx, o)
		if err != nil {
			return undecided(lockLeftovers, err)
		}
		for _, info := range page.Objects {
			if c.ServerNow().Sub(info.LastModified) >= store.ProbeTime {
				left.add(info.Key)
			}
		}
		if o.Token = page.Next; o.Token == "" {
			break
		}
	}
	if left.count == 0 {
		return ok(lockLeftovers, "none")
	}
	return Line{Check: lockLeftovers, Status: Warn, Count: left.count, Keys: left.first,
		Found:  fmt.Sprintf("%d objects below %s in the bucket of the lock table were left by probes that did not end", left.count, store.ProbePrefix),
		Advice: "remove them with latchfs gc --yes"}
}
