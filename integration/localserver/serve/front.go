package serve

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"

	"github.com/latchfs/latchfs/integration/localserver/flatstore"
)

const (
	maxConnections = 4096
	maxRequests    = 4096
)

// newFront makes the protocol front: versitygw's, over our store. It is given as the app
// that it consists of, so that it serves on a listener of ours.
func newFront(s *flatstore.Store, a Access) (*fiber.App, error) {
	account := auth.Account{Access: a.AccessKey, Secret: a.SecretKey, Role: auth.RoleAdmin}
	front, err := s3api.New(s,
		middlewares.RootUserConfig{Access: a.AccessKey, Secret: a.SecretKey}, a.Region,
		oneUser{auth.NewIAMServiceSingle(account)}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(),
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests),
		s3api.WithMpMaxParts(10000),
		s3api.WithMiddleware("/", flatstore.OrderVersions),
	)
	if err != nil {
		return nil, fmt.Errorf("starting the S3 front: %w", err)
	}
	// versitygw serves only on listeners that it makes itself, and keeps the app in a
	// field that is not exported; its version is pinned.
	app := reflect.ValueOf(front).Elem().FieldByName("app")
	if !app.IsValid() || app.Type() != reflect.TypeFor[*fiber.App]() {
		return nil, errors.New("starting the S3 front: this version of versitygw has no field app")
	}
	return (*fiber.App)(app.UnsafePointer()), nil
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
