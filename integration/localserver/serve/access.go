package serve

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

const region = "us-east-1"

// An Access is the content of server.json: all that a client needs.
type Access struct {
	Address   string `json:"address"` // 127.0.0.1:port
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Region    string `json:"region"`
	PID       int    `json:"pid"` // of the server that wrote it
}

// loadAccess reads server.json, or makes up what a new folder starts with.
func loadAccess(dir string) (Access, error) {
	var a Access
	path := filepath.Join(dir, accessFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return a, err
	default:
		if err := json.Unmarshal(b, &a); err != nil {
			return a, fmt.Errorf("reading %s (remove it to get new keys): %w", path, err)
		}
	}
	if a.AccessKey == "" || a.SecretKey == "" {
		a.AccessKey, a.SecretKey = newKey("LOCAL", 8), newKey("", 20)
	}
	a.Region, a.PID = region, os.Getpid()
	return a, nil
}

func newKey(prefix string, n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return prefix + hex.EncodeToString(b)
}

// save writes server.json in one step.
func (a Access) save(dir string) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, accessFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, accessFile))
}

// port is the one of Address, 0 if there is none.
func (a Access) port() int {
	_, p, err := net.SplitHostPort(a.Address)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(p)
	return n
}
