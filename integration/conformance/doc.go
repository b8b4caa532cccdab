// Package conformance holds the answers that latchfs relies on: what an S3 server and a
// DynamoDB server must do, row by row, with races, kill -9 and restart.
//
// A row checks one thing and has an id, by which documents name it. Most rows are
// decided: the server does as AWS does, or it is wrong. A few are informational: AWS
// leaves the matter open, or we do not rely on it. What latchfs-local says there is
// pinned all the same, so that a change is seen.
//
// TestS3 runs against latchfs-local, TestDynamoDB against the servers of the tests, or
// against LATCHFS_TEST_DYNAMODB.
package conformance
