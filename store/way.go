package store

import "time"

// A version is made by the requests whose conditions the server honours (SEMANTICS "Servers"):
//
//	server ignores conditions of       a body                        a copy
//	nothing                            PutObject; above PartSize     CopyObject; above copySize UploadPartCopy
//	                                   parts and Complete            and Complete
//	CopyObject                         the same                      UploadPartCopy and Complete; if empty, PutObject
//	UploadPartCopy (its source)        the same                      CopyObject; above copySize read, and sent as a body is
//	both                               the same                      read, and sent as a body is
//	Complete                           PutObject                     CopyObject
//	Complete and CopyObject            PutObject                     read, and PutObject
//
// One request cannot make more than MaxPut bytes.

// MaxSize is the size in bytes of the largest object that can be made on this server.
func (c *Client) MaxSize() int64 { return c.Flaws().maxSize() }

func (f Flaws) maxSize() int64 {
	if f.Has(CompleteConditions) {
		return MaxPut
	}
	return MaxObject
}

// onePut tells whether a body of that size is sent as one PutObject.
func (f Flaws) onePut(size int64) bool { return size <= PartSize || f.Has(CompleteConditions) }

// oneCopy tells whether a copy of that size is one CopyObject.
func (f Flaws) oneCopy(size int64) bool {
	return !f.Has(CopyConditions) && (size <= copySize || f.Has(CompleteConditions))
}

// partCopies tells whether a copy that is not one CopyObject is made of parts that the server
// copies. An upload has at least one byte.
func (f Flaws) partCopies(size int64) bool {
	return size > 0 && !f.Has(PartSource|CompleteConditions)
}

// Late is how much later than the quiet time a request that was given up can land on such a
// server: it may have to take in, or to copy, MaxPut bytes in one request. Whoever takes over the lock
// of a dead host has to wait so much longer (LOCKS P4.3).
func (f Flaws) Late() time.Duration {
	if f.Has(CompleteConditions) {
		return perSize(MaxPut)
	}
	return 0
}
