package volume

import (
	"os"
	"os/user"
	"strconv"
)

// UserName names the calling user, for people on other hosts.
func UserName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
