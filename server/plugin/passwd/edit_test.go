package passwd

import (
	"errors"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	for name, tt := range map[string][2]string{
		"empty":        {"", "bob:H\n"},
		"BOM":          {"\ufeff", "\ufeffbob:H\n"},
		"add":          {"a:1\n", "a:1\nbob:H\n"},
		"no newline":   {"a:1", "a:1\nbob:H\n"},
		"replace":      {"# c\na:1\nbob:2\n\nc:3", "# c\na:1\nbob:H\n\nc:3"},
		"replace last": {"a:1\nbob:2", "a:1\nbob:H"},
		"CRLF":         {"a:1\r\nbob:2\r\nc:3\r\n", "a:1\r\nbob:H\r\nc:3\r\n"},
		"twice":        {"bob:1\na:2\nbob:3\n", "bob:H\na:2\n"},
		"after BOM":    {"\ufeffbob:1\n", "\ufeffbob:H\n"},
		"comment":      {"#bob:1\nbob\nbobby:2\n", "#bob:1\nbob\nbobby:2\nbob:H\n"},
	} {
		got, err := Set([]byte(tt[0]), "bob", "H")
		if err != nil || string(got) != tt[1] {
			t.Errorf("%s: %q %v, want %q", name, got, err, tt[1])
		}
	}
	for _, user := range []string{"", "a:b", "#a", "a\n", "a\rb", "a\x00", "\xff", "\ufeffa", strings.Repeat("x", 1023)} {
		if _, err := Set(nil, user, "H"); err == nil {
			t.Errorf("%q is taken", user)
		}
	}
	if _, err := Set(nil, strings.Repeat("x", 1022), "H"); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	for name, tt := range map[string]struct {
		in, out string
		found   bool
	}{
		"only":    {"bob:1\n", "", true},
		"middle":  {"# c\r\na:1\r\nbob:2\r\nc:3", "# c\r\na:1\r\nc:3", true},
		"last":    {"a:1\nbob:2", "a:1\n", true},
		"all":     {"bob:1\na:2\nbob:3\n", "a:2\n", true},
		"absent":  {"\ufeffa:1\nbob\n#bob:1\n\n", "\ufeffa:1\nbob\n#bob:1\n\n", false},
		"BOM":     {"\ufeffbob:1\na:1", "\ufeffa:1", true},
		"nothing": {"", "", false},
	} {
		out, found := Delete([]byte(tt.in), "bob")
		if string(out) != tt.out || found != tt.found {
			t.Errorf("%s: %q %v, want %q", name, out, found, tt.out)
		}
	}
	if _, found := Delete([]byte("\nx\n#:1\n"), ""); found {
		t.Error("a user without a name is found")
	}
}

func TestHashAll(t *testing.T) {
	hash := func(p []byte) (string, error) { return "<" + string(p) + ">", nil }
	in := "\ufeff# note: x\r\na:1\r\nno colon\r\n" + captured + "\r\n\r\nc: p w "
	want := "\ufeff# note: x\r\na:<1>\r\nno colon\r\n" + captured + "\r\n\r\nc:< p w >"
	out, already, err := HashAll("f", []byte(in), hash)
	if string(out) != want || already != 1 || err != nil {
		t.Errorf("%q %d %v, want %q", out, already, err, want)
	}
	for in, wrong := range map[string]string{
		"a:1\nb:":           "f:2: the password is empty",
		"a:1\nb:c:d\nc:1":   "f:2: a password with a colon",
		"x\n:1":             "f:2: a user name is missing",
		"a:" + bcryptLine:   "f:1: a password with a colon",
		"a:no\nb:1":         "f:1: no",
		"a\xff:1":           "f:1: a user name must be UTF-8",
		"a\x00:1\nb:2\nc:3": "f:1: a user name must be UTF-8",
	} {
		_, _, err := HashAll("f", []byte(in), func(p []byte) (string, error) {
			if string(p) == "no" {
				return "", errors.New("no")
			}
			return "H", nil
		})
		if err == nil || !strings.HasPrefix(err.Error(), wrong) {
			t.Errorf("%q: %v, want %s", in, err, wrong)
		}
	}
}
