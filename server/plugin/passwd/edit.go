package passwd

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"vernemq/server/plugin/reload"
)

// The functions below change the text of a password file. Lines that they do
// not have to change stay as they are, byte for byte and in their order.

var bom = []byte("\ufeff")

// ValidUser tells why a password file cannot hold a user name.
func ValidUser(user string) error {
	switch {
	case user == "":
		return errors.New("a user name is missing")
	case strings.Contains(user, ":"):
		return errors.New("a user name must not contain a colon")
	case strings.HasPrefix(user, "#"):
		return errors.New("a user name must not begin with #: the line would be a comment")
	case strings.ContainsAny(user, "\n\r\x00") || !utf8.ValidString(user) || strings.HasPrefix(user, string(bom)):
		return errors.New("a user name must be UTF-8 without line breaks, U+0000 and a byte order mark")
	}
	return nil
}

// Set replaces the hash of a user, or adds the user at the end. Further lines of
// the same user go.
func Set(text []byte, user, hash string) ([]byte, error) {
	if err := ValidUser(user); err != nil {
		return nil, err
	}
	line := user + ":" + hash
	if len(line) > MaxLine {
		return nil, fmt.Errorf("the line of the user would be longer than %d bytes", MaxLine)
	}
	done := false
	out := edit(text, func(l, end []byte, out []byte) []byte {
		if string(userOf(l)) != user {
			return append(append(out, l...), end...)
		}
		if done {
			return out
		}
		done = true
		return append(append(out, line...), end...)
	})
	if done {
		return out, nil
	}
	if n := len(out); n > 0 && out[n-1] != '\n' && !bytes.Equal(out, bom) {
		out = append(out, '\n')
	}
	return append(append(out, line...), '\n'), nil
}

// Delete takes all lines of a user away, and tells whether there was one.
func Delete(text []byte, user string) (out []byte, found bool) {
	out = edit(text, func(l, end []byte, out []byte) []byte {
		if owner := userOf(l); owner != nil && string(owner) == user {
			found = true
			return out
		}
		return append(append(out, l...), end...)
	})
	return out, found
}

// HashAll puts a hash in the place of each password. Comments and lines without
// a colon stay, and so do hashes: hashing them again would lock everybody out.
// It tells how many hashes there were.
func HashAll(name string, text []byte, hash func(password []byte) (string, error)) (out []byte, already int, err error) {
	number := 0
	out = edit(text, func(l, end []byte, out []byte) []byte {
		number++
		if err != nil {
			return out
		}
		user, password, ok := bytes.Cut(l, []byte{':'})
		switch {
		case !ok || Comment(l):
			return append(append(out, l...), end...)
		case Hashed(password):
			already++
			return append(append(out, l...), end...)
		}
		var h string
		if err = plainLine(user, password); err == nil {
			h, err = hash(password)
		}
		if err == nil && len(user)+1+len(h) > MaxLine {
			err = fmt.Errorf("the line would be longer than %d bytes", MaxLine)
		}
		if err != nil {
			err = fmt.Errorf("%s:%d: %w", name, number, err)
			return out
		}
		return append(append(append(append(out, user...), ':'), h...), end...)
	})
	return out, already, err
}

func plainLine(user, password []byte) error {
	if err := ValidUser(string(user)); err != nil {
		return err
	}
	switch {
	case len(password) == 0:
		return errors.New("the password is empty")
	case bytes.IndexByte(password, ':') >= 0:
		return errors.New("a password with a colon cannot be told from a user name with one")
	}
	return nil
}

// edit calls f for each line, with the line's end apart, and gives what f makes
// of them. A byte order mark stays in front.
func edit(text []byte, f func(line, end []byte, out []byte) []byte) []byte {
	out := make([]byte, 0, len(text)+MaxLine)
	if bytes.HasPrefix(text, bom) {
		out = append(out, bom...)
		text = text[len(bom):]
	}
	for l := range reload.Lines(text) {
		size := len(l.Text)
		end := text[size:]
		if i := bytes.IndexByte(end, '\n'); i >= 0 {
			end = end[:i+1]
		}
		out = f(l.Text, end, out)
		text = text[size+len(end):]
	}
	return out
}
