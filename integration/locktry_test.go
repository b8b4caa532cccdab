package integration

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
)

// What shows whether an action is granted leaves the table as it was.
func TestLockTableTrials(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func() (harness.Endpoint, error){"ministack": suite.DynamoDB, "dynalite": suite.Dynalite} {
		t.Run(name, func(t *testing.T) {
			e, err := server()
			if err != nil {
				t.Fatal(err)
			}
			c := dynamo.Config{Table: "locks-" + rand.Text(), Region: harness.Region, Endpoint: e.URL, AccessKey: e.AccessKey, SecretKey: e.SecretKey}
			table, err := dynamo.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if err := table.Try(t.Context(), "GetItem"); err == nil {
				t.Error("a table that is not there is read")
			}
			if _, _, err := table.Init(t.Context(), lockmgr.Config{Timing: dynamo.DefaultTiming}); err != nil {
				t.Fatal(err)
			}
			for _, action := range []string{"GetItem", "UpdateItem", "DeleteItem", "PutItem", "Scan", "DescribeTable"} {
				if err := table.Try(t.Context(), action); err != nil {
					t.Errorf("%s: %v", action, err)
				}
			}
			raw := dynamodb.New(dynamodb.Options{Region: harness.Region, BaseEndpoint: aws.String(e.URL),
				Credentials: credentials.NewStaticCredentialsProvider(e.AccessKey, e.SecretKey, "")})
			all, err := raw.Scan(t.Context(), &dynamodb.ScanInput{TableName: &c.Table})
			if err != nil || len(all.Items) != 1 {
				t.Errorf("%v, %v; want the configuration alone", all, err)
			}
			if err := table.Try(t.Context(), "CreateTable"); err == nil {
				t.Error("it tries to create a table")
			}
		})
	}
}
