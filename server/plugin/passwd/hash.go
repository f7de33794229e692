package passwd

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// kind is the form of a stored hash.
type kind byte

const (
	vmq kind = iota + 1
	blowfish
	argon
)

const (
	vmqPrefix   = "$6$"
	argonPrefix = "$argon2id$"

	vmqSaltSize = 12 // of new hashes
	vmqMaxSalt  = 64

	bcryptSize    = 60
	bcryptCost    = 10 // of new hashes
	bcryptMaxCost = 14 // about a second
	bcryptMaxText = 72 // the bytes of a password that bcrypt looks at
)

// Hashes are the names that Hash knows; the first one is VerneMQ's.
func Hashes() []string { return []string{"vmq", "bcrypt", "argon2id"} }

// Hash makes the text that a password file holds for a password.
func Hash(name string, password []byte) (string, error) {
	switch name {
	case "vmq":
		salt := randomBytes(vmqSaltSize)
		return vmqPrefix + base64.StdEncoding.EncodeToString(salt) + "$" +
			base64.StdEncoding.EncodeToString(vmqDigest(password, salt)), nil
	case "bcrypt":
		if len(password) > bcryptMaxText {
			return "", fmt.Errorf("cannot hash the password: bcrypt takes at most %d bytes", bcryptMaxText)
		}
		text, err := bcrypt.GenerateFromPassword(password, bcryptCost)
		if err != nil {
			return "", fmt.Errorf("cannot hash the password: %w", err)
		}
		return string(text), nil
	case "argon2id":
		return newArgonHash(password), nil
	}
	return "", fmt.Errorf("unknown hash %q: it is one of %s", name, strings.Join(Hashes(), ", "))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// Hashed tells whether a text is a hash that a password file may hold.
func Hashed(text []byte) bool {
	_, _, err := parseHash(text, nil)
	return err == nil
}

// parseHash checks a hash and appends to dst what a table keeps of it.
func parseHash(text, dst []byte) (kind, []byte, error) {
	switch {
	case bytes.HasPrefix(text, []byte(vmqPrefix)):
		dst, err := parseVMQ(text[len(vmqPrefix):], dst)
		return vmq, dst, err
	case bytes.HasPrefix(text, []byte(argonPrefix)):
		_, err := parseArgon(text[len(argonPrefix):])
		return argon, append(dst, text[len(argonPrefix):]...), err
	case bytes.HasPrefix(text, []byte("$2a$")), bytes.HasPrefix(text, []byte("$2b$")), bytes.HasPrefix(text, []byte("$2y$")):
		return blowfish, append(dst, text...), checkBcrypt(text)
	case bytes.HasPrefix(text, []byte("$")):
		return 0, dst, errors.New("unknown kind of hash: $6$, bcrypt and argon2id are known")
	}
	return 0, dst, errors.New("a hash was expected after the colon (vmq-passwd -U turns passwords into hashes)")
}

// parseVMQ appends digest and salt of SALT$DIGEST.
func parseVMQ(text, dst []byte) ([]byte, error) {
	salt, digest, ok := bytes.Cut(text, []byte{'$'})
	if !ok {
		return dst, errors.New("$6$SALT$DIGEST was expected")
	}
	dst, n := appendBase64(dst, digest)
	if n != sha512.Size {
		return dst, errors.New("the digest is not base64 of 64 bytes")
	}
	dst, n = appendBase64(dst, salt)
	if n < 1 || n > vmqMaxSalt {
		return dst, fmt.Errorf("the salt is not base64 of 1 to %d bytes", vmqMaxSalt)
	}
	return dst, nil
}

var strict64 = base64.StdEncoding.Strict()

// appendBase64 appends what text stands for, and tells how many bytes that is;
// -1 when text is not base64.
func appendBase64(dst, text []byte) ([]byte, int) {
	old := len(dst)
	dst, err := strict64.AppendDecode(dst, text)
	n := len(dst) - old
	if err != nil || strict64.EncodedLen(n) != len(text) { // the decoder skips CR
		return dst, -1
	}
	return dst, n
}

// vmqDigest is VerneMQ's hash: one round over the password and then the salt.
func vmqDigest(password, salt []byte) []byte {
	h := sha512.New()
	h.Write(password)
	h.Write(salt)
	return h.Sum(nil)
}

func checkBcrypt(text []byte) error {
	if len(text) != bcryptSize {
		return fmt.Errorf("a bcrypt hash has %d characters", bcryptSize)
	}
	cost, err := bcrypt.Cost(text)
	if err != nil || cost < bcrypt.MinCost || cost > bcryptMaxCost {
		return fmt.Errorf("the cost of a bcrypt hash must be from %d to %d", bcrypt.MinCost, bcryptMaxCost)
	}
	if bytes.ContainsFunc(text[7:], notBcrypt) || text[6] != '$' {
		return errors.New("the bcrypt hash has a character that none can have")
	}
	return nil
}

func notBcrypt(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '.' || r > '9')
}

// verify compares a password with what parseHash keeps, taking the same time
// whether it is right or wrong.
func verify(k kind, stored, password []byte) bool {
	switch k {
	case vmq:
		return subtle.ConstantTimeCompare(vmqDigest(password, stored[sha512.Size:]), stored[:sha512.Size]) == 1
	case blowfish:
		// Whoever is sent away for the length must not notice it by the time.
		fits := len(password) <= bcryptMaxText
		return bcrypt.CompareHashAndPassword(stored, password[:min(len(password), bcryptMaxText)]) == nil && fits
	case argon:
		return verifyArgon(stored, password)
	}
	return false
}
