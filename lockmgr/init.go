package lockmgr

import (
	"context"
	"crypto/rand"
	"errors"
)

// InitTable is Table.Init for a backend that can read its configuration and make one: write
// creates the table if it is not there, and writes the configuration if there is none.
func InitTable(ctx context.Context, wish Config, read func(context.Context) (Config, error), write func(context.Context, Config) error) (cfg Config, created bool, err error) {
	wish.Schema = Schema
	if wish.ID == "" {
		wish.ID = rand.Text()
	}
	if err := wish.Validate(); err != nil {
		return Config{}, false, err
	}
	have, err := read(ctx)
	if err == nil {
		// The id of the wish is there if it was an earlier try of the caller's that made it.
		return have, have.ID == wish.ID, have.Agree(wish)
	}
	if !errors.Is(err, ErrNoTable) {
		return Config{}, false, err
	}
	if err := write(ctx, wish); err != nil {
		return Config{}, false, err
	}
	// Read back: another init may have been first, with other times.
	have, err = read(ctx)
	if err != nil {
		return Config{}, false, err
	}
	return have, have.ID == wish.ID, have.Agree(wish)
}
