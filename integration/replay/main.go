// Replay runs one test of one package so that all that is random in a synctest bubble is the same
// each time: the jitter of pauses, the case that a select takes, the order of timers that fire
// together and of the keys of a map. With one processor the order of goroutines is the same then,
// too, so that a failure of a random test comes back as often as it is run:
//
//	go run ./integration/replay ./fs/file -test.run 'TestModel$' -model.seed 17 -model.seeds 1 -model.trace
//
// It builds the test with a Go runtime in which a bubble has a random source of its own. The first
// build takes some minutes. Replay one seed in a process: what the runtime remembers of one makes the next differ.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An edit inserts text after the only place of a file of package runtime that reads so.
type edit struct{ file, after, text string }

var edits = []edit{
	{"rand.go", "func rand() uint64 {\n", "\tif b := bubbleNow(); b != nil {\n\t\treturn b.random()\n\t}\n"},
	{"rand.go", "func cheaprand() uint32 {\n", "\tif b := bubbleNow(); b != nil {\n\t\treturn uint32(b.random() >> 32)\n\t}\n"},
	// The hashes of maps have to be the same in each process.
	{"rand.go", "\t\t\treadTimeRandom(seed[:])\n\t\t}\n\t}\n", "\tclear(seed[:])\n"},
	// A goroutine goes on although the operating system has kept its thread waiting.
	{"proc.go", "const forcePreemptNS = 10 * 1000 * 1000", " * 1000"},
	{"synctest.go", "\troot    *g     // caller of synctest.Run\n", "\tchance  uint64\n"},
}

// source is added to rand.go: splitmix64.
const source = `
//go:nosplit
func bubbleNow() *synctestBubble {
	gp := getg()
	if gp.bubble == nil && gp.m != nil && gp == gp.m.g0 && gp.m.curg != nil {
		return gp.m.curg.bubble
	}
	return gp.bubble
}

//go:nosplit
func (b *synctestBubble) random() uint64 {
	b.chance += 0x9e3779b97f4a7c15
	z := b.chance
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: replay PACKAGE [FLAGS OF THE TEST]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run(pkg string, flags []string) error {
	dir, err := os.MkdirTemp("", "replay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := changedRuntime(dir)
	if err != nil {
		return err
	}
	test := filepath.Join(dir, "replay.test")
	if err := command("", "go", "test", "-c", "-overlay", overlay, "-o", test, pkg).Run(); err != nil {
		return fmt.Errorf("building the test: %w", err)
	}
	c := command(pkg, test, flags...)
	// No other thread may stop a goroutine, and no allocation may draw a number for the profiler.
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1,memprofilerate=0")
	return c.Run()
}

func command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, os.Stdout, os.Stderr
	return c
}

// changedRuntime writes the changed files of the runtime and the overlay that names them.
func changedRuntime(dir string) (overlay string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the Go runtime: %w", err)
	}
	runtime := filepath.Join(strings.TrimSpace(string(root)), "src", "runtime")
	texts := map[string]string{}
	for _, e := range edits {
		text, read := texts[e.file]
		if !read {
			b, err := os.ReadFile(filepath.Join(runtime, e.file))
			if err != nil {
				return "", err
			}
			text = string(b)
		}
		if strings.Count(text, e.after) != 1 {
			return "", fmt.Errorf("%s of this version of Go is not known: %q is not there once", e.file, e.after)
		}
		texts[e.file] = strings.Replace(text, e.after, e.after+e.text, 1)
	}
	texts["rand.go"] += source
	replace := map[string]string{}
	for file, text := range texts {
		changed := filepath.Join(dir, file)
		replace[filepath.Join(runtime, file)] = changed
		if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, b, 0o644)
}
