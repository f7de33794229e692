package passwd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// dear is a line with the cheapest of the dear hashes.
func dear(t testing.TB, user, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return user + ":" + string(h)
}

// replace changes a file as vmq-passwd does.
func replace(t testing.TB, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func mustReload(t testing.TB, f *File) {
	t.Helper()
	if changed, err := f.Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
}

func TestFileKeepsOldTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmq.passwd")
	f := Open(path, Options{})
	if _, err := f.Reload(); err == nil || f.Check("alice", []byte("a")) != Unknown {
		t.Error("a missing file has users")
	}
	replace(t, path, captured)
	mustReload(t, f)
	replace(t, path, capturedBob, "x")
	if _, err := f.Reload(); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("a bad line: %v", err)
	}
	if f.Check("alice", []byte("a")) != Right || f.Check("bob", []byte("secret")) != Unknown || f.Len() != 1 {
		t.Error("the old table is not in force")
	}
	replace(t, path, capturedBob)
	mustReload(t, f)
	if f.Check("alice", []byte("a")) != Unknown || f.Check("bob", []byte("secret")) != Right {
		t.Error("the new table is not in force")
	}
}

// TestCache looks at what is remembered, and for how long.
func TestCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmq.passwd")
	now := time.Unix(1000, 0)
	f := Open(path, Options{CacheSize: 4, CacheAge: time.Minute, now: func() time.Time { return now }})
	replace(t, path, dear(t, "a", "1"), dear(t, "b", "2"))
	mustReload(t, f)
	cached := func(user, password string) bool {
		c := f.file.Get().cache
		return c.has(c.key(user, []byte(password)))
	}
	check := func(user, password string, want Result, remembered bool) {
		t.Helper()
		for range 2 {
			if got := f.Check(user, []byte(password)); got != want || cached(user, password) != remembered {
				t.Errorf("%s %s: %v, remembered %v", user, password, got, cached(user, password))
			}
		}
	}
	check("a", "1", Right, true)
	check("a", "2", Wrong, false)
	check("b", "1", Wrong, false)
	check("nobody", "1", Unknown, false)
	check("a1", "", Unknown, false) // the border between name and password counts
	now = now.Add(59 * time.Second)
	if !cached("a", "1") {
		t.Error("forgotten too early")
	}
	now = now.Add(2 * time.Second)
	if cached("a", "1") {
		t.Error("remembered for too long")
	}
	check("a", "1", Right, true)
	replace(t, path, dear(t, "a", "1"))
	mustReload(t, f)
	if cached("a", "1") {
		t.Error("remembered beyond a reload")
	}
	check("b", "2", Unknown, false)
}

func TestCacheBound(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCache(100, time.Minute, func() time.Time { return now })
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		c.add(c.key(fmt.Sprint(i), nil))
		if n := len(c.young) + len(c.old); n > 100 {
			t.Fatalf("%d entries", n)
		}
	}
	if !c.has(c.key("9999", nil)) || !c.has(c.key("9960", nil)) || c.has(c.key("9800", nil)) {
		t.Error("not the last ones are remembered")
	}
	none := newCache(0, time.Minute, time.Now)
	none.add(none.key("a", nil))
	if none.has(none.key("a", nil)) {
		t.Error("a cache of no size remembers")
	}
}

// TestReloadWhileChecking has users who must always be let in while the file
// changes all the time, and is often bad.
func TestReloadWhileChecking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmq.passwd")
	f := Open(path, Options{})
	once := dear(t, "dear", "1")
	replace(t, path, captured, once)
	mustReload(t, f)
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !stop.Load() {
				if f.Check("alice", []byte("a")) != Right || f.Check("dear", []byte("1")) != Right {
					t.Error("a check failed during a reload")
					return
				}
			}
		})
	}
	for i := range 30 {
		lines := []string{captured, once, fmt.Sprintf("u%d:%s", i, cheap(i))}
		if i%3 == 0 {
			lines = append(lines, "bad")
		}
		replace(t, path, lines...)
		if _, err := f.Reload(); (err != nil) != (i%3 == 0) {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
}
