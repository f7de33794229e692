package passwd

import (
	"bytes"
	"strings"
	"testing"
)

// captured is a line that VerneMQ 2.1.2 wrote for the password "a".
const captured = "alice:$6$K6dZpNh21D7aXKFL$eNSmXeHyxmi8S7ZTIZvo4RlMq1zkgoLt9kTCvBKetzoAVKoYobvm0DIYW+5EioOy+UJI5VCY0t+5ihYARpNNdQ=="

// capturedBob is one that its -U wrote for "secret".
const capturedBob = "bob:$6$HzHS1bX1Jv68Oeno$pLGByomXIhTTVgdopi1i7b9P/tOU/0a+xCmuBYEJ2bn+dJWKlt86qew9FcHIs53+UIwK9OpcmO771EneVsFzEg=="

// Lines of other tools. The bcrypt one is from the tests of OpenBSD's, by way of
// x/crypto; the argon2id one from the README of the reference implementation,
// made with argon2 somesalt -t 2 -m 16 -p 4 -id for "password".
const (
	bcryptLine = "carol:$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga" // allmine
	argonLine  = "dave:$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)

func mustParse(t testing.TB, lines ...string) *Table {
	t.Helper()
	table, err := Parse("vmq.passwd", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestKnownHashes(t *testing.T) {
	if testing.Short() {
		t.Skip("dear hashes")
	}
	table := mustParse(t, captured, capturedBob, bcryptLine, argonLine, strings.Replace(bcryptLine, "carol:$2a", "erin:$2y", 1))
	for _, tt := range []struct {
		user, password string
		want           Result
	}{
		{"alice", "a", Right}, {"alice", "b", Wrong}, {"alice", "", Wrong}, {"alice", "aa", Wrong},
		{"bob", "secret", Right}, {"bob", "Secret", Wrong},
		{"carol", "allmine", Right}, {"carol", "allmin", Wrong}, {"erin", "allmine", Right},
		{"dave", "password", Right}, {"dave", "", Wrong},
	} {
		if got := table.Check(tt.user, []byte(tt.password)); got != tt.want {
			t.Errorf("%q with %q is %v, want %v", tt.user, tt.password, got, tt.want)
		}
	}
	if table.Len() != 5 {
		t.Errorf("%d users", table.Len())
	}
	cheapOnes := mustParse(t, captured, capturedBob)
	for _, user := range []string{"Alice", "alic", "alicea", "alice:", ""} {
		if got := cheapOnes.Check(user, []byte("a")); got != Unknown {
			t.Errorf("%q is %v", user, got)
		}
	}
}

func TestHash(t *testing.T) {
	if testing.Short() {
		t.Skip("dear hashes")
	}
	password := []byte("pässword: with $ and\x00")
	for _, name := range Hashes() {
		text, err := Hash(name, password)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Hash(name, password)
		if err != nil || again == text {
			t.Errorf("%s: %q twice, or %v", name, text, err)
		}
		if !Hashed([]byte(text)) || len(text) > 200 {
			t.Errorf("%s: %q is not a hash", name, text)
		}
		table := mustParse(t, "u:"+text)
		if table.Check("u", password) != Right || table.Check("u", password[1:]) != Wrong {
			t.Errorf("%s: %q checks wrongly", name, text)
		}
	}
	if _, err := Hash("md5", password); err == nil || !strings.Contains(err.Error(), "vmq, bcrypt, argon2id") {
		t.Errorf("md5: %v", err)
	}
}

// TestBcryptLength holds bcrypt to passwords that it sees whole.
func TestBcryptLength(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 73)
	if _, err := Hash("bcrypt", long); err == nil {
		t.Error("73 bytes are hashed")
	}
	table := mustParse(t, dear(t, "u", string(long[:72])))
	if table.Check("u", long[:72]) != Right || table.Check("u", long) != Wrong || table.Check("u", bytes.Repeat(long, 900)) != Wrong {
		t.Error("a password goes by its first 72 bytes")
	}
}

func TestBadHashes(t *testing.T) {
	vmqSalt, vmqKey, _ := strings.Cut(captured[len("alice:$6$"):], "$")
	bcryptHash := bcryptLine[len("carol:"):]
	argonEnd := argonLine[strings.Index(argonLine, "$c29"):]
	for name, hash := range map[string]string{
		"nothing":          "",
		"plain":            "secret",
		"no digest":        "$6$" + vmqSalt,
		"more parts":       "$6$" + vmqSalt + "$" + vmqKey + "$",
		"short digest":     "$6$" + vmqSalt + "$" + vmqKey[:84],
		"digest cut":       "$6$" + vmqSalt + "$" + vmqKey[:87],
		"long digest":      "$6$" + vmqSalt + "$" + vmqKey[:84] + vmqKey[:8],
		"blank after":      "$6$" + vmqSalt + "$" + vmqKey + " ",
		"CR inside":        "$6$" + vmqSalt + "$" + vmqKey[:40] + "\r" + vmqKey[41:],
		"no salt":          "$6$$" + vmqKey,
		"salt not base64":  "$6$a$" + vmqKey,
		"long salt":        "$6$" + strings.Repeat(vmqSalt, 6) + "$" + vmqKey,
		"stray bits":       "$6$" + vmqSalt + "$" + vmqKey[:85] + "B==",
		"crypt":            "$5$salt$digest",
		"old bcrypt":       "$2$" + bcryptHash[4:],
		"bcrypt 2x":        "$2x$" + bcryptHash[4:],
		"bcrypt cheap":     "$2a$03$" + bcryptHash[7:],
		"bcrypt dear":      "$2a$15$" + bcryptHash[7:],
		"bcrypt no cost":   "$2a$xx$" + bcryptHash[7:],
		"bcrypt short":     bcryptHash[:59],
		"bcrypt long":      bcryptHash + ".",
		"bcrypt character": bcryptHash[:59] + "=",
		"bcrypt dollar":    bcryptHash[:6] + "." + bcryptHash[7:],
		"argon2i":          "$argon2i$v=19$m=65536,t=2,p=1" + argonEnd,
		"argon version":    "$argon2id$v=16$m=65536,t=2,p=1" + argonEnd,
		"argon order":      "$argon2id$v=19$t=2,m=65536,p=1" + argonEnd,
		"argon memory":     "$argon2id$v=19$m=262145,t=1,p=1" + argonEnd,
		"argon no memory":  "$argon2id$v=19$m=15,t=2,p=2" + argonEnd,
		"argon no passes":  "$argon2id$v=19$m=65536,t=0,p=1" + argonEnd,
		"argon passes":     "$argon2id$v=19$m=8,t=65,p=1" + argonEnd,
		"argon work":       "$argon2id$v=19$m=262144,t=5,p=1" + argonEnd,
		"argon threads":    "$argon2id$v=19$m=65536,t=2,p=17" + argonEnd,
		"argon no thread":  "$argon2id$v=19$m=65536,t=2,p=0" + argonEnd,
		"argon huge":       "$argon2id$v=19$m=4294967304,t=2,p=1" + argonEnd,
		"argon sign":       "$argon2id$v=19$m=+65536,t=2,p=1" + argonEnd,
		"argon zero":       "$argon2id$v=19$m=065536,t=2,p=1" + argonEnd,
		"argon salt":       "$argon2id$v=19$m=65536,t=2,p=1$c2FsdA" + argonEnd[12:],
		"argon key":        "$argon2id$v=19$m=65536,t=2,p=1" + argonEnd[:20],
		"argon padding":    "$argon2id$v=19$m=65536,t=2,p=1" + argonEnd + "=",
		"argon extra":      "$argon2id$v=19$m=65536,t=2,p=1" + argonEnd + "$",
		"argon long key":   "$argon2id$v=19$m=65536,t=2,p=1" + argonEnd + strings.Repeat("AAAA", 20),
	} {
		_, err := Parse("f", []byte("u:"+hash))
		if err == nil || !strings.HasPrefix(err.Error(), "f:1: ") {
			t.Errorf("%s: %q is taken: %v", name, hash, err)
		}
		if strings.Contains(strings.TrimPrefix(err.Error(), "f:1: "), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
