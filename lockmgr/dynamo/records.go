package dynamo

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/latchfs/latchfs/lockmgr"
)

var _ lockmgr.Records = (*Table)(nil)

// Records implements lockmgr.Records. The table is scanned once for each kind, since items come
// in no order.
func (t *Table) Records(ctx context.Context, use func(lockmgr.Record) error) error {
	for _, kind := range []string{sessionKey(""), lockKey("")} {
		if err := t.scan(ctx, kind, use); err != nil {
			return err
		}
	}
	return nil
}

// scan calls use with the items whose key begins so.
func (t *Table) scan(ctx context.Context, prefix string, use func(lockmgr.Record) error) error {
	in := &dynamodb.ScanInput{TableName: &t.name, ConsistentRead: aws.Bool(true),
		FilterExpression:          aws.String("begins_with(p, :prefix)"),
		ExpressionAttributeValues: item{":prefix": str(prefix)}}
	for {
		out, err := lockmgr.Insist(ctx, func(ctx context.Context) (*dynamodb.ScanOutput, error) {
			t.requests.Add("records")
			out, err := t.api.Scan(ctx, in)
			return out, t.explain("records", err)
		})
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			if r, ok := readRecord(it); ok {
				if err := use(r); err != nil {
					return err
				}
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// readRecord reads an item; it is not ok if the item is no session and no lock of ours.
func readRecord(it item) (r lockmgr.Record, ok bool) {
	key := text(it, "p")
	if sid, ok := strings.CutPrefix(key, sessionKey("")); ok {
		s := readSession(sid, it)
		return lockmgr.Record{Session: &s}, s.State != lockmgr.Missing
	}
	l := readLock(strings.TrimPrefix(key, lockKey("")), it)
	return lockmgr.Record{Lock: &l}, l.Nonce != ""
}

// Removable implements lockmgr.Records.
func (t *Table) Removable() error { return nil }

// Remove implements lockmgr.Records. Nonce, state and counter tell whether a record is still as it
// was found.
func (t *Table) Remove(ctx context.Context, r lockmgr.Record) (bool, error) {
	in := &dynamodb.DeleteItemInput{TableName: &t.name}
	if r.Lock != nil {
		in.Key = item{"p": str(lockKey(r.Lock.Name))}
		in.ConditionExpression = aws.String("#nonce = :nonce")
		in.ExpressionAttributeNames = map[string]string{"#nonce": "nonce"}
		in.ExpressionAttributeValues = item{":nonce": str(r.Lock.Nonce)}
	} else {
		in.Key = item{"p": str(sessionKey(r.Session.SID))}
		in.ConditionExpression = aws.String("#state = :state AND #beat = :beat")
		in.ExpressionAttributeNames = map[string]string{"#state": "state", "#beat": "beat"}
		in.ExpressionAttributeValues = item{":state": str(string(r.Session.State)), ":beat": num(r.Session.Beat)}
	}
	t.requests.Add("remove")
	_, err := t.api.DeleteItem(ctx, in)
	if conditionFailed(err) {
		return false, nil
	}
	return err == nil, t.explain("remove", err)
}
