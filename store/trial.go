package store

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
)

// The trials are requests that show whether these credentials may make them, and change nothing:
// what they name is not there. A server judges the right first, so that any answer but a refusal
// of it is nil: they fail with ErrAccessDenied, ErrNotImplemented, ErrNoBucket or ErrUnavailable.

// TryPut tries to write where nothing is, on the condition that something is; with tags in the form
// of x-amz-tagging.
func (c *Client) TryPut(ctx context.Context, tags string) error {
	key := ProbePrefix + rand.Text()
	made, err := read(ctx, c, "Put", key, readPatience, func(ctx context.Context) (Info, error) {
		return c.api.Put(ctx, PutRequest{Key: key, Cond: Condition{IfMatch: noEtag}, Tags: tags, Body: strings.NewReader("")})
	})
	if err != nil {
		return tried(err)
	}
	if err := c.tryDelete(ctx, key, made.ETag); err == nil {
		c.sweep(ctx, key)
	}
	return nil
}

// TryDelete tries to remove what is not there.
func (c *Client) TryDelete(ctx context.Context) error {
	key := ProbePrefix + rand.Text()
	err := c.tryDelete(ctx, key, noEtag)
	if err == nil {
		c.sweep(ctx, key)
	}
	return tried(err)
}

// sweep removes what a server that ignores conditions has made of a trial: an object, a delete
// marker. What cannot be removed stays, and is seen below ProbePrefix.
func (c *Client) sweep(ctx context.Context, key string) {
	page, err := c.ListVersions(ctx, VersionOptions{Prefix: key})
	for _, v := range page.Versions {
		if err == nil {
			err = c.tryDeleteVersion(ctx, key, v.Info.VersionID)
		}
	}
}

func (c *Client) tryDelete(ctx context.Context, key, etag string) error {
	_, err := read(ctx, c, "Delete", key, readPatience, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.api.Delete(ctx, DeleteRequest{Key: key, IfMatch: etag})
	})
	return err
}

// TryDeleteVersion tries to remove a version of what is not there.
func (c *Client) TryDeleteVersion(ctx context.Context) error {
	return tried(c.tryDeleteVersion(ctx, ProbePrefix+rand.Text(), "null"))
}

func (c *Client) tryDeleteVersion(ctx context.Context, key, version string) error {
	_, err := read(ctx, c, "DeleteVersion", key, readPatience, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.api.DeleteVersion(ctx, key, version)
	})
	return err
}

// TryAbort tries to end an upload that is not there.
func (c *Client) TryAbort(ctx context.Context) error {
	key, upload := ProbePrefix+rand.Text(), rand.Text()
	_, err := read(ctx, c, "AbortUpload", key, readPatience, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.api.AbortUpload(ctx, key, upload)
	})
	return tried(err)
}

// TryGet tries to read a version of an object, "" for the current one.
func (c *Client) TryGet(ctx context.Context, key, version string) error {
	object, err := c.Get(ctx, key, GetOptions{VersionID: version})
	if err == nil {
		err = object.Body.Close()
	}
	return tried(err)
}

// TryTags tries to read the tags of a version of an object, "" for the current one.
func (c *Client) TryTags(ctx context.Context, key, version string) error {
	_, err := read(ctx, c, "Tags", key, readPatience, func(ctx context.Context) (string, error) {
		return c.api.Tags(ctx, key, version)
	})
	return tried(err)
}

// tried leaves of an error what says that the request may not be made, or was not answered.
func tried(err error) error {
	for _, kind := range []error{ErrAccessDenied, ErrNotImplemented, ErrNoBucket} {
		if errors.Is(err, kind) {
			return err
		}
	}
	if err != nil && fateOf(err) == Refused {
		return nil
	}
	return err
}
