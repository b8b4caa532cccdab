package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/chaos"
)

// TestChaos is one run of the random model of everything at once (package chaos).
// SEMANTICS G1, G2, G4, G5
func TestChaos(t *testing.T) {
	t.Parallel()
	runChaos(t, chaosSeed(t, rand.Uint64N(1_000_000)), 45*time.Second)
}

// TestSoakChaos is five minutes of it.
func TestSoakChaos(t *testing.T) { chaosRounds(t, 5*time.Minute) }

// TestLongChaos is as much of it as LATCHFS_CHAOS_FOR says.
func TestLongChaos(t *testing.T) {
	limit, err := time.ParseDuration(os.Getenv("LATCHFS_CHAOS_FOR"))
	if err != nil {
		limit = time.Minute
	}
	chaosRounds(t, limit)
}

// chaosRounds makes runs of about a minute, each with a bucket, hosts and a seed of its own.
func chaosRounds(t *testing.T, limit time.Duration) {
	const round = time.Minute
	for end := time.Now().Add(limit); time.Now().Before(end) && !t.Failed(); {
		seed := chaosSeed(t, rand.Uint64N(1_000_000))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runChaos(t, seed, min(round, limit)) })
	}
}

func runChaos(t *testing.T, seed uint64, d time.Duration) {
	chaos.Run(suite.New(t), chaos.Plan{Seed: seed, For: d, Hosts: []string{"one", "two", "three"}, Workers: 2})
}

// chaosSeed gives the seed that LATCHFS_CHAOS_SEED asks for, else its own.
func chaosSeed(t *testing.T, own uint64) uint64 {
	text := os.Getenv("LATCHFS_CHAOS_SEED")
	if text == "" {
		return own
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("LATCHFS_CHAOS_SEED: %v", err)
	}
	return seed
}
