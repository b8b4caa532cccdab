package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/lockmgr"
)

// checkRegions refuses a table that several regions write. Each of them judges a condition by what
// it has itself, and the last writer wins afterwards, so that two hosts would get one lock. It is no
// danger where the regions agree before they answer: multi-region strong consistency.
//
// Who may not describe the table cannot know. That is no reason to lock everybody out: init may,
// and doctor names what is missing.
func (t *Table) checkRegions(ctx context.Context) error {
	t.requests.Add("config")
	out, err := t.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	switch err = t.explain("describe", err); {
	case errors.Is(err, lockmgr.ErrAccessDenied):
		return nil
	case err != nil:
		return err
	}
	return oneTruth(out.Table)
}

// oneTruth fails with ErrReplicated if the regions of a table can differ.
func oneTruth(d *types.TableDescription) error {
	version := aws.ToString(d.GlobalTableVersion)
	if len(d.Replicas) == 0 && version == "" || d.MultiRegionConsistency == types.MultiRegionConsistencyStrong {
		return nil
	}
	regions := make([]string, len(d.Replicas))
	for i, r := range d.Replicas {
		regions[i] = aws.ToString(r.RegionName)
	}
	return fmt.Errorf("table %s is a global table (version %s, replicas in %q, consistency %q): %w",
		aws.ToString(d.TableName), version, regions, d.MultiRegionConsistency, lockmgr.ErrReplicated)
}
