package flatstore

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// drainMax is how much of a refused body is read, so that the client gets to see the
// refusal: a connection that is closed under a sender is an answer lost.
const drainMax = 64 << 20

// A body is what a client sends.
type body struct {
	io.Reader
	length int64
	sum    checksum // as the headers give it; a trailer's comes with the reader
}

// A received body is staged and checked.
type received struct {
	*staged
	etag  string
	sum   checksum // the client's algorithm, or crc64nvme
	crc64 string   // if asked for
}

// algorithm is the one by which the client wants the body checked, "" if it does not.
func (b body) algorithm() types.ChecksumAlgorithm {
	if a := b.trailer(); a != "" {
		return a
	}
	return b.sum.Algorithm
}

func (b body) trailer() types.ChecksumAlgorithm {
	if r, ok := b.Reader.(middlewares.ChecksumReader); ok {
		return types.ChecksumAlgorithm(strings.ToUpper(r.Algorithm()))
	}
	return ""
}

// receive stages b, and checks length, checksum and signature. algorithm is the one to
// compute if the client names none; crc64 asks for that sum beside it.
func (s *Store) receive(b body, algorithm types.ChecksumAlgorithm, crc64 bool) (_ *received, err error) {
	if a := b.algorithm(); a != "" {
		algorithm = a
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return nil, err
	}
	sum := md5.New()
	counter := &hashing{r: b.Reader, h: sum}
	var r io.Reader = counter
	var own, second *utils.HashReader
	if b.trailer() == "" {
		if own, err = utils.NewHashReader(r, b.sum.Value, hashType(algorithm)); err != nil {
			return nil, err
		}
		r = own
	}
	if crc64 && algorithm != crc64nvme {
		if second, err = utils.NewHashReader(r, "", hashType(crc64nvme)); err != nil {
			return nil, err
		}
		r = second
	}
	staged, err := s.files.stage(r)
	if err != nil {
		return nil, receiveError(err)
	}
	// The readers take a connection that broke for the end of the body.
	if staged.size != b.length || counter.n != b.length {
		s.files.drop(staged)
		return nil, s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	got := &received{
		staged: staged,
		etag:   hex.EncodeToString(sum.Sum(nil)),
		sum:    checksum{Algorithm: algorithm, Type: types.ChecksumTypeFullObject},
	}
	if own != nil {
		got.sum.Value = own.Sum()
	} else {
		got.sum.Value = b.Reader.(middlewares.ChecksumReader).Checksum() // known at the end only
	}
	switch {
	case second != nil:
		got.crc64 = second.Sum()
	case crc64:
		got.crc64 = got.sum.Value
	}
	return got, nil
}

// receiveError turns a failure to receive a body into an answer.
func receiveError(err error) error {
	var answer s3err.S3Error
	var write *writeError
	switch {
	case errors.As(err, &answer):
		return answer
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	case errors.As(err, &write):
		return err
	}
	return s3err.GetAPIError(s3err.ErrIncompleteBody)
}

// refuse reads on before the refusal err is answered.
func refuse(ctx context.Context, r io.Reader, err error) error {
	if r != nil {
		io.CopyN(io.Discard, r, drainMax)
	}
	return err
}

// hashing counts and hashes what is read through it.
type hashing struct {
	r io.Reader
	h hash.Hash
	n int64
}

func (c *hashing) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.h.Write(p[:n])
	c.n += int64(n)
	return n, err
}
