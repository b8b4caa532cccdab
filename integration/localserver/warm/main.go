package main

import (
	_ "github.com/gofiber/fiber/v3"
	_ "github.com/valyala/fasthttp"
	_ "github.com/versity/versitygw/s3api"
	_ "go.etcd.io/bbolt"
	_ "golang.org/x/sys/unix"
	_ "github.com/aws/aws-sdk-go-v2/aws"
)

func main() {}
