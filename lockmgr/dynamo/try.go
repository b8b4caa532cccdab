package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Try makes a request of this name that changes nothing, to show whether these credentials may:
// it reads, or its condition is that a random key is there. It knows GetItem, UpdateItem, DeleteItem,
// PutItem, Scan and DescribeTable. It fails as the requests of a mount do: with ErrAccessDenied if
// they may not.
func (t *Table) Try(ctx context.Context, action string) error {
	key := "T#" + rand.Text()
	there := aws.String("attribute_exists(p)")
	t.requests.Add("try")
	var err error
	switch action {
	case "GetItem":
		_, err = t.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: item{"p": str(key)}})
	case "UpdateItem":
		_, err = t.api.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &t.name, Key: item{"p": str(key)}, ConditionExpression: there,
			UpdateExpression: aws.String("SET tried = :one"), ExpressionAttributeValues: item{":one": num(1)}})
	case "DeleteItem":
		_, err = t.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: item{"p": str(key)}, ConditionExpression: there})
	case "PutItem":
		_, err = t.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.name, Item: item{"p": str(key)}, ConditionExpression: there})
	case "Scan":
		_, err = t.api.Scan(ctx, &dynamodb.ScanInput{TableName: &t.name, Limit: aws.Int32(1)})
	case "DescribeTable":
		_, err = t.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	default:
		return fmt.Errorf("lock table %s: %s cannot be tried", t.name, action)
	}
	if conditionFailed(err) {
		return nil
	}
	return t.explain("try "+action, err)
}
