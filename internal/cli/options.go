package cli

import (
	"regexp"
	"slices"
	"strings"
)

// optionWords is the value of -o as mount(8) has it: words with commas between, NAME or NAME=VALUE.
// A comma in a value is written \, and a backslash before a comma or a backslash is written \\.
type optionWords []string

// Set adds the words of one -o. It never fails: the library's error would show the value, which may
// hold a secret.
func (o *optionWords) Set(s string) error {
	*o = append(*o, splitOptions(s)...)
	return nil
}

// String gives the form that Set reads.
func (o *optionWords) String() string {
	escaped := make([]string, len(*o))
	for i, w := range *o {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(w)
	}
	return strings.Join(escaped, ",")
}

func splitOptions(s string) []string {
	var words []string
	var word []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == ',' || s[i+1] == '\\'):
			i++
			word = append(word, s[i])
		case s[i] == ',':
			words, word = append(words, string(word)), nil
		default:
			word = append(word, s[i])
		}
	}
	words = append(words, string(word))
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// cutOption cuts a word into its name, as the table of options has it, and its value.
func cutOption(word string) (name, value string, hasValue bool) {
	name, value, hasValue = strings.Cut(word, "=")
	return strings.ReplaceAll(name, "_", "-"), value, hasValue
}

// envPrefix begins a word that sets an environment variable of the mount's process.
const envPrefix = "env."

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// takeEnv takes out the words env.NAME=VALUE and gives what they set, as NAME=VALUE.
func (o optionWords) takeEnv() (env []string, rest optionWords, err error) {
	for _, w := range o {
		set, ok := strings.CutPrefix(w, envPrefix)
		if !ok {
			rest = append(rest, w)
			continue
		}
		name, _, hasValue := strings.Cut(set, "=")
		if !hasValue || !envName.MatchString(name) {
			return nil, nil, usagef("-o %s%s sets no environment variable: write %sNAME=VALUE", envPrefix, name, envPrefix)
		}
		env = append(env, set)
	}
	return env, rest, nil
}
