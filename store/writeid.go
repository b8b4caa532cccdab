package store

import "crypto/rand"

// NewWriteID returns a fresh id of at least 128 random bits.
func NewWriteID() WriteID { return WriteID(rand.Text()) }
