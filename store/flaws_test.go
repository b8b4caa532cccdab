package store

import (
	"slices"
	"testing"
)

func TestFlawsAreReadAsTheyAreWritten(t *testing.T) {
	for f := range Flaws(1) << len(flawNames) {
		got, err := ParseFlaws(f.Names())
		if err != nil || got != f {
			t.Fatalf("%s is read as %s, %v", f, got, err)
		}
	}
	if got, want := (WrongHistory | PutConditions).Names(), []string{"put-conditions", "history"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := ParseFlaws([]string{"reads", "gravity"}); err == nil {
		t.Error("an unknown flaw was read")
	}
}
