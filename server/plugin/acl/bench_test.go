package acl

import (
	"fmt"
	"runtime"
	"testing"
)

// alive returns the bytes of live heap.
func alive() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// globalRules is a file of n rules for everybody, each with a topic of its own.
func globalRules(n int) []byte {
	text := make([]byte, 0, 40*n)
	for i := range n {
		text = fmt.Appendf(text, "topic write devices/%07d/status\n", i)
	}
	return text
}

// userRules is a file of n users with one rule each.
func userRules(n int) []byte {
	text := make([]byte, 0, 60*n)
	for i := range n {
		text = fmt.Appendf(text, "user device-%07d\ntopic devices/%07d/#\n", i, i)
	}
	return text
}

// TestMemory holds a rule for everybody to 120 B (two nodes), a user with a rule
// to 160 B (four nodes).
func TestMemory(t *testing.T) {
	const n = 1 << 16
	for _, tt := range []struct {
		name   string
		text   []byte
		budget float64
	}{{"rule", globalRules(n), 120}, {"user", userRules(n), 160}} {
		before := alive()
		table := mustParse(t, string(tt.text))
		size := float64(alive()-before) / n
		t.Logf("%.0f B per %s", size, tt.name)
		if size > tt.budget {
			t.Errorf("%.0f B per %s, the budget is %.0f", size, tt.name, tt.budget)
		}
		runtime.KeepAlive(table)
	}
}

// BenchmarkLoad shows that a rule costs the same time and memory in files of all
// sizes.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		for _, tt := range []struct {
			name string
			text []byte
		}{{"rules", globalRules(n)}, {"users", userRules(n)}} {
			b.Run(fmt.Sprint(n, " ", tt.name), func(b *testing.B) {
				before := alive()
				b.SetBytes(int64(len(tt.text)))
				b.ReportAllocs()
				var table *Table
				for b.Loop() {
					var err error
					if table, err = Parse("f", tt.text); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/each")
				b.ReportMetric(float64(alive()-before)/float64(n), "B/each")
				runtime.KeepAlive(table)
			})
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	const million = 1_000_000
	patterns := []byte("pattern devices/%u/#\npattern write status/%c/%m\n")
	for _, tt := range []struct {
		name  string
		n     int
		text  []byte
		topic string
	}{
		{"1 rule", 1, globalRules(1), "devices/%07d/status"},
		{"1 user", 1, userRules(1), "devices/%07d/status"},
		{"2 patterns", 1, patterns, "devices/device-%07d/status"},
		{"1000000 rules", million, append(globalRules(million), patterns...), "devices/%07d/status"},
		{"1000000 users", million, append(userRules(million), patterns...), "devices/%07d/status"},
	} {
		table := mustParse(b, string(tt.text))
		topics, names := make([][]byte, tt.n), make([]string, tt.n)
		for i := range topics {
			topics[i] = fmt.Appendf(nil, tt.topic, i)
			names[i] = fmt.Sprintf("device-%07d", i)
		}
		other := []byte("elsewhere/0000001/status")
		run := func(name string, access Access, topic func(i int) []byte, may bool) {
			b.Run(tt.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					i := i * 7919 % tt.n
					if table.Check(names[i], names[i], "", topic(i), access) != may {
						b.Fatal("wrong")
					}
				}
			})
		}
		run("granted", Publish, func(i int) []byte { return topics[i] }, true)
		run("refused", Publish, func(int) []byte { return other }, false)
	}
}
