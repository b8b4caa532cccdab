package store

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// takeAnswer is the option of an operation that moves the body of a successful answer to
// a buffer. The SDK is left an empty body, which it takes for an empty list.
func takeAnswer(to *bytes.Buffer) func(*s3.Options) {
	return onAnswer(func(r *smithyhttp.Response) error {
		_, err := to.ReadFrom(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(strings.NewReader(""))
		return err
	})
}

// copyAnswer is the option of an operation that copies the body of a successful answer.
func copyAnswer(to *bytes.Buffer) func(*s3.Options) {
	return onAnswer(func(r *smithyhttp.Response) error {
		_, err := to.ReadFrom(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(to.Bytes()))
		return err
	})
}

// wantRoot is the option of an operation that fails unless a successful answer is an XML document
// of this name. The SDK takes any other one, as the page of a proxy, for an answer with nothing in
// it.
func wantRoot(name string) func(*s3.Options) {
	return onAnswer(func(r *smithyhttp.Response) error {
		var body bytes.Buffer
		_, err := body.ReadFrom(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(&body)
		if err != nil {
			return err
		}
		for d := xml.NewDecoder(bytes.NewReader(body.Bytes())); ; {
			token, err := d.Token()
			if err != nil {
				return fmt.Errorf("the answer is no %s: %w", name, err)
			}
			if root, ok := token.(xml.StartElement); ok && root.Name.Local != name {
				return &wrongRootError{root.Name.Local, name}
			} else if ok {
				return nil
			}
		}
	})
}

// A wrongRootError is a successful answer that is another document than the one that was asked for.
type wrongRootError struct{ root, want string }

func (e *wrongRootError) Error() string {
	return fmt.Sprintf("the answer is a document of %q, not of %q", e.root, e.want)
}

// onAnswer is the option of an operation that gives successful answers to use before the SDK
// decodes them.
func onAnswer(use func(*smithyhttp.Response) error) func(*s3.Options) {
	on := middleware.DeserializeMiddlewareFunc("OnAnswer", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		r, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || r.StatusCode != 200 {
			return out, metadata, err
		}
		return out, metadata, use(r)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			// Right below the decoder, hence above what finds errors inside of a 200.
			return stack.Deserialize.Insert(on, "OperationDeserializer", middleware.After)
		})
	}
}
