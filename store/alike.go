package store

import "maps"

// Alike tells whether two versions have the same content and the same properties, whoever made them
// and when, and wherever they are stored: what a commit says of itself, the inode number, tags,
// storage class and encryption are not compared. Props have to be complete. Two that
// were uploaded in other parts are not alike, since nothing tells that their content is the same.
func Alike(a, b Info) bool {
	if a.ETag != b.ETag || a.Size != b.Size || !a.ModTime().Equal(b.ModTime()) {
		return false
	}
	p, q := a.Props, b.Props
	return p.ContentType == q.ContentType && p.CacheControl == q.CacheControl && p.ContentDisposition == q.ContentDisposition &&
		p.ContentEncoding == q.ContentEncoding && p.ContentLanguage == q.ContentLanguage && p.Expires == q.Expires &&
		p.WebsiteRedirect == q.WebsiteRedirect && maps.Equal(compared(p.Meta), compared(q.Meta))
}

// compared gives the user metadata that Alike compares.
func compared(meta map[string]string) map[string]string {
	out := maps.Clone(meta)
	dropOwn(out)
	for _, name := range []string{metaInode, metaDigest, metaMtime, metaMtimeSet, foreignMtime, foreignCtime} {
		delete(out, name)
	}
	return out
}
