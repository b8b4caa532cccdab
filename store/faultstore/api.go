package faultstore

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Head implements store.API.
func (s *Store) Head(ctx context.Context, in store.HeadRequest) (store.Info, error) {
	return send(ctx, s, call{"Head", in.Key}, body{}, func(ctx context.Context) (store.Info, error) {
		return s.api.Head(ctx, in)
	})
}

// Get implements store.API.
func (s *Store) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	return send(ctx, s, call{"Get", in.Key}, body{}, func(ctx context.Context) (*store.Object, error) {
		return s.api.Get(ctx, in)
	})
}

// List implements store.API.
func (s *Store) List(ctx context.Context, o store.ListOptions) (store.ListPage, error) {
	return send(ctx, s, call{"List", ""}, body{}, func(ctx context.Context) (store.ListPage, error) {
		return s.api.List(ctx, o)
	})
}

// ListVersions implements store.API.
func (s *Store) ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error) {
	return send(ctx, s, call{"ListVersions", ""}, body{}, func(ctx context.Context) (store.VersionPage, error) {
		return s.api.ListVersions(ctx, o)
	})
}

// Tags implements store.API.
func (s *Store) Tags(ctx context.Context, key, version string) (string, error) {
	return send(ctx, s, call{"Tags", key}, body{}, func(ctx context.Context) (string, error) {
		return s.api.Tags(ctx, key, version)
	})
}

// SetTags implements store.API.
func (s *Store) SetTags(ctx context.Context, key, version, tags string) error {
	return s.send(ctx, call{"SetTags", key}, func(ctx context.Context) error {
		return s.api.SetTags(ctx, key, version, tags)
	})
}

// Lifecycle implements store.API.
func (s *Store) Lifecycle(ctx context.Context) (store.Lifecycle, error) {
	return send(ctx, s, call{"Lifecycle", ""}, body{}, s.api.Lifecycle)
}

// SetLifecycle implements store.API.
func (s *Store) SetLifecycle(ctx context.Context, l store.Lifecycle) error {
	return s.send(ctx, call{"SetLifecycle", ""}, func(ctx context.Context) error { return s.api.SetLifecycle(ctx, l) })
}

// Put implements store.API.
func (s *Store) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	return send(ctx, s, call{"Put", in.Key}, body{&in.Body, in.Size}, func(ctx context.Context) (store.Info, error) {
		return s.api.Put(ctx, in)
	})
}

// Copy implements store.API.
func (s *Store) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	return send(ctx, s, call{"Copy", in.Key}, body{}, func(ctx context.Context) (store.Info, error) {
		return s.api.Copy(ctx, in)
	})
}

// Delete implements store.API.
func (s *Store) Delete(ctx context.Context, in store.DeleteRequest) error {
	return s.send(ctx, call{"Delete", in.Key}, func(ctx context.Context) error {
		return s.api.Delete(ctx, in)
	})
}

// DeleteVersion implements store.API.
func (s *Store) DeleteVersion(ctx context.Context, key, version string) error {
	return s.send(ctx, call{"DeleteVersion", key}, func(ctx context.Context) error {
		return s.api.DeleteVersion(ctx, key, version)
	})
}

// CreateUpload implements store.API.
func (s *Store) CreateUpload(ctx context.Context, in store.CreateUploadRequest) (string, error) {
	return send(ctx, s, call{"CreateUpload", in.Key}, body{}, func(ctx context.Context) (string, error) {
		return s.api.CreateUpload(ctx, in)
	})
}

// UploadPart implements store.API.
func (s *Store) UploadPart(ctx context.Context, in store.PartRequest) (store.Part, error) {
	return send(ctx, s, call{"UploadPart", in.Key}, body{&in.Body, in.Size}, func(ctx context.Context) (store.Part, error) {
		return s.api.UploadPart(ctx, in)
	})
}

// CopyPart implements store.API.
func (s *Store) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	return send(ctx, s, call{"CopyPart", in.Key}, body{}, func(ctx context.Context) (store.Part, error) {
		return s.api.CopyPart(ctx, in)
	})
}

// CompleteUpload implements store.API.
func (s *Store) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	return send(ctx, s, call{"CompleteUpload", in.Key}, body{}, func(ctx context.Context) (store.Info, error) {
		return s.api.CompleteUpload(ctx, in)
	})
}

// AbortUpload implements store.API.
func (s *Store) AbortUpload(ctx context.Context, key, upload string) error {
	return s.send(ctx, call{"AbortUpload", key}, func(ctx context.Context) error {
		return s.api.AbortUpload(ctx, key, upload)
	})
}

// ListUploads implements store.API.
func (s *Store) ListUploads(ctx context.Context, o store.UploadOptions) (store.UploadPage, error) {
	return send(ctx, s, call{"ListUploads", ""}, body{}, func(ctx context.Context) (store.UploadPage, error) {
		return s.api.ListUploads(ctx, o)
	})
}

// HeadBucket implements store.API.
func (s *Store) HeadBucket(ctx context.Context) error {
	return s.send(ctx, call{"HeadBucket", ""}, func(ctx context.Context) error {
		return s.api.HeadBucket(ctx)
	})
}

// CreateBucket implements store.API.
func (s *Store) CreateBucket(ctx context.Context) error {
	return s.send(ctx, call{"CreateBucket", ""}, func(ctx context.Context) error {
		return s.api.CreateBucket(ctx)
	})
}

// Versioning implements store.API.
func (s *Store) Versioning(ctx context.Context) (store.Versioning, error) {
	return send(ctx, s, call{"Versioning", ""}, body{}, s.api.Versioning)
}

// DefaultRetention implements store.API.
func (s *Store) DefaultRetention(ctx context.Context) (store.Retention, error) {
	return send(ctx, s, call{"DefaultRetention", ""}, body{}, s.api.DefaultRetention)
}

// EnableVersioning implements store.API.
func (s *Store) EnableVersioning(ctx context.Context) error {
	return s.send(ctx, call{"EnableVersioning", ""}, func(ctx context.Context) error {
		return s.api.EnableVersioning(ctx)
	})
}

// Server implements store.API.
func (s *Store) Server() string { return s.api.Server() }

// Skew implements store.API.
func (s *Store) Skew() (time.Duration, bool) { return s.api.Skew() }

// send is for operations that answer nothing and have no body.
func (s *Store) send(ctx context.Context, c call, apply func(context.Context) error) error {
	_, err := send(ctx, s, c, body{}, func(ctx context.Context) (struct{}, error) { return struct{}{}, apply(ctx) })
	return err
}
