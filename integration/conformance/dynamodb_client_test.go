package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/internal/awsclient"
)

type dynamoServer struct {
	c                *dynamodb.Client
	endpoint, region string
}

// newDDB makes a client that sends everything once.
func newDDB(endpoint, region, ak, sk string) *dynamodb.Client {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost, tr.MaxIdleConns = 64, 128
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(ak, sk, ""),
		Retryer:     retry.AddWithMaxAttempts(retry.NewStandard(), 1),
		HTTPClient:  awsclient.Over(tr),
	})
}

type av = types.AttributeValue

func S(s string) av  { return &types.AttributeValueMemberS{Value: s} }
func N(n int) av     { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }
func NS(n string) av { return &types.AttributeValueMemberN{Value: n} }
func num(a av) int {
	if m, ok := a.(*types.AttributeValueMemberN); ok {
		n, _ := strconv.Atoi(m.Value)
		return n
	}
	return -1
}
func str(a av) string {
	if m, ok := a.(*types.AttributeValueMemberS); ok {
		return m.Value
	}
	return ""
}

const locks, items = "conf-locks", "conf-items"

func isCond(err error) bool {
	var c *types.ConditionalCheckFailedException
	return errors.As(err, &c)
}

func (e *dynamoServer) key(k string) map[string]av { return map[string]av{"pk": S(k)} }

func (e *dynamoServer) getI(ctx context.Context, k string) (map[string]av, error) {
	r, err := e.c.GetItem(ctx, &dynamodb.GetItemInput{TableName: p(locks), Key: e.key(k), ConsistentRead: p(true)})
	if err != nil {
		return nil, err
	}
	return r.Item, nil
}

func ddbVerdict(rounds, bad, worst int, h map[string]int) error {
	if bad > 0 {
		return fmt.Errorf("%d of %d rounds without exactly one winner (worst %d): %v", bad, rounds, worst, h)
	}
	for k := range h {
		if k != "ok" && !strings.Contains(k, "ConditionalCheckFailed") {
			return fmt.Errorf("losers got other codes: %v", h)
		}
	}
	return nil
}
