package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// items are the rows on single items and conditions.
func (e *dynamoServer) items() []row {
	return []row{
		{id: "q01", title: "CreateTable PAY_PER_REQUEST, waiter, Describe, List, 2nd create ResourceInUse", check: func(ctx context.Context) error {
			mk := func() error {
				_, err := e.c.CreateTable(ctx, &dynamodb.CreateTableInput{TableName: p(locks), BillingMode: types.BillingModePayPerRequest,
					AttributeDefinitions: []types.AttributeDefinition{{AttributeName: p("pk"), AttributeType: types.ScalarAttributeTypeS}},
					KeySchema:            []types.KeySchemaElement{{AttributeName: p("pk"), KeyType: types.KeyTypeHash}}})
				return err
			}
			if err := mk(); err != nil {
				return fmt.Errorf("create: %s", code(err))
			}
			t0 := time.Now()
			if err := dynamodb.NewTableExistsWaiter(e.c, func(o *dynamodb.TableExistsWaiterOptions) {
				o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
			}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: p(locks)}, 20*time.Second); err != nil {
				return err
			}
			w := time.Since(t0)
			d, err := e.c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: p(locks)})
			if err != nil {
				return err
			}
			bm := ""
			if d.Table.BillingModeSummary != nil {
				bm = string(d.Table.BillingModeSummary.BillingMode)
			}
			err = mk()
			var ru *types.ResourceInUseException
			if !errors.As(err, &ru) {
				return fmt.Errorf("second create: %s", code(err))
			}
			if bm != "PAY_PER_REQUEST" {
				return infof("works; billing mode shown as %q; active after %d ms", bm, w.Milliseconds())
			}
			return nil
		}},
		{id: "q02", title: "PutItem attribute_not_exists: absent ok, present ConditionalCheckFailed", check: func(ctx context.Context) error {
			f := func() error {
				_, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q02"), "owner": S("a")}, ConditionExpression: p("attribute_not_exists(pk)")})
				return err
			}
			if err := f(); err != nil {
				return fmt.Errorf("absent: %s", code(err))
			}
			if err := f(); !isCond(err) {
				return fmt.Errorf("present: %s", code(err))
			}
			return nil
		}},
		{id: "q03", title: "PutItem condition on rvn: right ok, wrong fails; expired-lease OR expression", check: func(ctx context.Context) error {
			if _, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q03"), "rvn": S("r1"), "exp": N(100), "fence": N(1)}}); err != nil {
				return err
			}
			f := func(old, new string) error {
				_, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q03"), "rvn": S(new), "exp": N(100), "fence": N(2)}, ConditionExpression: p("attribute_exists(pk) AND #r = :o"),
					ExpressionAttributeNames: map[string]string{"#r": "rvn"}, ExpressionAttributeValues: map[string]av{":o": S(old)}})
				return err
			}
			if err := f("r1", "r2"); err != nil {
				return fmt.Errorf("right: %s", code(err))
			}
			if err := f("r1", "r3"); !isCond(err) {
				return fmt.Errorf("wrong: %s", code(err))
			}
			g := func(now int) error {
				_, err := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q03"), UpdateExpression: p("SET #o = :me, #r = :n, #e = :exp ADD fence :one"),
					ConditionExpression:       p("attribute_not_exists(pk) OR (#e < :now) OR #o = :me"),
					ExpressionAttributeNames:  map[string]string{"#o": "owner", "#r": "rvn", "#e": "exp"},
					ExpressionAttributeValues: map[string]av{":me": S("host-" + strconv.Itoa(now)), ":n": S("r9"), ":exp": N(now + 20), ":now": N(now), ":one": N(1)}})
				return err
			}
			if err := g(50); !isCond(err) {
				return fmt.Errorf("lease not yet expired: %s", code(err))
			}
			if err := g(150); err != nil {
				return fmt.Errorf("lease expired: %s", code(err))
			}
			it, err := e.getI(ctx, "q03")
			if err != nil || num(it["fence"]) != 3 {
				return fmt.Errorf("fence %v %s", it["fence"], code(err))
			}
			return nil
		}},
		{id: "q04", title: "ReturnValuesOnConditionCheckFailure=ALL_OLD: item in the exception (Put, Update, Delete)", check: func(ctx context.Context) error {
			e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q04"), "owner": S("holder")}})
			chk := func(what string, err error) error {
				var c *types.ConditionalCheckFailedException
				if !errors.As(err, &c) {
					return fmt.Errorf("%s: %s", what, code(err))
				}
				if str(c.Item["owner"]) != "holder" {
					return fmt.Errorf("%s: no old item in the exception (%d attributes)", what, len(c.Item))
				}
				return nil
			}
			ro := types.ReturnValuesOnConditionCheckFailureAllOld
			_, e1 := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q04")}, ConditionExpression: p("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: ro})
			_, e2 := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q04"), UpdateExpression: p("SET a = :a"), ExpressionAttributeValues: map[string]av{":a": N(1)}, ConditionExpression: p("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: ro})
			_, e3 := e.c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: p(locks), Key: e.key("q04"), ConditionExpression: p("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: ro})
			return first(chk("Put", e1), chk("Update", e2), chk("Delete", e3))
		}},
		{id: "q05", title: "UpdateItem ADD counter with condition, ReturnValues UPDATED_NEW/ALL_NEW, if_not_exists, REMOVE", check: func(ctx context.Context) error {
			for i := 1; i <= 3; i++ {
				r, err := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q05"), UpdateExpression: p("ADD fence :one SET t = if_not_exists(t, :z) + :one"), ExpressionAttributeValues: map[string]av{":one": N(1), ":z": N(10)}, ReturnValues: types.ReturnValueUpdatedNew})
				if err != nil {
					return fmt.Errorf("%s", code(err))
				}
				if num(r.Attributes["fence"]) != i || num(r.Attributes["t"]) != 10+i {
					return fmt.Errorf("got %v", r.Attributes)
				}
			}
			_, err := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q05"), UpdateExpression: p("ADD fence :one"), ConditionExpression: p("fence = :x"), ExpressionAttributeValues: map[string]av{":one": N(1), ":x": N(99)}})
			if !isCond(err) {
				return fmt.Errorf("wrong condition: %s", code(err))
			}
			r, err := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q05"), UpdateExpression: p("REMOVE t SET m.a = :v"), ConditionExpression: p("attribute_type(fence, :n) AND fence BETWEEN :a AND :b"), ExpressionAttributeValues: map[string]av{":v": N(1), ":n": S("N"), ":a": N(1), ":b": N(5)}, ReturnValues: types.ReturnValueAllNew})
			if err == nil {
				return fmt.Errorf("SET into a missing map accepted: %v", r.Attributes)
			}
			if status(err) != 400 {
				return fmt.Errorf("SET into a missing map: %s", code(err))
			}
			r, err = e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q05"), UpdateExpression: p("REMOVE t SET m = :v"), ConditionExpression: p("attribute_type(fence, :n) AND fence BETWEEN :a AND :b AND NOT contains(pk, :zz) AND begins_with(pk, :q) AND fence IN (:a, :c) AND size(pk) = :c"), ExpressionAttributeValues: map[string]av{":v": &types.AttributeValueMemberM{Value: map[string]av{"a": N(1)}}, ":n": S("N"), ":a": N(1), ":b": N(5), ":zz": S("zz"), ":q": S("q0"), ":c": N(3)}, ReturnValues: types.ReturnValueAllNew})
			if err != nil {
				return fmt.Errorf("functions: %s", code(err))
			}
			if r.Attributes["t"] != nil || r.Attributes["m"] == nil {
				return fmt.Errorf("got %v", r.Attributes)
			}
			return nil
		}},
		{id: "q06", title: "DeleteItem conditional: wrong refused, right ok, ALL_OLD", check: func(ctx context.Context) error {
			e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q06"), "owner": S("me")}})
			f := func(o string) (*dynamodb.DeleteItemOutput, error) {
				return e.c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: p(locks), Key: e.key("q06"), ConditionExpression: p("#o = :o"), ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: map[string]av{":o": S(o)}, ReturnValues: types.ReturnValueAllOld})
			}
			if _, err := f("other"); !isCond(err) {
				return fmt.Errorf("wrong: %s", code(err))
			}
			r, err := f("me")
			if err != nil || str(r.Attributes["owner"]) != "me" {
				return fmt.Errorf("right: %s", code(err))
			}
			if _, err = f("me"); !isCond(err) {
				return fmt.Errorf("absent: %s", code(err))
			}
			return nil
		}},
		{id: "q09", title: "GetItem ConsistentRead, projection; missing item; unknown table", check: func(ctx context.Context) error {
			e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q09"), "a": N(1), "b": N(2)}})
			r, err := e.c.GetItem(ctx, &dynamodb.GetItemInput{TableName: p(locks), Key: e.key("q09"), ConsistentRead: p(true), ProjectionExpression: p("a")})
			if err != nil || len(r.Item) != 1 || num(r.Item["a"]) != 1 {
				return fmt.Errorf("%s %v", code(err), r)
			}
			it, err := e.getI(ctx, "q09-none")
			if err != nil || len(it) != 0 {
				return fmt.Errorf("missing: %s", code(err))
			}
			_, err = e.c.GetItem(ctx, &dynamodb.GetItemInput{TableName: p("no-such-table"), Key: e.key("x")})
			var rn *types.ResourceNotFoundException
			if !errors.As(err, &rn) {
				return fmt.Errorf("unknown table: %s", code(err))
			}
			return nil
		}},
		{id: "q13", title: "values: 38-digit number, binary, sets, nested map/list, empty string, BOOL, NULL", check: func(ctx context.Context) error {
			in := map[string]av{"pk": S("q13"), "n": NS("12345678901234567890123456789012345678"), "neg": NS("-0.5"), "b": &types.AttributeValueMemberB{Value: []byte{0, 255, 1}}, "ss": &types.AttributeValueMemberSS{Value: []string{"a", "b"}}, "l": &types.AttributeValueMemberL{Value: []av{N(1), &types.AttributeValueMemberM{Value: map[string]av{"x": S("é日本")}}}}, "e": S(""), "t": &types.AttributeValueMemberBOOL{Value: true}, "z": &types.AttributeValueMemberNULL{Value: true}}
			if _, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: in}); err != nil {
				return fmt.Errorf("%s", code(err))
			}
			it, err := e.getI(ctx, "q13")
			if err != nil {
				return err
			}
			if it["n"].(*types.AttributeValueMemberN).Value != "12345678901234567890123456789012345678" || len(it) != len(in) || string(it["b"].(*types.AttributeValueMemberB).Value) != "\x00\xff\x01" {
				return fmt.Errorf("got %d attributes, n=%v", len(it), it["n"].(*types.AttributeValueMemberN).Value)
			}
			return nil
		}},
		{id: "q14", title: "limits: item > 400 KB refused, reserved word refused, key of 2,048 bytes ok / 2,049 refused, missing value refused", check: func(ctx context.Context) error {
			_, e1 := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S("q14"), "x": S(strings.Repeat("x", 410*1024))}})
			_, e2 := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q14"), UpdateExpression: p("SET owner = :a"), ExpressionAttributeValues: map[string]av{":a": N(1)}})
			_, e3 := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S(strings.Repeat("k", 2048))}})
			_, e4 := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S(strings.Repeat("k", 2049))}})
			_, e5 := e.c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: p(locks), Key: e.key("q14"), UpdateExpression: p("SET a = :a"), ExpressionAttributeValues: map[string]av{":b": N(1)}})
			if status(e1) != 400 || status(e2) != 400 || e3 != nil || status(e4) != 400 || status(e5) != 400 {
				return infof("410 KB: %s; reserved word OWNER: %s; 2,048-byte key: %s; 2,049: %s; undefined value: %s", code(e1), code(e2), code(e3), code(e4), code(e5))
			}
			return nil
		}},
	}
}
