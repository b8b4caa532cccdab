// Package iam knows each permission that latchfs needs: on what, for whom, and which requests ask
// for it. doctor tries them one by one by this table. A test holds the table against the requests
// that the code sends.
package iam

import "strings"

// A Resource is what an action is allowed on.
type Resource uint8

const (
	Bucket      Resource = iota // the bucket itself
	Objects                     // the objects in it
	LockBucket                  // the bucket of a lock table in S3
	LockObjects                 // the objects in that
	LockTable                   // a lock table in DynamoDB
	Key                         // the KMS key that the bucket encrypts by
)

// Names are the names of what a volume consists of.
type Names struct {
	Bucket    string
	LockTable string // the bucket's or the table's
	Region    string // of the table
}

// ARN names the resource as policies do.
func (r Resource) ARN(n Names) string {
	switch r {
	case Bucket:
		return "arn:aws:s3:::" + n.Bucket
	case Objects:
		return "arn:aws:s3:::" + n.Bucket + "/*"
	case LockBucket:
		return "arn:aws:s3:::" + n.LockTable
	case LockObjects:
		return "arn:aws:s3:::" + n.LockTable + "/*"
	case LockTable:
		return "arn:aws:dynamodb:" + n.Region + ":*:table/" + n.LockTable
	}
	return "arn:aws:kms:*:*:key/*"
}

// A Use is a set of those who need an action.
type Use uint8

const (
	Read    Use = 1 << iota // a read-only mount, and every other
	Write                   // a mount that is not read-only
	Init                    // latchfs init
	Care                    // doctor, and the probe of what a server does
	History                 // latchfs label, prune, undelete and lifecycle
)

// Mount is every mount that is not read-only.
const Mount = Read | Write

// Has tells whether one of these is among them.
func (u Use) Has(any Use) bool { return u&any != 0 }

// An Action is one permission.
type Action struct {
	Name string // as policies have it: s3:GetObject
	On   Resource
	For  Use
	// Only says when a mount needs it; "" is always.
	Only string
	// To is what it is for.
	To string
	// Requests are the requests that need it, by the names that the service has for them. What
	// stands after the name is the form of the request that does.
	Requests []string
}

// Essential tells whether a mount does not work without it.
func (a Action) Essential() bool { return a.For.Has(Mount) && a.Only == "" }

// Service is that part of the name: s3, dynamodb, kms.
func (a Action) Service() string {
	service, _, _ := strings.Cut(a.Name, ":")
	return service
}

// On gives the actions on these resources, in the order of the table.
func On(resources ...Resource) (found []Action) {
	for _, a := range Actions() {
		for _, r := range resources {
			if a.On == r {
				found = append(found, a)
			}
		}
	}
	return found
}
