module github.com/latchfs/latchfs
go 1.26.0
require (
github.com/hanwen/go-fuse/v2 v2.12.1
github.com/aws/aws-sdk-go-v2 v1.47.7
github.com/aws/aws-sdk-go-v2/service/s3 v1.114.8
github.com/aws/aws-sdk-go-v2/service/dynamodb v1.73.1
github.com/aws/aws-sdk-go-v2/config v1.33.15
github.com/aws/aws-sdk-go-v2/credentials v1.20.15
github.com/aws/smithy-go v1.28.8
github.com/urfave/cli/v2 v2.27.7
github.com/anishathalye/porcupine v1.3.1
golang.org/x/sys v0.40.0
)

ignore (
	./bin
	./data
	./mnt
	node_modules
)
