package passwd

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Bounds of argon2id. A file that was written by somebody else must not be able
// to make a check take minutes or the memory of the machine.
const (
	argonMaxMemory  = 256 << 10 // KiB
	argonMaxPasses  = 64
	argonMaxThreads = 16
	argonMaxWork    = 1 << 20 // KiB times passes: about a second
	argonMinSalt    = 8
	argonMinKey     = 16
	argonMaxBytes   = 64 // of salt and key
)

// Costs of new hashes: those that OWASP recommends, with little memory, as a
// broker may have to check many at once.
const (
	argonMemory   = 19 << 10 // KiB
	argonPasses   = 2
	argonThreads  = 1
	argonSaltSize = 16
	argonKeySize  = 32
)

var raw64 = base64.RawStdEncoding.Strict()

// argonHash is a hash taken apart.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

func newArgonHash(password []byte) string {
	salt := randomBytes(argonSaltSize)
	key := argon2.IDKey(password, salt, argonPasses, argonMemory, argonThreads, argonKeySize)
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argonPrefix, argon2.Version, argonMemory, argonPasses,
		argonThreads, raw64.EncodeToString(salt), raw64.EncodeToString(key))
}

var errArgon = errors.New("$argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$KEY was expected")

// parseArgon takes v=19$m=M,t=T,p=P$SALT$KEY apart.
func parseArgon(text []byte) (argonHash, error) {
	parts := bytes.Split(text, []byte{'$'})
	if len(parts) != 4 || string(parts[0]) != fmt.Sprintf("v=%d", argon2.Version) {
		return argonHash{}, errArgon
	}
	costs := bytes.Split(parts[1], []byte{','})
	if len(costs) != 3 {
		return argonHash{}, errArgon
	}
	m, ok1 := number(costs[0], "m=")
	t, ok2 := number(costs[1], "t=")
	p, ok3 := number(costs[2], "p=")
	if !ok1 || !ok2 || !ok3 {
		return argonHash{}, errArgon
	}
	if p < 1 || p > argonMaxThreads || t < 1 || t > argonMaxPasses || m < 8*p || m > argonMaxMemory || uint64(m)*uint64(t) > argonMaxWork {
		return argonHash{}, fmt.Errorf("costs of argon2id are out of bounds: p from 1 to %d, t from 1 to %d, m from 8 times p to %d, m times t at most %d",
			argonMaxThreads, argonMaxPasses, argonMaxMemory, argonMaxWork)
	}
	h := argonHash{memory: m, passes: t, threads: uint8(p)}
	var ok4, ok5 bool
	h.salt, ok4 = decodeRaw(parts[2], argonMinSalt)
	h.key, ok5 = decodeRaw(parts[3], argonMinKey)
	if !ok4 || !ok5 {
		return argonHash{}, fmt.Errorf("salt and key of argon2id must be base64, without =, of %d and %d to %d bytes", argonMinSalt, argonMinKey, argonMaxBytes)
	}
	return h, nil
}

// number reads a decimal number after its name. It has no sign, no leading zero
// and at most seven digits.
func number(text []byte, name string) (n uint32, ok bool) {
	digits, ok := bytes.CutPrefix(text, []byte(name))
	if !ok || len(digits) == 0 || len(digits) > 7 || digits[0] == '0' {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint32(c-'0')
	}
	return n, true
}

func decodeRaw(text []byte, least int) ([]byte, bool) {
	b, err := raw64.AppendDecode(nil, text)
	return b, err == nil && len(b) >= least && len(b) <= argonMaxBytes && raw64.EncodedLen(len(b)) == len(text)
}

func verifyArgon(stored, password []byte) bool {
	h, err := parseArgon(stored)
	if err != nil {
		return false
	}
	key := argon2.IDKey(password, h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}
