package flatstore

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	crc32     = types.ChecksumAlgorithmCrc32
	crc32c    = types.ChecksumAlgorithmCrc32c
	sha1      = types.ChecksumAlgorithmSha1
	sha256    = types.ChecksumAlgorithmSha256
	crc64nvme = types.ChecksumAlgorithmCrc64nvme
)

// algorithms are those we keep. S3 has more since 2026; they are refused.
var algorithms = []types.ChecksumAlgorithm{crc32, crc32c, sha1, sha256, crc64nvme}

// A checksum is what is kept of the client's own check of an object.
type checksum struct {
	Algorithm types.ChecksumAlgorithm `json:"algorithm"`
	Type      types.ChecksumType      `json:"type,omitempty"`
	Value     string                  `json:"value"`
}

// in gives the value if the algorithm is a, for the answers, which have a field each.
func (c checksum) in(a types.ChecksumAlgorithm) *string {
	if c.Algorithm != a || c.Value == "" {
		return nil
	}
	return &c.Value
}

// given picks the checksum that a request carries, from its fields in the order of
// algorithms.
func given(values ...*string) checksum {
	for i, v := range values {
		if v != nil && *v != "" {
			return checksum{Algorithm: algorithms[i], Value: *v}
		}
	}
	return checksum{}
}

func hashType(a types.ChecksumAlgorithm) utils.HashType {
	return utils.HashType(strings.ToLower(string(a)))
}

func checkAlgorithm(a types.ChecksumAlgorithm) error {
	if a == "" {
		return nil
	}
	for _, k := range algorithms {
		if a == k {
			return nil
		}
	}
	return s3err.GetAPIError(s3err.ErrInvalidChecksumAlgorithm)
}

// combine makes the checksum of a whole from those of its parts.
func combine(algorithm types.ChecksumAlgorithm, kind types.ChecksumType, sums []string, sizes []int64) (checksum, error) {
	c := checksum{Algorithm: algorithm, Type: kind}
	if kind == types.ChecksumTypeComposite {
		r, err := utils.NewCompositeChecksumReader(hashType(algorithm))
		if err != nil {
			return c, fmt.Errorf("combining checksums: %w", err)
		}
		for _, s := range sums {
			if err := r.Process(s); err != nil {
				return c, fmt.Errorf("combining checksums: %w", err)
			}
		}
		c.Value = fmt.Sprintf("%s-%d", r.Sum(), len(sums))
		return c, nil
	}
	for i, s := range sums {
		if i == 0 {
			c.Value = s
			continue
		}
		var err error
		if c.Value, err = utils.AddCRCChecksum(algorithm, c.Value, s, sizes[i]); err != nil {
			return c, fmt.Errorf("combining checksums: %w", err)
		}
	}
	return c, nil
}

// missingPartSum is the answer to a CompleteMultipartUpload that does not repeat the
// checksum of a part, where CreateMultipartUpload announced checksums.
func missingPartSum(a types.ChecksumAlgorithm, number int32) error {
	return s3err.APIError{
		Code: "InvalidRequest",
		Description: fmt.Sprintf("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(string(a)), number),
		HTTPStatusCode: http.StatusBadRequest,
	}
}
