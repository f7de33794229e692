package scram

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"vernemq/codec"
	"vernemq/server/hooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestVector is the exchange of RFC 7677, section 3.
func TestVector(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	v, err := newVerifier("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{}
	if _, err := x.begin("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", func(string) (*verifier, bool) { return v, true }); err != nil {
		t.Fatal(err)
	}
	x.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	x.first = "r=" + x.nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	got, err := x.finish("c=biws,r=" + x.nonce + ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	if err != nil || got != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Error(got, err)
	}
}

// prove makes the client's last message.
func prove(t *testing.T, password, bare, first string) string {
	t.Helper()
	fields := strings.Split(first, ",")
	salt, err := base64.StdEncoding.DecodeString(fields[1][2:])
	if err != nil {
		t.Fatal(err)
	}
	var iterations int
	fmt.Sscan(fields[2][2:], &iterations)
	without := "c=biws," + fields[0]
	proof, err := proofOf(password, salt, iterations, bare+","+first+","+without)
	if err != nil {
		t.Fatal(err)
	}
	return without + ",p=" + proof
}

func proofOf(password string, salt []byte, iterations int, auth string) (string, error) {
	salted, err := saltedPassword(password, salt, iterations)
	if err != nil {
		return "", err
	}
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	subtle.XORBytes(key, key, mac(stored[:], auth))
	return base64.StdEncoding.EncodeToString(key), nil
}

// start runs the plugin with one user.
func start(t *testing.T) *plugin {
	t.Helper()
	text, err := Verifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "scram.users"), []byte("# users\nal,ice:"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlugin(hooks.Env{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { p.Close() })
	return p
}

func TestExchange(t *testing.T) {
	t.Parallel()
	p := start(t)
	const bare = "n=al=2Cice,r=abc"
	conn := &hooks.Exchange{Method: Method}
	for _, again := range []bool{false, true} {
		a := p.step(&hooks.Auth{Exchange: conn, Data: []byte("n,," + bare), Again: again})
		if a.Result != hooks.OK || !a.Modifiers.Continue {
			t.Fatal(a)
		}
		a = p.step(&hooks.Auth{Exchange: conn, Data: []byte(prove(t, "secret", bare, string(a.Modifiers.Data))), Again: again})
		if a.Result != hooks.OK || a.Modifiers.Continue || !strings.HasPrefix(string(a.Modifiers.Data), "v=") {
			t.Fatal(a, a.Refusal)
		}
	}
	if r := register(&hooks.Register{Exchange: conn}); r.Result != hooks.OK || *r.Modifiers.Username != "al,ice" {
		t.Error(r)
	}
}

func TestWrongExchanges(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, tt := range map[string]struct{ bare, password string }{
		"password": {"n=al=2Cice,r=abc", "Secret"}, "unknown user": {"n=bob,r=abc", "secret"},
	} {
		conn := &hooks.Exchange{Method: Method}
		a := p.step(&hooks.Auth{Exchange: conn, Data: []byte("n,," + tt.bare)})
		if a.Result != hooks.OK {
			t.Fatal(name, a)
		}
		a = p.step(&hooks.Auth{Exchange: conn, Data: []byte(prove(t, tt.password, tt.bare, string(a.Modifiers.Data)))})
		if a.Result != hooks.Failed || a.Refusal.Code != codec.NotAuthorized {
			t.Errorf("%s: %v", name, a)
		}
		if r := register(&hooks.Register{Exchange: conn}); r.Result != hooks.Next {
			t.Errorf("%s: %v", name, r)
		}
	}
	for _, bad := range []string{"", "n", "n,,", "n,,n=a", "n,,n=a,r=", "n,,n=,r=x", "p=tls-unique,,n=a,r=x", "n,a=b,n=a,r=x", "n,,m=x,n=a,r=x", "n,,n=a=2,r=x", "x,,n=a,r=x"} {
		if a := p.step(&hooks.Auth{Exchange: &hooks.Exchange{Method: Method}, Data: []byte(bad)}); a.Result != hooks.Failed {
			t.Errorf("%q: %v", bad, a)
		}
	}
	if a := p.step(&hooks.Auth{Exchange: &hooks.Exchange{Method: "PLAIN"}}); a.Result != hooks.Next {
		t.Error(a)
	}
	// Replayed nonces, another header, no proof.
	conn := &hooks.Exchange{Method: Method}
	p.step(&hooks.Auth{Exchange: conn, Data: []byte("n,,n=al=2Cice,r=abc")})
	for _, bad := range []string{"c=biws,r=abc,p=AAAA", "c=eSws,r=abc", ""} {
		if a := p.step(&hooks.Auth{Exchange: conn, Data: []byte(bad)}); a.Result != hooks.Failed {
			t.Errorf("%q: %v", bad, a)
		}
	}
}

// TestUnknownUser holds that a user that is not there looks like those that are,
// also after a restart.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	v, err := newVerifier("secret", bytes.Repeat([]byte{7}, 40), 5000)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := base64.StdEncoding.EncodeToString
	line := fmt.Sprintf("alice:%s%d:%s$%s:%s\n", prefix, v.iterations, b(v.salt), b(v.storedKey), b(v.serverKey))
	if err := os.WriteFile(filepath.Join(dir, "scram.users"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	first := func(user string) (salt, iterations string) {
		p := newPlugin(hooks.Env{Dir: dir, Log: slog.New(slog.DiscardHandler)})
		defer p.Close()
		a := p.step(&hooks.Auth{Exchange: &hooks.Exchange{Method: Method}, Data: []byte("n,,n=" + user + ",r=abc")})
		fields := strings.Split(string(a.Modifiers.Data), ",")
		return fields[1], fields[2]
	}
	for _, user := range []string{"alice", "bob"} {
		salt, iterations := first(user)
		again, _ := first(user)
		if iterations != "i=5000" || len(salt) != len("s="+b(v.salt)) || salt != again {
			t.Errorf("%s: %s, %s, then %s", user, iterations, salt, again)
		}
	}
	bob, _ := first("bob")
	if carol, _ := first("carol"); carol == bob {
		t.Error("all that are unknown have one salt")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	good, _ := Verifier("x")
	const python = "SCRAM-SHA-256$4096:VPp98oejd4jDTxeuBT7cgw==$YfXM7ZEgH0JJG3hIgVQxyBMKgE6cGSKsxSwItxIRmsI=:b83FITfYdUu9IWUSLxemUra1CmNQd8dOOdHyXuMnA6A="
	if v, err := parseVerifier([]byte(python)); err != nil {
		t.Error(err)
	} else if w, _ := newVerifier("x", v.salt, v.iterations); string(w.storedKey) != string(v.storedKey) || string(w.serverKey) != string(v.serverKey) {
		t.Error("the program in the documents makes something else")
	}
	for text, want := range map[string]string{
		"":                                   "",
		"a:" + good:                          "",
		"a:" + good + "\na:" + good:          `f:2: user "a" is there twice`,
		"a":                                  "f:1: USER:SCRAM-SHA-256$… was expected",
		"# c\n\nb:$6$x$y":                    "f:3: SCRAM-SHA-256$ was expected after the user",
		"a:SCRAM-SHA-256$4096:AA==":          "f:1: ITERATIONS:SALT$STOREDKEY:SERVERKEY was expected",
		"a:SCRAM-SHA-256$1:AA==$AA==:AA==":   "f:1: iterations must be from 4096 to 10000000",
		"a:SCRAM-SHA-256$4096:AA==$AA==:A==": "f:1: salt and keys must be base64 of the right length",
	} {
		_, err := parse("f", []byte(text))
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzExchange(f *testing.F) {
	f.Add("n,,n=user,r=abc", "c=biws,r=abc,p=AAAA")
	v, _ := newVerifier("x", []byte("salt"), 1)
	f.Fuzz(func(t *testing.T, first, last string) {
		x := &exchange{}
		if _, err := x.begin(first, func(string) (*verifier, bool) { return v, true }); err != nil {
			return
		}
		if _, err := x.finish(last); err == nil || x.proven {
			t.Fatal("proven without knowing the server's nonce")
		}
	})
}

func FuzzParse(f *testing.F) {
	good, _ := Verifier("x")
	f.Add([]byte("a:" + good))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = parse("f", text) })
}
