package serve

import (
	"fmt"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"

	"github.com/latchfs/latchfs/integration/localserver/flatstore"
)

const (
	maxConnections = 4096
	maxRequests    = 4096
)

// newFront makes the protocol front: versitygw's, over our store.
func newFront(s *flatstore.Store, a Access, listening func()) (*s3api.S3ApiServer, error) {
	account := auth.Account{Access: a.AccessKey, Secret: a.SecretKey, Role: auth.RoleAdmin}
	front, err := s3api.New(s,
		middlewares.RootUserConfig{Access: a.AccessKey, Secret: a.SecretKey}, a.Region,
		oneUser{auth.NewIAMServiceSingle(account)}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(),
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests),
		s3api.WithMpMaxParts(10000),
		s3api.WithMiddleware("/", flatstore.OrderVersions),
		s3api.WithOnListen(listening),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the S3 front: %w", err)
	}
	return front, nil
}

// oneUser knows the owner of the folder and nobody else. The wrapped service would
// answer 404 to an unknown access key, where S3 answers 403 InvalidAccessKeyId.
type oneUser struct{ auth.IAMService }

func (u oneUser) GetUserAccount(access string) (auth.Account, error) {
	a, err := u.IAMService.GetUserAccount(access)
	if err != nil {
		return a, auth.ErrNoSuchUser
	}
	return a, nil
}
