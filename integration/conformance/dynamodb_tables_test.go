package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tables are the rows on scans, queries, transactions and tables.
func (e *dynamoServer) tables() []row {
	return []row{
		{id: "q07", title: "TransactWriteItems: 4 kinds ok; failing one cancels all, reasons + ALL_OLD", check: func(ctx context.Context) error {
			for _, k := range []string{"q07u", "q07c", "q07d"} {
				if _, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S(k), "n": N(1)}}); err != nil {
					return err
				}
			}
			tx := func(want int, put string) error {
				_, err := e.c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
					{Put: &types.Put{TableName: p(locks), Item: map[string]av{"pk": S(put)}, ConditionExpression: p("attribute_not_exists(pk)")}},
					{Update: &types.Update{TableName: p(locks), Key: e.key("q07u"), UpdateExpression: p("ADD n :one"), ExpressionAttributeValues: map[string]av{":one": N(1)}}},
					{ConditionCheck: &types.ConditionCheck{TableName: p(locks), Key: e.key("q07c"), ConditionExpression: p("n = :n"), ExpressionAttributeValues: map[string]av{":n": N(want)}, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}},
					{Delete: &types.Delete{TableName: p(locks), Key: e.key("q07d")}},
				}})
				return err
			}
			if err := tx(1, "q07p"); err != nil {
				return fmt.Errorf("good: %s", code(err))
			}
			err := tx(9, "q07p2")
			var tc *types.TransactionCanceledException
			if !errors.As(err, &tc) {
				return fmt.Errorf("bad: %s", code(err))
			}
			if len(tc.CancellationReasons) != 4 || aws.ToString(tc.CancellationReasons[2].Code) != "ConditionalCheckFailed" {
				return fmt.Errorf("reasons %d", len(tc.CancellationReasons))
			}
			it, _ := e.getI(ctx, "q07u")
			it2, _ := e.getI(ctx, "q07p2")
			if num(it["n"]) != 2 || it2 != nil {
				return fmt.Errorf("not atomic: n=%d put=%v", num(it["n"]), it2)
			}
			if num(tc.CancellationReasons[2].Item["n"]) != 1 {
				return infof("works, but no ALL_OLD item in the reason")
			}
			return nil
		}},
		{id: "q08", title: "TransactWriteItems ClientRequestToken idempotent; TransactGetItems", check: func(ctx context.Context) error {
			for i := 0; i < 2; i++ {
				if _, err := e.c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{ClientRequestToken: p("tok-1"), TransactItems: []types.TransactWriteItem{{Update: &types.Update{TableName: p(locks), Key: e.key("q08"), UpdateExpression: p("ADD n :one"), ExpressionAttributeValues: map[string]av{":one": N(1)}}}}}); err != nil {
					return fmt.Errorf("%s", code(err))
				}
			}
			r, err := e.c.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{{Get: &types.Get{TableName: p(locks), Key: e.key("q08")}}}})
			if err != nil {
				return fmt.Errorf("get: %s", code(err))
			}
			if num(r.Responses[0].Item["n"]) != 1 {
				return infof("token ignored: applied twice")
			}
			return nil
		}},
		{id: "q10", title: "Scan with filter + paging (Limit 7), parallel segments", check: func(ctx context.Context) error {
			for i := 0; i < 60; i++ {
				if _, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: map[string]av{"pk": S(fmt.Sprintf("q10-%02d", i)), "g": N(i % 3)}}); err != nil {
					return err
				}
			}
			n, pages := 0, 0
			var lek map[string]av
			for {
				r, err := e.c.Scan(ctx, &dynamodb.ScanInput{TableName: p(locks), Limit: p(int32(7)), ExclusiveStartKey: lek, ConsistentRead: p(true), FilterExpression: p("g = :g AND begins_with(pk, :p)"), ExpressionAttributeValues: map[string]av{":g": N(1), ":p": S("q10-")}})
				if err != nil {
					return fmt.Errorf("%s", code(err))
				}
				n += len(r.Items)
				pages++
				if lek = r.LastEvaluatedKey; lek == nil || pages > 200 {
					break
				}
			}
			if n != 20 {
				return fmt.Errorf("%d of 20 in %d pages", n, pages)
			}
			n = 0
			for s := int32(0); s < 4; s++ {
				r, err := e.c.Scan(ctx, &dynamodb.ScanInput{TableName: p(locks), Segment: p(s), TotalSegments: p(int32(4)), FilterExpression: p("begins_with(pk, :p)"), ExpressionAttributeValues: map[string]av{":p": S("q10-")}})
				if err != nil {
					return fmt.Errorf("segments: %s", code(err))
				}
				n += len(r.Items)
			}
			if n != 60 {
				return fmt.Errorf("segments: %d of 60", n)
			}
			return nil
		}},
		{id: "q11", title: "hash+range table with GSI: Query, begins_with, reverse, paging, GSI", check: func(ctx context.Context) error {
			if _, err := e.c.CreateTable(ctx, &dynamodb.CreateTableInput{TableName: p(items), BillingMode: types.BillingModePayPerRequest,
				AttributeDefinitions:   []types.AttributeDefinition{{AttributeName: p("pk"), AttributeType: "S"}, {AttributeName: p("sk"), AttributeType: "S"}, {AttributeName: p("host"), AttributeType: "S"}},
				KeySchema:              []types.KeySchemaElement{{AttributeName: p("pk"), KeyType: "HASH"}, {AttributeName: p("sk"), KeyType: "RANGE"}},
				GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: p("byhost"), KeySchema: []types.KeySchemaElement{{AttributeName: p("host"), KeyType: "HASH"}}, Projection: &types.Projection{ProjectionType: "ALL"}}}}); err != nil {
				return fmt.Errorf("create: %s", code(err))
			}
			if err := dynamodb.NewTableExistsWaiter(e.c, func(o *dynamodb.TableExistsWaiterOptions) {
				o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
			}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: p(items)}, 20*time.Second); err != nil {
				return err
			}
			for i := 0; i < 25; i++ {
				if _, err := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(items), Item: map[string]av{"pk": S("b"), "sk": S(fmt.Sprintf("f/%02d", i)), "host": S(fmt.Sprint("h", i%5))}}); err != nil {
					return err
				}
			}
			var got []string
			var lek map[string]av
			for {
				r, err := e.c.Query(ctx, &dynamodb.QueryInput{TableName: p(items), KeyConditionExpression: p("pk = :b AND begins_with(sk, :f)"), ExpressionAttributeValues: map[string]av{":b": S("b"), ":f": S("f/1")}, ScanIndexForward: p(false), Limit: p(int32(3)), ConsistentRead: p(true), ExclusiveStartKey: lek})
				if err != nil {
					return fmt.Errorf("%s", code(err))
				}
				for _, i := range r.Items {
					got = append(got, str(i["sk"]))
				}
				if lek = r.LastEvaluatedKey; lek == nil {
					break
				}
			}
			if len(got) != 10 || got[0] != "f/19" || got[9] != "f/10" {
				return fmt.Errorf("query: %v", got)
			}
			r, err := e.c.Query(ctx, &dynamodb.QueryInput{TableName: p(items), IndexName: p("byhost"), KeyConditionExpression: p("host = :h"), ExpressionAttributeValues: map[string]av{":h": S("h2")}})
			if err != nil || len(r.Items) != 5 {
				return fmt.Errorf("GSI: %s", code(err))
			}
			return nil
		}},
		{id: "q12", title: "TTL: UpdateTimeToLive, DescribeTimeToLive", check: func(ctx context.Context) error {
			if _, err := e.c.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: p(locks), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: p("ttl"), Enabled: p(true)}}); err != nil {
				return fmt.Errorf("update: %s", code(err))
			}
			d, err := e.c.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: p(locks)})
			if err != nil || d.TimeToLiveDescription == nil || d.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled && d.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabling {
				return fmt.Errorf("describe: %s %v", code(err), d)
			}
			return nil
		}},
		{id: "q15", title: "BatchWriteItem / BatchGetItem", check: func(ctx context.Context) error {
			var w []types.WriteRequest
			var ks []map[string]av
			for i := 0; i < 25; i++ {
				k := fmt.Sprintf("q15-%d", i)
				w = append(w, types.WriteRequest{PutRequest: &types.PutRequest{Item: e.key(k)}})
				ks = append(ks, e.key(k))
			}
			if _, err := e.c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{locks: w}}); err != nil {
				return fmt.Errorf("write: %s", code(err))
			}
			r, err := e.c.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{locks: {Keys: ks, ConsistentRead: p(true)}}})
			if err != nil || len(r.Responses[locks]) != 25 {
				return fmt.Errorf("get: %s", code(err))
			}
			return nil
		}},
		{id: "q20", title: "credentials and region are not checked (any key pair works)", check: func(ctx context.Context) error {
			_, err := newDDB(e.endpoint, "eu-west-1", "other", "other").DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: p(locks)})
			return infof("other key + other region: %s", code(err))
		}},
		{id: "q21", title: "DeletionProtection, PITR, tags, ConsumedCapacity, streams", check: func(ctx context.Context) error {
			_, e1 := e.c.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: p(items), DeletionProtectionEnabled: p(true)})
			_, e2 := e.c.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: p(items)})
			d, _ := e.c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: p(items)})
			_, e3 := e.c.TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: d.Table.TableArn, Tags: []types.Tag{{Key: p("a"), Value: p("b")}}})
			r, e4 := e.c.PutItem(ctx, &dynamodb.PutItemInput{TableName: p(locks), Item: e.key("q21"), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
			cap := "none"
			if e4 == nil && r.ConsumedCapacity != nil {
				cap = fmt.Sprint(aws.ToFloat64(r.ConsumedCapacity.CapacityUnits))
			}
			return infof("deletion protection %s, backups %s, tags %s, consumed capacity %s", code(e1), code(e2), code(e3), cap)
		}},
		{id: "q22", title: "ScanFilter speed: DeleteTable and waiter", check: func(ctx context.Context) error {
			e.c.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: p(items), DeletionProtectionEnabled: p(false)})
			if _, err := e.c.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: p(items)}); err != nil {
				return fmt.Errorf("%s", code(err))
			}
			return dynamodb.NewTableNotExistsWaiter(e.c, func(o *dynamodb.TableNotExistsWaiterOptions) {
				o.MinDelay, o.MaxDelay = 20*time.Millisecond, 100*time.Millisecond
			}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: p(items)}, 20*time.Second)
		}},
	}
}
