package passwd

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// alive returns the bytes of live heap.
func alive() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestMemory holds a user with VerneMQ's hash to 120 B.
func TestMemory(t *testing.T) {
	const budget = 120
	n := 1 << 17 // the hash table doubles at powers of two times 2/3
	text := manyUsers(n)
	before := alive()
	table, err := Parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	size := float64(alive()-before) / float64(n)
	runtime.KeepAlive(text)
	t.Logf("%.0f B per user", size)
	if size > budget {
		t.Errorf("%.0f B per user, the budget is %d", size, budget)
	}
	runtime.KeepAlive(table)
}

func BenchmarkLoadMillion(b *testing.B) {
	const n = 1_000_000
	path := filepath.Join(b.TempDir(), "vmq.passwd")
	text := manyUsers(n)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	text = nil
	for b.Loop() {
		before := alive()
		f := Open(path, Options{})
		start := time.Now()
		if _, err := f.Reload(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/load")
		b.ReportMetric(float64(alive()-before)/n, "B/user")
		runtime.KeepAlive(f)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1, 1_000_000} {
		path := filepath.Join(b.TempDir(), "vmq.passwd")
		if err := os.WriteFile(path, manyUsers(n), 0o600); err != nil {
			b.Fatal(err)
		}
		f := Open(path, Options{})
		mustReload(b, f)
		run := func(name string, user func(i int) string, want Result) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					i := i * 7919 % n
					if f.Check(user(i), passwords[i%len(passwords)]) != want {
						b.Fatal("wrong")
					}
				}
			})
		}
		known := make([]string, n)
		for i := range known {
			known[i] = fmt.Sprintf("device-%07d", i)
		}
		run("wrong", func(i int) string { return known[i] }, Wrong)
		run("unknown", func(i int) string { return known[i][1:] }, Unknown)
	}
}

var passwords = [][]byte{[]byte("secret"), []byte("another secret")}

func BenchmarkKinds(b *testing.B) {
	for _, name := range Hashes() {
		h, err := Hash(name, []byte("secret"))
		if err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(b.TempDir(), "vmq.passwd")
		replace(b, path, "u:"+h)
		for _, size := range []int{-1, 0} {
			f := Open(path, Options{CacheSize: size})
			mustReload(b, f)
			b.Run(fmt.Sprintf("%s/cached=%v", name, size == 0), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if f.Check("u", []byte("secret")) != Right {
						b.Fatal("wrong")
					}
				}
			})
		}
	}
}
