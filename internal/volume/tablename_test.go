package volume

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTableName(t *testing.T) {
	for in, want := range map[string]TableName{
		"dynamodb:my.table": {BackendDynamo, "my.table"},
		"s3:some-bucket":    {BackendS3, "some-bucket"},
	} {
		got, err := ParseTableName(in)
		if err != nil || got != want || got.String() != in {
			t.Errorf("%q: %+v, written as %q, %v; want %+v", in, got, got, err, want)
		}
	}
	for _, in := range []string{
		"", "dynamodb", "dynamodb:", "dynamodb:ab", "dynamodb:a b c", "dynamodb:" + strings.Repeat("a", 256),
		"s3:", "s3:ab", "s3:b*cket", "redis:table", "bucket",
	} {
		got, err := ParseTableName(in)
		if _, usage := errors.AsType[*UsageError](err); !usage {
			t.Errorf("%q: %+v, %v; want a usage error", in, got, err)
		}
	}
}

// A value that has the form that the message asks for is told what else is wrong.
func TestNameOfNoTable(t *testing.T) {
	for in, says := range map[string]string{
		"redis:table": "write dynamodb:TABLE or s3:BUCKET",
		"s3:":         "write dynamodb:TABLE or s3:BUCKET",
		"dynamodb:lt": "3 to 255 letters",
		"s3:ab":       "3 to 63 letters",
	} {
		if _, err := ParseTableName(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q", in, err, says)
		}
	}
}
