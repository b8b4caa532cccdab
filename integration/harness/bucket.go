package harness

import (
	"crypto/rand"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A Lock is where a bucket's locks are kept.
type Lock int

const (
	// OnS3 keeps the locks in a bucket of their own on the same server.
	OnS3 Lock = iota
	// OnDynamoDB keeps them in a table of Suite.DynamoDB.
	OnDynamoDB
)

// Times are the times of a lock table.
type Times struct{ Beat, Lease, Delay time.Duration }

var (
	// Patient times: no lease may be lost, however slow the machine is. What is lost with
	// them is a bug.
	Patient = Times{500 * time.Millisecond, 15 * time.Second, 15 * time.Second}
	// Mortal times are for tests in which hosts die.
	Mortal = Times{250 * time.Millisecond, 4 * time.Second, 2 * time.Second}
	// Brief times are for tests in which a lease has to be lost: five seconds after a host was
	// stopped another one has its locks. A slow machine may lose a lease too.
	Brief = Times{250 * time.Millisecond, 3 * time.Second, 2 * time.Second}
	// Shortest times are the shortest that init takes. Leases are lost all the time.
	Shortest = Times{100 * time.Millisecond, time.Second, time.Second}
)

// A Bucket is a versioned bucket with a lock table, both of them new.
type Bucket struct {
	*Env
	Name   string
	Lock   Lock
	Times  Times
	S3     *Client
	server Endpoint
	dynamo Endpoint
}

// Bucket makes a bucket and its lock table by latchfs init.
func (e *Env) Bucket(lock Lock, times Times) *Bucket {
	e.Helper()
	b := e.NoBucket(lock, times)
	b.Init()
	return b
}

// Init makes bucket and lock table, and returns what latchfs init said.
func (b *Bucket) Init() Output {
	b.Helper()
	o := b.Latchfs(b.InitArgs()...)
	if o.Code != 0 {
		b.Fatalf("latchfs init: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
	return o
}

// NoBucket gives a bucket that does not exist yet.
func (e *Env) NoBucket(lock Lock, times Times) *Bucket {
	e.Helper()
	server, err := e.Suite.S3()
	e.Must(err)
	return e.NoBucketOn(server, lock, times)
}

// NoBucketOn is NoBucket on another server.
func (e *Env) NoBucketOn(server Endpoint, lock Lock, times Times) *Bucket {
	e.Helper()
	b := &Bucket{Env: e, Name: "b-" + strings.ToLower(rand.Text()[:16]), Lock: lock, Times: times, server: server}
	if lock == OnDynamoDB {
		var err error
		b.dynamo, err = e.Suite.DynamoDB()
		e.Must(err)
	}
	b.S3 = NewClient(server, b.Name)
	return b
}

// For gives the same bucket to a sub-test: what fails then is the sub-test. Its programs have to be
// waited for there.
func (b *Bucket) For(t testing.TB) *Bucket {
	c := *b
	c.Env = &Env{TB: t, Suite: b.Suite, Dir: b.Dir}
	return &c
}

// Through gives the same bucket, reached by another address of its server.
func (b *Bucket) Through(url string) *Bucket {
	c := *b
	c.server.URL = url
	return &c
}

// LocksThrough gives the same bucket with its DynamoDB server reached by another address.
func (b *Bucket) LocksThrough(url string) *Bucket {
	c := *b
	c.dynamo.URL = url
	return &c
}

// Source is the bucket as SOURCE on the command line.
func (b *Bucket) Source() string { return "s3://" + b.Name }

// LockFlag is the value of --lock.
func (b *Bucket) LockFlag() string {
	if b.Lock == OnDynamoDB {
		return "dynamodb:" + b.Name + "-locks"
	}
	return "s3:" + b.Name + "-locks"
}

// ConnectionFlags are the flags that name the servers.
func (b *Bucket) ConnectionFlags() []string {
	f := []string{"--endpoint-url", b.server.URL, "--force-path-style", "--region", Region}
	if b.Lock == OnDynamoDB {
		f = append(f, "--dynamodb-endpoint-url", b.dynamo.URL)
	}
	return f
}

// InitArgs is the command line of init without the program's name.
func (b *Bucket) InitArgs() []string {
	args := append([]string{"init"}, b.ConnectionFlags()...)
	return append(args, "--lock", b.LockFlag(), "--beat", b.Times.Beat.String(),
		"--lease", b.Times.Lease.String(), "--delay", b.Times.Delay.String(), b.Source())
}

// Environ is the environment of latchfs: the test's, and the server's keys.
func (b *Bucket) Environ() []string {
	return append(b.Env.Environ(), "AWS_ACCESS_KEY_ID="+b.server.AccessKey, "AWS_SECRET_ACCESS_KEY="+b.server.SecretKey)
}

// Latchfs runs a command of latchfs to its end.
func (b *Bucket) Latchfs(args ...string) Output {
	b.Helper()
	program, err := b.Suite.Latchfs()
	b.Must(err)
	cmd := exec.Command(program, args...)
	cmd.Env = b.Environ()
	return b.Start(cmd).Wait(time.Minute)
}

// Server is the bucket's server and its keys.
func (b *Bucket) Server() Endpoint { return b.server }

// LockServer is the DynamoDB server of its lock table, and its keys.
func (b *Bucket) LockServer() Endpoint { return b.dynamo }
