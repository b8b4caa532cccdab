package bytesize

import "testing"

func TestParse(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "512": 512, "1K": 1 << 10, "1k": 1 << 10, "500M": 500 << 20, "20G": 20 << 30, "20GiB": 20 << 30,
		"20GB": 20 << 30, "3T": 3 << 40, "7B": 7, "8388607T": 8388607 << 40,
	} {
		if got, err := Parse(in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "-1", "1.5G", "G", "1X", "1GG", "1iB5", "8388608T", "9223372036854775808", " 1", "1 G", "80%"} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q is read as %d", in, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for in, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := Format(in); got != want {
			t.Errorf("%d: %q, want %q", in, got, want)
		}
	}
}
