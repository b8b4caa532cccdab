package dynamo

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/lockmgr"
)

// keepEnded is how long the record of a closed session stays before DynamoDB may remove it.
const keepEnded = 7 * 24 * time.Hour

// PutSession implements lockmgr.Table.
func (t *Table) PutSession(ctx context.Context, s lockmgr.Session) error {
	it, ok, err := t.update(ctx, t.api, change{
		verb: "session", key: sessionKey(s.SID), condition: "attribute_not_exists(p)",
		update: "SET #state = :alive, #beat = :zero, #host = :host, #user = :user, #pid = :pid, #version = :version",
		names:  []string{"state", "beat", "host", "user", "pid", "version"},
		values: item{":alive": str(string(lockmgr.Alive)), ":zero": num(0), ":host": str(s.Host), ":user": str(s.User),
			":pid": num(int64(s.PID)), ":version": str(s.Version)},
		want: types.ReturnValueNone,
	})
	if err != nil || ok {
		return err
	}
	return alive("session", s.SID, it)
}

// alive explains a condition on state alive that failed.
func alive(verb, sid string, it item) error {
	switch s := readSession(sid, it); s.State {
	case lockmgr.Alive:
		return nil
	case lockmgr.Missing:
		return fmt.Errorf("%s: session %s is gone: %w", verb, sid, lockmgr.ErrSessionDead)
	default:
		return fmt.Errorf("%s: session %s is %s: %w", verb, sid, s.State, lockmgr.ErrSessionDead)
	}
}

// Beat implements lockmgr.Table.
func (t *Table) Beat(ctx context.Context, sid string) ([]string, error) {
	t.mu.Lock()
	collected := t.delivered[sid]
	t.mu.Unlock()
	c := change{verb: "beat", key: sessionKey(sid), condition: "#state = :alive", update: "ADD #beat :one",
		names: []string{"state", "beat"}, values: item{":alive": str(string(lockmgr.Alive)), ":one": num(1)},
		want: types.ReturnValueAllNew}
	if len(collected) > 0 {
		c.update += " DELETE #mail :collected"
		c.names = append(c.names, "mail")
		c.values[":collected"] = set(collected)
	}
	it, ok, err := t.update(ctx, t.beats, c)
	if err != nil {
		return nil, err
	}
	if !ok {
		if err := alive("beat", sid, it); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("beat: session %s is alive, yet the beat was refused: %w", sid, lockmgr.ErrUnavailable)
	}
	mail := stringSet(it, "mail")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delivered[sid] = mail
	return mail, nil
}

// GetSession implements lockmgr.Table.
func (t *Table) GetSession(ctx context.Context, sid string) (lockmgr.Session, error) {
	it, err := t.get(ctx, "look", sessionKey(sid))
	return readSession(sid, it), err
}

// KillSession implements lockmgr.Table.
func (t *Table) KillSession(ctx context.Context, seen lockmgr.Session) (lockmgr.Session, error) {
	it, _, err := t.update(ctx, t.api, change{
		verb: "kill", key: sessionKey(seen.SID), condition: "#state = :alive AND #beat = :seen", update: "SET #state = :dead",
		names:  []string{"state", "beat"},
		values: item{":alive": str(string(lockmgr.Alive)), ":dead": str(string(lockmgr.Dead)), ":seen": num(seen.Beat)},
		want:   types.ReturnValueAllNew,
	})
	return readSession(seen.SID, it), err
}

// CloseSession implements lockmgr.Table.
func (t *Table) CloseSession(ctx context.Context, sid string) error {
	_, _, err := t.update(ctx, t.api, change{
		verb: "close", key: sessionKey(sid), condition: "attribute_exists(p)", update: "SET #state = :closed, #ttl = :ttl REMOVE #mail",
		names:  []string{"state", "ttl", "mail"},
		values: item{":closed": str(string(lockmgr.Closed)), ":ttl": num(time.Now().Add(keepEnded).Unix())},
		want:   types.ReturnValueNone,
	})
	return err
}

// AcquireLock implements lockmgr.Table.
func (t *Table) AcquireLock(ctx context.Context, l lockmgr.Lock) (lockmgr.Lock, error) {
	return t.write(ctx, "acquire", l, "attribute_not_exists(p) OR #nonce = :nonce", nil)
}

// StealLock implements lockmgr.Table.
func (t *Table) StealLock(ctx context.Context, l lockmgr.Lock, seen string) (lockmgr.Lock, error) {
	return t.write(ctx, "steal", l, "#nonce = :seen OR #nonce = :nonce", item{":seen": str(seen)})
}

// write puts our name on a lock. Attributes that this version does not know stay.
func (t *Table) write(ctx context.Context, verb string, l lockmgr.Lock, condition string, values item) (lockmgr.Lock, error) {
	all := item{":sid": str(l.SID), ":nonce": str(l.Nonce), ":host": str(l.Host), ":since": str(l.Since.UTC().Format(time.RFC3339Nano))}
	maps.Copy(all, values)
	it, ok, err := t.update(ctx, t.api, change{
		verb: verb, key: lockKey(l.Name), condition: condition,
		update: "SET #sid = :sid, #nonce = :nonce, #host = :host, #since = :since",
		names:  []string{"sid", "nonce", "host", "since"}, values: all, want: types.ReturnValueNone,
	})
	if err != nil || !ok {
		return readLock(l.Name, it), err
	}
	return l, nil
}

// ReleaseLock implements lockmgr.Table.
func (t *Table) ReleaseLock(ctx context.Context, name, nonce string) error {
	t.requests.Add("release")
	_, err := t.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.name, Key: item{"p": str(lockKey(name))},
		ConditionExpression:      aws.String("#nonce = :nonce"),
		ExpressionAttributeNames: map[string]string{"#nonce": "nonce"}, ExpressionAttributeValues: item{":nonce": str(nonce)},
	})
	if conditionFailed(err) {
		return nil // gone, or another's by now
	}
	return t.explain("release", err)
}

// GetLock implements lockmgr.Table.
func (t *Table) GetLock(ctx context.Context, name string) (lockmgr.Lock, error) {
	it, err := t.get(ctx, "read", lockKey(name))
	return readLock(name, it), err
}

// SendMail implements lockmgr.Table.
func (t *Table) SendMail(ctx context.Context, sid, name string) error {
	t.requests.Add("mail")
	_, err := t.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: item{"p": str(sessionKey(sid))},
		UpdateExpression: aws.String("ADD #mail :name"), ConditionExpression: aws.String("#state = :alive"),
		ExpressionAttributeNames:  map[string]string{"#mail": "mail", "#state": "state"},
		ExpressionAttributeValues: item{":name": set([]string{name}), ":alive": str(string(lockmgr.Alive))},
	})
	if conditionFailed(err) {
		return nil // nobody reads it any more
	}
	return t.explain("mail", err)
}
