package volume

import (
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// Errors name the command that makes the source mountable: it has to be complete.
func TestInitCommand(t *testing.T) {
	access := Access{Region: "r", Profile: "p", Endpoint: "http://e", DynamoDBEndpoint: "http://d", PathStyle: true}
	for _, c := range []struct {
		r     reach
		table string
		want  string
	}{
		{reach{src: Source{Bucket: "b", Prefix: "p/"}}, "", "latchfs init s3://b"},
		{reach{src: Source{Bucket: "b"}}, "s3:locks", "latchfs init --lock s3:locks s3://b"},
		{reach{src: Source{Bucket: "b"}, Access: Access{Region: "sdk", Endpoint: "http://sdk"}}, "",
			"latchfs init --lock s3:b-locks s3://b"},
		{reach{src: Source{Bucket: "b"}, Access: Access{Region: "sdk", Endpoint: "http://sdk", DynamoDBEndpoint: "http://sdk"}}, "",
			"latchfs init --lock dynamodb:latchfs s3://b"},
		{reach{src: Source{Bucket: strings.Repeat("b", 63)}, Access: Access{Endpoint: "http://sdk"}}, "",
			"latchfs init --lock s3:" + strings.Repeat("b", 57) + "-locks s3://" + strings.Repeat("b", 63)},
		{reach{src: Source{Bucket: "b"}, asked: Access{Profile: "my keys"}}, "", "latchfs init --profile 'my keys' s3://b"},
		{reach{src: Source{Bucket: "data", Local: "/srv/a b"}}, "s3:locks", "latchfs init 'local:/srv/a b'"},
		{reach{src: Source{Bucket: "b"}, Access: access, asked: access}, "s3:locks",
			"latchfs init --region r --endpoint-url http://e --profile p --force-path-style --lock s3:locks s3://b"},
		{reach{src: Source{Bucket: "b"}, Access: access, asked: access}, "",
			"latchfs init --region r --endpoint-url http://e --dynamodb-endpoint-url http://d --profile p --force-path-style --lock dynamodb:latchfs s3://b"},
		{reach{src: Source{Bucket: "data", Local: "/srv/x"}, Access: access}, "s3:locks", "latchfs init local:/srv/x"},
	} {
		if got := c.r.initCommand(c.table); got != c.want {
			t.Errorf("%s, table %q: %q, want %q", c.r.src, c.table, got, c.want)
		}
	}
}

// No error has the password of an endpoint in it.
func TestErrorsWithoutPassword(t *testing.T) {
	const secret = "http://user:secret@e:1/p"
	at := Access{Region: "r", Endpoint: secret, DynamoDBEndpoint: secret}
	r := reach{src: Source{Bucket: "b"}, Access: at, asked: at}
	for _, got := range []string{r.where(), r.whereTable(TableName{BackendDynamo, "t"}), r.initCommand(""),
		r.explainBucket(store.ErrUnavailable).Error(), shown("http://user:secret@a b")} {
		if strings.Contains(got, "secret") {
			t.Errorf("%q", got)
		}
	}
	if got := r.where(); got != "http://user:xxxxx@e:1/p" {
		t.Errorf("%q does not say where", got)
	}
}
