package trie

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

const million = 1_000_000

func deviceFilters() []string {
	filters := make([]string, million)
	for i := range filters {
		filters[i] = deviceFilter(i)
	}
	return filters
}

// BenchmarkMatchMillion matches random topics in a tree of a million filters and a few wildcards.
func BenchmarkMatchMillion(b *testing.B) {
	filters := deviceFilters()
	topics := make([][]byte, len(filters))
	x := NewIndex[value]()
	for i, filter := range filters {
		x.Acquire("", filter)
		topics[i] = []byte(filter)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(million, func(i, j int) { topics[i], topics[j] = topics[j], topics[i] })
	dst := make([]*Node[value], 0, 16)
	run := func(name string, want int, topic func(i int) []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if dst = x.Match("", topic(i), dst[:0]); len(dst) != want {
					b.Fatalf("%d filters, want %d", len(dst), want)
				}
			}
		})
	}
	hit := func(i int) []byte { return topics[i%million] }
	run("hit", 1, hit)
	run("hot", 1, func(i int) []byte { return topics[i%64] })
	miss := []byte("devices/none/status")
	run("miss", 0, func(int) []byte { return miss })
	for _, filter := range []string{"#", "devices/+/status", "+/+/status", "devices/#", "+/none/status"} {
		x.Acquire("", filter)
	}
	run("wildcards", 5, hit)
}

// BenchmarkMatchOne matches one filter in the smallest tree.
func BenchmarkMatchOne(b *testing.B) {
	x := NewIndex[value]()
	x.Acquire("", "m/+/t")
	topic := []byte("m/sensor-1/t")
	dst := make([]*Node[value], 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		dst = x.Match("", topic, dst[:0])
	}
}

// BenchmarkAcquire builds trees of a million filters.
func BenchmarkAcquire(b *testing.B) {
	filters := deviceFilters()
	var x *Index[value]
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%million == 0 {
			x = NewIndex[value]()
		}
		x.Acquire("", filters[i%million])
	}
	runtime.KeepAlive(x)
}

// BenchmarkAcquireRelease makes and removes one filter at a time in a tree of 100,000.
func BenchmarkAcquireRelease(b *testing.B) {
	x := NewIndex[value]()
	filters := deviceFilters()
	for _, filter := range filters[:million/10] {
		x.Acquire("", filter)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Release(x.Acquire("", filters[i%million]))
	}
}

// BenchmarkAcquireHeld counts holders of one filter.
func BenchmarkAcquireHeld(b *testing.B) {
	x := NewIndex[value]()
	x.Acquire("", "news/all")
	b.ReportAllocs()
	for b.Loop() {
		x.Release(x.Acquire("", "news/all"))
	}
}

// BenchmarkBytesPerFilter weighs the tree of a million filters.
func BenchmarkBytesPerFilter(b *testing.B) {
	for b.Loop() {
		x, size := bytesPerFilter(million)
		b.ReportMetric(size, "B/filter")
		runtime.KeepAlive(x)
	}
}

// BenchmarkTopics puts, gets and matches retained topics.
func BenchmarkTopics(b *testing.B) {
	const topics = 100_000
	t := NewTopics[*int]()
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("devices/%07d/status", i)
		t.Put("", names[i], new(int))
	}
	v := new(int)
	b.Run("replace", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			t.Put("", names[i%topics], v)
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			t.Get("", names[i%topics])
		}
	})
	dst := make([]*int, 0, topics)
	b.Run("match100k", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = t.Match("", "devices/+/status", dst[:0])
		}
	})
}
