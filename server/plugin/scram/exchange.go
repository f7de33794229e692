package scram

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// exchange is the server's side of one authentication (RFC 5802, section 5).
type exchange struct {
	user     string // as the client says
	proven   bool   // it has shown that it is
	verifier *verifier
	known    bool   // the verifier is the user's; else nothing fits it
	header   string // gs2-header
	bare     string // client-first-message-bare
	first    string // server-first-message
	nonce    string
}

var (
	errMessage  = errors.New("message is not as SCRAM has it")
	errBinding  = errors.New("channel binding is not served")
	errExtended = errors.New("an extension is not known")
	errIdentity = errors.New("clients act for themselves only")
	errProof    = errors.New("user or password is wrong")
)

// nonceSize is the number of random bytes in a nonce.
const nonceSize = 18

// begin takes the client's first message and gives the server's.
func (x *exchange) begin(message string, find func(string) (*verifier, bool)) (string, error) {
	flag, rest, ok := strings.Cut(message, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	switch {
	case !ok || !ok2:
		return "", errMessage
	case strings.HasPrefix(flag, "p="):
		return "", errBinding
	case flag != "n" && flag != "y":
		return "", errMessage
	}
	if strings.HasPrefix(bare, "m=") {
		return "", errExtended
	}
	fields := strings.Split(bare, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") || len(fields[1]) == 2 {
		return "", errMessage
	}
	user, ok := unescape(fields[0][2:])
	if !ok || user == "" {
		return "", errMessage
	}
	if authzid != "" && authzid != "a="+fields[0][2:] {
		return "", errIdentity
	}
	var random [nonceSize]byte
	_, _ = rand.Read(random[:]) // never fails
	x.user, x.header, x.bare = user, flag+","+authzid+",", bare
	x.verifier, x.known = find(user)
	x.nonce = fields[1][2:] + base64.StdEncoding.EncodeToString(random[:])
	x.first = fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString(x.verifier.salt), x.verifier.iterations)
	return x.first, nil
}

// unescape reads a saslname.
func unescape(s string) (string, bool) {
	plain := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s)
	left := strings.ReplaceAll(strings.ReplaceAll(s, "=2C", ""), "=3D", "")
	return plain, !strings.Contains(left, "=")
}

// finish takes the client's proof and gives the server's.
func (x *exchange) finish(message string) (string, error) {
	without, proofText, ok := cutLast(message, ",p=")
	if !ok {
		return "", errMessage
	}
	fields := strings.Split(without, ",")
	want := "c=" + base64.StdEncoding.EncodeToString([]byte(x.header))
	if len(fields) < 2 || fields[0] != want || fields[1] != "r="+x.nonce {
		return "", errMessage
	}
	proof, err := base64.StdEncoding.Strict().DecodeString(proofText)
	if err != nil || len(proof) != sha256.Size {
		return "", errMessage
	}
	auth := x.bare + "," + x.first + "," + without
	signature := mac(x.verifier.storedKey, auth)
	key := make([]byte, sha256.Size)
	subtle.XORBytes(key, proof, signature)
	stored := sha256.Sum256(key)
	if !hmac.Equal(stored[:], x.verifier.storedKey) || !x.known {
		return "", errProof
	}
	x.proven = true
	return "v=" + base64.StdEncoding.EncodeToString(mac(x.verifier.serverKey, auth)), nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
