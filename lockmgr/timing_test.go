package lockmgr

import (
	"errors"
	"testing"
	"time"
)

// Times with which the protocol would not be safe or not live are refused, each at its limit.
func TestTimingValidate(t *testing.T) {
	for _, tt := range []struct {
		beat, lease, delay time.Duration
		ok                 bool
	}{
		{3 * time.Second, 12 * time.Second, time.Second, true},
		{3 * time.Second, 12*time.Second - 1, time.Second, false},
		{3 * time.Second, 12 * time.Second, time.Second - 1, false},
		{0, 12 * time.Second, time.Second, false},
		{-1, 12 * time.Second, time.Second, false},
		{time.Millisecond, 4 * time.Millisecond, time.Second, true},
		{1, 4, time.Second, false}, // a table would keep 0
		{3*time.Second + 1, 13 * time.Second, time.Second, false},
		{3 * time.Second, 13*time.Second + 1, time.Second, false},
		{3 * time.Second, 13 * time.Second, time.Second + 1, false},
	} {
		if err := (Timing{tt.beat, tt.lease, tt.delay}).Validate(); (err == nil) != tt.ok {
			t.Errorf("beat %s, lease %s, delay %s: %v", tt.beat, tt.lease, tt.delay, err)
		}
	}
}

// A table that a newer program made, or that is damaged, is nothing to work with.
func TestConfigCheck(t *testing.T) {
	good := Config{Schema: Schema, ID: "t", Timing: Timing{3 * time.Second, 20 * time.Second, 30 * time.Second}}
	if err := good.Check(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for name, spoil := range map[string]func(*Config){
		"newer":   func(c *Config) { c.Schema++ },
		"none":    func(c *Config) { c.Schema = 0 },
		"no id":   func(c *Config) { c.ID = "" },
		"unsafe":  func(c *Config) { c.Lease = c.Beat },
		"no time": func(c *Config) { c.Timing = Timing{} },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); !errors.Is(err, ErrForeignTable) {
			t.Errorf("%s: %v, want ErrForeignTable", name, err)
		}
	}
}
