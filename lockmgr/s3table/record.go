package s3table

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/lockmgr"
)

const configKey = "v1/config"

// Names of locks are hashed: raw keys would break on length, NUL, and "a" beside "a/b".
func digest(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func sessionKey(sid string) string    { return "v1/session/" + sid }
func lockKey(name string) string      { return "v1/lock/" + digest(name) }
func mailPrefix(sid string) string    { return "v1/mail/" + sid + "/" }
func mailKey(sid, name string) string { return mailPrefix(sid) + digest(name) }

type session struct {
	State   lockmgr.State `json:"state"`
	Beat    int64         `json:"beat"`
	Host    string        `json:"host"`
	User    string        `json:"user"`
	PID     int           `json:"pid"`
	Version string        `json:"version"`
}

func (s session) public(sid, etag string) lockmgr.Session {
	return lockmgr.Session{SID: sid, State: s.State, Beat: s.Beat, Host: s.Host, User: s.User, PID: s.PID,
		Version: s.Version, Rev: etag}
}

// A lock without a nonce is free, as one without a record is: releasing writes the former where
// the server is not known to judge a condition on DELETE (RemoveReleased). []byte keeps keys that
// JSON strings would change.
type lock struct {
	Name  []byte    `json:"name"`
	SID   string    `json:"sid,omitempty"`
	Nonce string    `json:"nonce,omitempty"`
	Host  string    `json:"host,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

func (l lock) public() lockmgr.Lock {
	if l.Nonce == "" {
		return lockmgr.Lock{}
	}
	return lockmgr.Lock{Name: string(l.Name), SID: l.SID, Nonce: l.Nonce, Host: l.Host, Since: l.Since}
}

type mail struct {
	Name []byte `json:"name"`
}

type table struct {
	Schema  int    `json:"schema"`
	ID      string `json:"id"`
	BeatMS  int64  `json:"beat_ms"`
	LeaseMS int64  `json:"lease_ms"`
	DelayMS int64  `json:"delay_ms"`
}

// errChanged: the record is not in the state that the write was conditional on.
var errChanged = errors.New("the record changed")

// put writes a record over the state with this ETag ("" = there is none) and returns the new ETag.
func (t *Table) put(ctx context.Context, c *s3.Client, verb, key, over string, rec any) (etag string, err error) {
	body, err := encode(rec)
	if err != nil {
		return "", fmt.Errorf("%s: %w", verb, err)
	}
	in := &s3.PutObjectInput{Bucket: &t.bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("application/json")}
	if over == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &over
	}
	t.requests.Add(verb)
	out, err := c.PutObject(ctx, in)
	switch {
	case changed(err):
		return "", errChanged
	case err != nil:
		return "", t.explain(verb, err)
	}
	return aws.ToString(out.ETag), nil
}

// changed tells whether the server has refused a condition.
func changed(err error) bool {
	switch awserr.Code(err) {
	case "PreconditionFailed", "NoSuchKey", "ConditionalRequestConflict":
		return true
	}
	return false
}

// remove deletes the state of a record that has this ETag.
func (t *Table) remove(ctx context.Context, verb, key, etag string) error {
	t.requests.Add(verb)
	_, err := t.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: &key, IfMatch: &etag})
	if changed(err) {
		return errChanged
	}
	return t.explain(verb, err)
}

// get reads a record into rec and returns its ETag, "" if there is none.
func (t *Table) get(ctx context.Context, c *s3.Client, verb, key string, rec any) (etag string, err error) {
	t.requests.Add(verb)
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.bucket, Key: &key})
	if awserr.Code(err) == "NoSuchKey" {
		return "", nil
	}
	if err != nil {
		return "", t.explain(verb, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, 1<<16))
	if err != nil {
		return "", t.explain(verb, err)
	}
	if err := decode(body, rec); err != nil {
		return "", fmt.Errorf("lock bucket %s: %q is damaged: %w: %w", t.bucket, key, lockmgr.ErrForeignTable, err)
	}
	return aws.ToString(out.ETag), nil
}

// encode makes the body of an object that no other one has.
func encode(rec any) ([]byte, error) {
	return json.Marshal(struct {
		Record any    `json:"record"`
		Unique string `json:"unique"`
	}{rec, rand.Text()})
}

// decode reads a body into rec. One without a record is an error: as a lock it would be free.
func decode(body []byte, rec any) error {
	var outer struct {
		Record json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal(body, &outer); err != nil {
		return err
	}
	if len(outer.Record) == 0 || string(outer.Record) == "null" {
		return errors.New("there is no record in it")
	}
	return json.Unmarshal(outer.Record, rec)
}
