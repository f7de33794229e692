package scram

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"vernemq/server/plugin/reload"
)

// verifier is what a server keeps of a password.
type verifier struct {
	iterations           int
	salt                 []byte
	storedKey, serverKey []byte
}

const (
	prefix        = "SCRAM-SHA-256$"
	minIterations = 4096
	maxIterations = 10_000_000 // the client has to compute them
	maxSalt       = 64
	maxLine       = 1024
	saltSize      = 16
)

// Verifier makes the text that the file holds for a password.
func Verifier(password string) (string, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	v, err := newVerifier(password, salt, minIterations)
	if err != nil {
		return "", err
	}
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", prefix, v.iterations, b(v.salt), b(v.storedKey), b(v.serverKey)), nil
}

func newVerifier(password string, salt []byte, iterations int) (*verifier, error) {
	salted, err := saltedPassword(password, salt, iterations)
	if err != nil {
		return nil, err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return &verifier{iterations, salt, stored[:], mac(salted, "Server Key")}, nil
}

func saltedPassword(password string, salt []byte, iterations int) ([]byte, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("cannot derive a key: %w", err)
	}
	return salted, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// table are the users of a file.
type table struct {
	users map[string]*verifier
	// like is what users that are not there look like: the first one that is. It
	// also makes their salts, which are others than before when it changes.
	like *verifier
}

func newTable() *table {
	like := &verifier{iterations: minIterations, salt: make([]byte, saltSize), serverKey: make([]byte, sha256.Size)}
	_, _ = rand.Read(like.serverKey) // never fails
	return &table{map[string]*verifier{}, like}
}

// parse reads a file. A bad line is an error that names it.
func parse(name string, text []byte) (*table, error) {
	t := newTable()
	for line := range reload.Lines(text) {
		if len(line.Text) == 0 || line.Text[0] == '#' {
			continue
		}
		err := line.Check(maxLine)
		if err == nil {
			err = t.add(line.Text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line.Number, err)
		}
	}
	return t, nil
}

func (t *table) add(line []byte) error {
	user, rest, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(user) == 0 {
		return errors.New("USER:" + prefix + "… was expected")
	}
	if t.users[string(user)] != nil {
		return fmt.Errorf("user %q is there twice", user)
	}
	v, err := parseVerifier(rest)
	if err != nil {
		return err
	}
	if len(t.users) == 0 {
		t.like = v
	}
	t.users[string(user)] = v
	return nil
}

func parseVerifier(text []byte) (*verifier, error) {
	rest, ok := bytes.CutPrefix(text, []byte(prefix))
	if !ok {
		return nil, errors.New(prefix + " was expected after the user")
	}
	front, keys, ok := bytes.Cut(rest, []byte{'$'})
	iterations, salt, ok2 := bytes.Cut(front, []byte{':'})
	stored, server, ok3 := bytes.Cut(keys, []byte{':'})
	if !ok || !ok2 || !ok3 {
		return nil, errors.New("ITERATIONS:SALT$STOREDKEY:SERVERKEY was expected")
	}
	v := &verifier{}
	var err error
	if v.iterations, err = strconv.Atoi(string(iterations)); err != nil || v.iterations < minIterations || v.iterations > maxIterations {
		return nil, fmt.Errorf("iterations must be from %d to %d", minIterations, maxIterations)
	}
	for _, x := range []struct {
		to         *[]byte
		text       []byte
		least, max int
	}{{&v.salt, salt, 1, maxSalt}, {&v.storedKey, stored, sha256.Size, sha256.Size}, {&v.serverKey, server, sha256.Size, sha256.Size}} {
		b, err := base64.StdEncoding.Strict().DecodeString(string(x.text))
		if err != nil || len(b) < x.least || len(b) > x.max {
			return nil, errors.New("salt and keys must be base64 of the right length")
		}
		*x.to = b
	}
	return v, nil
}
