package apikey

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, path string, r Rules) *Store {
	t.Helper()
	s, err := Open(path, func() Rules { return r })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	s := open(t, path, Rules{})
	made, err := s.Create("mgmt", time.Time{})
	if err != nil || len(made) != madeKey || strings.Trim(made, letters) != "" {
		t.Fatalf("%q, %v", made, err)
	}
	if err := s.Add("mine", "metrics", time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"twice", s.Add("mine", "metrics", time.Time{}), ErrExists},
		{"in another scope", s.Add("mine", "mgmt", time.Time{}), nil},
		{"unknown scope", s.Add("x", "nope", time.Time{}), ErrScope},
		{"past", s.Add("y", "mgmt", time.Now().Add(-time.Hour)), ErrExpiry},
		{"delete what is not there", s.Delete("nope", "mgmt"), ErrUnknown},
		{"delete in no scope", s.Delete("mine", "nope"), ErrScope},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), made) || strings.Contains(string(b), "mine") {
		t.Errorf("the file has keys in it: %v\n%s", err, b)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	s = open(t, path, Rules{}) // as after a restart
	if !s.Valid(made, "mgmt") || s.Valid(made, "api2") || s.Valid("", "mgmt") || s.Valid(made+"x", "mgmt") || !s.Valid("mine", "metrics") {
		t.Error("keys are not what they were")
	}
	shown := s.List()[0].Shown
	if shown != made[:shownPart]+"…" {
		t.Errorf("shown %q", shown)
	}
	if err := s.Delete(shown, "mgmt"); err != nil || s.Valid(made, "mgmt") {
		t.Errorf("by what is shown: %v", err)
	}
	if err := s.Delete("mine", "mgmt"); err != nil || s.Valid("mine", "mgmt") || !s.Valid("mine", "metrics") {
		t.Errorf("%v", err)
	}
}

func TestExpiry(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys.json"), Rules{MinLength: 40, MaxExpiryDays: 3})
	now := time.Now()
	s.now = func() time.Time { return now }
	if _, err := s.Create("mgmt", time.Time{}); !errors.Is(err, ErrExpiry) {
		t.Errorf("for ever: %v", err)
	}
	if _, err := s.Create("mgmt", now.AddDate(0, 0, 4)); !errors.Is(err, ErrExpiry) {
		t.Errorf("too long: %v", err)
	}
	if err := s.Add("short", "mgmt", now.AddDate(0, 0, 1)); !errors.Is(err, ErrLength) {
		t.Errorf("short: %v", err)
	}
	if err := s.Add(strings.Repeat("x", 2000), "mgmt", now.AddDate(0, 0, 1)); !errors.Is(err, ErrLength) {
		t.Errorf("long: %v", err)
	}
	k, err := s.Create("mgmt", now.AddDate(0, 0, 1))
	if err != nil || len(k) != 40 || !s.Valid(k, "mgmt") {
		t.Fatalf("%q, %v", k, err)
	}
	now = now.AddDate(0, 0, 2)
	if s.Valid(k, "mgmt") || len(s.List()) != 1 {
		t.Error("an expired key is valid, or not listed")
	}
}

func TestBadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, text := range []string{"{", `{"version":9,"salt":"AA=="}`, `{"version":1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", text, err)
		}
	}
	s := open(t, filepath.Join(t.TempDir(), "gone", "keys.json"), Rules{})
	if err := s.Add("abc", "mgmt", time.Time{}); err == nil || s.Valid("abc", "mgmt") {
		t.Errorf("a key that cannot be written is valid: %v", err)
	}
}
