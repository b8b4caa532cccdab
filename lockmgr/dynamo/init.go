package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
)

// createPoll is how often a table that is being created is looked at.
const createPoll = 500 * time.Millisecond

// ReadConfig implements lockmgr.Table.
func (t *Table) ReadConfig(ctx context.Context) (lockmgr.Config, error) {
	it, err := t.get(ctx, "config", configKey)
	if err != nil {
		return lockmgr.Config{}, err
	}
	if it == nil {
		// Empty: an init died between table and configuration.
		t.requests.Add("config")
		out, err := t.api.Scan(ctx, &dynamodb.ScanInput{TableName: &t.name, Limit: aws.Int32(1), ConsistentRead: aws.Bool(true)})
		if err != nil {
			return lockmgr.Config{}, t.explain("config", err)
		}
		if len(out.Items) == 0 {
			return lockmgr.Config{}, fmt.Errorf("table %s is empty: %w", t.name, lockmgr.ErrNoTable)
		}
		// Once more: another init may have written it since.
		if it, err = t.get(ctx, "config", configKey); err != nil {
			return lockmgr.Config{}, err
		}
		if it == nil {
			return lockmgr.Config{}, fmt.Errorf("table %s has items but no configuration: %w", t.name, lockmgr.ErrForeignTable)
		}
	}
	c, err := readConfig(it)
	if err != nil {
		return c, err
	}
	return c, t.checkRegions(ctx)
}

func readConfig(it item) (lockmgr.Config, error) {
	ms := func(name string) time.Duration { return time.Duration(number(it, name)) * time.Millisecond }
	c := lockmgr.Config{Schema: int(number(it, "schema")), ID: text(it, "id"),
		Timing: lockmgr.Timing{Beat: ms("beat_ms"), Lease: ms("lease_ms"), Delay: ms("delay_ms")}}
	return c, c.Check()
}

// Init implements lockmgr.Table.
func (t *Table) Init(ctx context.Context, wish lockmgr.Config) (lockmgr.Config, bool, error) {
	return lockmgr.InitTable(ctx, wish, t.ReadConfig, t.writeConfig)
}

// writeConfig makes the table and its configuration, where they are not there.
func (t *Table) writeConfig(ctx context.Context, c lockmgr.Config) error {
	if err := t.create(ctx); err != nil {
		return err
	}
	ms := func(d time.Duration) types.AttributeValue { return num(d.Milliseconds()) }
	t.requests.Add("init")
	_, err := t.api.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, ConditionExpression: aws.String("attribute_not_exists(p)"),
		Item: item{"p": str(configKey), "schema": num(int64(c.Schema)), "id": str(c.ID),
			"beat_ms": ms(c.Beat), "lease_ms": ms(c.Lease), "delay_ms": ms(c.Delay)},
	})
	if conditionFailed(err) {
		return nil
	}
	return t.explain("init", err)
}

// create makes the table, unless somebody else does, and waits until it can be used.
func (t *Table) create(ctx context.Context) error {
	t.requests.Add("init")
	_, err := t.api.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &t.name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("p"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("p"), KeyType: types.KeyTypeHash}},
	})
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return t.explain("create", err)
	}
	for {
		t.requests.Add("init")
		out, err := t.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
		if err == nil && out.Table.TableStatus == types.TableStatusActive {
			if err := oneTruth(out.Table); err != nil {
				return err
			}
			break
		}
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !missing {
			return t.explain("create", err)
		}
		if !wait.For(ctx, createPoll, nil) {
			return t.explain("create", ctx.Err())
		}
	}
	t.requests.Add("init")
	// Only tidiness: ended sessions go by themselves where this is granted and known.
	_, _ = t.api.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &t.name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}})
	return nil
}
