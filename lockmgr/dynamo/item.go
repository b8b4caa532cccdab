package dynamo

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/lockmgr"
)

const configKey = "C"

func sessionKey(sid string) string { return "S#" + sid }
func lockKey(name string) string   { return "L#" + name }

type item = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func set(ss []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: ss} }

func text(it item, name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func number(it item, name string) int64 {
	if v, ok := it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func stringSet(it item, name string) []string {
	if v, ok := it[name].(*types.AttributeValueMemberSS); ok {
		return v.Value
	}
	return nil
}

func readSession(sid string, it item) lockmgr.Session {
	return lockmgr.Session{SID: sid, State: lockmgr.State(text(it, "state")), Beat: number(it, "beat"),
		Host: text(it, "host"), User: text(it, "user"), PID: int(number(it, "pid")), Version: text(it, "version")}
}

func readLock(name string, it item) lockmgr.Lock {
	if text(it, "nonce") == "" {
		return lockmgr.Lock{}
	}
	since, _ := time.Parse(time.RFC3339Nano, text(it, "since"))
	return lockmgr.Lock{Name: name, SID: text(it, "sid"), Nonce: text(it, "nonce"), Host: text(it, "host"), Since: since}
}

// get reads an item consistently; nil if there is none.
func (t *Table) get(ctx context.Context, verb, key string) (item, error) {
	t.requests.Add(verb)
	out, err := t.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: item{"p": str(key)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, t.explain(verb, err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	return out.Item, nil
}

func conditionFailed(err error) bool {
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}

// A change is one conditional update of one item.
type change struct {
	verb, key         string
	update, condition string
	// names are attributes used as #name: state, user, host and others are reserved words.
	names  []string
	values item
	want   types.ReturnValue
}

// update applies the change. It returns the item as the change left it (as far as want
// asks), or, with ok false, the item as it stands where the condition failed.
func (t *Table) update(ctx context.Context, client *dynamodb.Client, c change) (it item, ok bool, err error) {
	names := make(map[string]string, len(c.names))
	for _, n := range c.names {
		names["#"+n] = n
	}
	t.requests.Add(c.verb)
	out, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &t.name, Key: item{"p": str(c.key)},
		UpdateExpression: &c.update, ConditionExpression: &c.condition,
		ExpressionAttributeNames: names, ExpressionAttributeValues: c.values, ReturnValues: c.want,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return out.Attributes, true, nil
	}
	failed, isCondition := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !isCondition {
		return nil, false, t.explain(c.verb, err)
	}
	if len(failed.Item) > 0 {
		return failed.Item, false, nil
	}
	// There is no item, or a server that does not return it.
	it, err = t.get(ctx, c.verb, c.key)
	return it, false, err
}
