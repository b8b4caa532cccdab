// Package review is what people are shown of the history of files: the changes of a file, who made
// them, the bytes of a version, and what differs between two versions or two times of a directory.
//
// It only reads, with the credentials that the caller has, and keeps nothing. Log makes Entries of
// versions; Bytes reads one; Unified compares two; Trees compares directories.
package review
