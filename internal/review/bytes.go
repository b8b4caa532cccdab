package review

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/latchfs/latchfs/store"
)

// retries is how often a body is taken up again where it broke off, without a byte in between.
const retries = 3

// Copy writes the bytes of one version to w. Where an answer breaks off it is taken up from there. It
// fails with store.ErrArchived, naming the class, if the bytes have to be restored first, and with the
// other errors of the store and of w.
func Copy(ctx context.Context, w io.Writer, objects Objects, v store.Info) error {
	for done, tries := int64(0), 0; done < v.Size; {
		n, err := copyFrom(ctx, w, objects, v, done)
		if done += n; n > 0 {
			tries = 0
		}
		if tries++; err != nil && (tries > retries || !errors.Is(err, store.ErrUnavailable)) {
			return fmt.Errorf("reading %q: %w", v.Key, explainClass(err, v))
		}
	}
	return nil
}

// copyFrom is one attempt to copy what is left.
func copyFrom(ctx context.Context, w io.Writer, objects Objects, v store.Info, done int64) (int64, error) {
	o := store.GetOptions{VersionID: v.VersionID}
	if v.VersionID == "" {
		o.IfMatch = v.ETag
	}
	if done > 0 {
		o.Range = &store.Range{Offset: done, Length: -1}
	}
	object, err := objects.Get(ctx, v.Key, o)
	if err != nil {
		return 0, err
	}
	defer object.Body.Close()
	n, err := io.Copy(w, object.Body)
	if err == nil && done+n != v.Size {
		err = fmt.Errorf("the answer has %d bytes instead of %d", done+n, v.Size)
	}
	return n, err
}

// explainClass says what an archived version needs.
func explainClass(err error, v store.Info) error {
	if !errors.Is(err, store.ErrArchived) {
		return err
	}
	return fmt.Errorf("its storage class is %s, and its bytes have to be restored first: aws s3api restore-object does that (%w)", v.Props.StorageClass, err)
}
