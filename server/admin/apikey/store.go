// Package apikey keeps the keys of the HTTP interfaces in a file. Of a key only
// a hash and its beginning are kept, so that neither the file nor `api-key show`
// tells how to get in. Any goroutine.
package apikey

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"vernemq/server/admin"
)

// Rules are the settings about keys.
type Rules struct {
	MinLength     int
	MaxExpiryDays int // 0: keys may be valid for ever
}

// What is wrong with a key, in the words of the reference.
var (
	ErrExists  = errors.New("key_already_exists")
	ErrUnknown = errors.New("key_not_found")
	ErrLength  = errors.New("invalid_key_length")
	ErrExpiry  = errors.New("invalid_expiry_date")
	ErrScope   = errors.New("invalid_scope")
)

// Store keeps keys.
type Store struct {
	path  string
	rules func() Rules
	now   func() time.Time

	mu   sync.RWMutex // guards what follows
	file file
	by   map[string]int // place in file.Keys, by scope and hash
}

// file is what lies on the disk: JSON, readable for its owner only.
type file struct {
	Version int    `json:"version"`
	Salt    []byte `json:"salt"`
	Keys    []key  `json:"keys"`
}

type key struct {
	Hash    []byte `json:"hash"`  // HMAC-SHA-256 with the salt
	Shown   string `json:"shown"` // the beginning
	Scope   string `json:"scope"`
	Expires int64  `json:"expires,omitempty"` // Unix second, 0: never
}

const version = 1

// Open reads the keys of a file, which need not exist yet.
func Open(path string, rules func() Rules) (*Store, error) {
	s := &Store{path: path, rules: rules, now: time.Now}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.file = file{Version: version, Salt: make([]byte, 32)}
		_, _ = rand.Read(s.file.Salt) // never fails
	case err != nil:
		return nil, fmt.Errorf("cannot read the API keys: %w", err)
	default:
		if err := json.Unmarshal(b, &s.file); err != nil {
			return nil, fmt.Errorf("cannot read the API keys in %s: %w", path, err)
		}
		if s.file.Version != version || len(s.file.Salt) == 0 {
			return nil, fmt.Errorf("cannot read the API keys in %s: version %d is unknown", path, s.file.Version)
		}
	}
	s.index()
	return s, nil
}

func (s *Store) index() {
	s.by = map[string]int{}
	for i, k := range s.file.Keys {
		s.by[k.Scope+"/"+string(k.Hash)] = i
	}
}

// place is where a key stands, -1 if it is not there. Under mu.
func (s *Store) place(text, scope string) int {
	h := hmac.New(sha256.New, s.file.Salt)
	h.Write([]byte(text))
	if i, ok := s.by[scope+"/"+string(h.Sum(nil))]; ok {
		return i
	}
	return -1
}

// Valid tells that a key is known for a scope and has not expired.
func (s *Store) Valid(text, scope string) bool {
	if text == "" {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := s.place(text, scope)
	return i >= 0 && (s.file.Keys[i].Expires == 0 || s.now().Unix() < s.file.Keys[i].Expires)
}

const (
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	madeKey   = 32   // characters of a key that is made
	shownPart = 6    // of these are shown
	maxKey    = 1024 // characters: more would not fit into the header of a request
)

// Create makes a key.
func (s *Store) Create(scope string, expires time.Time) (string, error) {
	text := make([]byte, 0, madeKey)
	for len(text) < max(madeKey, s.rules().MinLength) {
		var b [1]byte
		_, _ = rand.Read(b[:])
		if int(b[0]) < 256/len(letters)*len(letters) { // each letter with the same chance
			text = append(text, letters[int(b[0])%len(letters)])
		}
	}
	return string(text), s.Add(string(text), scope, expires)
}

// Add adds a key.
func (s *Store) Add(text, scope string, expires time.Time) error {
	rules := s.rules()
	switch {
	case !slices.Contains(admin.Scopes, scope):
		return ErrScope
	case text == "" || len(text) < rules.MinLength || len(text) > max(maxKey, rules.MinLength):
		return ErrLength
	case !s.mayExpire(expires, rules):
		return ErrExpiry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.place(text, scope) >= 0 {
		return ErrExists
	}
	h := hmac.New(sha256.New, s.file.Salt)
	h.Write([]byte(text))
	k := key{Hash: h.Sum(nil), Shown: text[:min(shownPart, len(text)/4)] + "…", Scope: scope}
	if !expires.IsZero() {
		k.Expires = expires.Unix()
	}
	return s.replace(append(slices.Clone(s.file.Keys), k))
}

func (s *Store) mayExpire(t time.Time, r Rules) bool {
	if t.IsZero() {
		return r.MaxExpiryDays == 0
	}
	now := s.now()
	return t.After(now) && (r.MaxExpiryDays == 0 || !t.After(now.AddDate(0, 0, r.MaxExpiryDays)))
}

// Delete deletes a key. What List shows of it will do, as long as it is the
// only one that begins so.
func (s *Store) Delete(text, scope string) error {
	if !slices.Contains(admin.Scopes, scope) {
		return ErrScope
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.place(text, scope)
	if i < 0 {
		for j, k := range s.file.Keys {
			if k.Scope == scope && k.Shown == text {
				if i >= 0 {
					return ErrUnknown // several begin so
				}
				i = j
			}
		}
	}
	if i < 0 {
		return ErrUnknown
	}
	return s.replace(slices.Delete(slices.Clone(s.file.Keys), i, i+1))
}

// List gives the keys as they may be shown.
func (s *Store) List() (out []admin.Key) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.file.Keys {
		x := admin.Key{Shown: k.Shown, Scope: k.Scope}
		if k.Expires != 0 {
			x.Expires = time.Unix(k.Expires, 0)
		}
		out = append(out, x)
	}
	return out
}

// replace writes other keys to the disk, and then takes them. Under mu.
func (s *Store) replace(keys []key) error {
	next := s.file
	next.Keys = keys
	b, err := json.MarshalIndent(&next, "", "  ")
	if err == nil {
		err = write(s.path, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot write the API keys: %w", err)
	}
	s.file = next
	s.index()
	return nil
}

// write replaces a file as a whole: whatever happens, the old or the new
// content is there.
func write(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".") // for its owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing after the rename
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
