package trie

import (
	"bytes"
	"hash/maphash"
)

// Memo is an index as one goroutine sees it that matches the same topics again
// and again. What a topic has matched is remembered until a filter comes or
// goes, anywhere in the index.
//
// It has one place for each hash. When nearly nothing is met again, because
// filters change all the time or topics are too many, it mostly stays aside.
type Memo[V any] struct {
	index  *Index[V]
	places []memory[V] // nil before the first Match
	plain  []*Node[V]  // what was matched last and not remembered

	misses int // in a row
	aside  int // matches to go until the next is looked up and remembered
	swept  uint64
}

// memory is what a topic matched when the index had that version.
type memory[V any] struct {
	version    uint64
	mountpoint string
	topic      []byte
	nodes      []*Node[V]
}

const (
	memoBits  = 12  // 4,096 places
	memoTopic = 256 // bytes of the longest topic that is remembered
	memoNodes = 32  // nodes that are remembered with a topic, at most

	memoMisses = 64 // in a row, after which a memo stays aside
	memoAside  = 1024
)

// NewMemo returns a memo of an index.
func NewMemo[V any](x *Index[V]) *Memo[V] { return &Memo[V]{index: x} }

// Match returns what Index.Match appends. The slice is the memo's own, valid
// until the next call. Topics are kept as copies.
func (m *Memo[V]) Match(mountpoint string, topic []byte) []*Node[V] {
	if m.aside > 0 || len(topic) > memoTopic {
		m.aside = max(m.aside-1, 0)
		m.plain = m.index.Match(mountpoint, topic, m.plain[:0])
		return m.plain
	}
	if m.places == nil {
		m.places = make([]memory[V], 1<<memoBits)
	}
	version := m.index.version.Load() // before the match: what comes meanwhile may be missed by it
	p := &m.places[maphash.Bytes(seed, topic)>>(64-memoBits)]
	if p.version == version && bytes.Equal(p.topic, topic) && p.mountpoint == mountpoint {
		m.misses = 0
		return p.nodes
	}
	if m.misses++; m.misses == memoMisses {
		m.misses, m.aside = 0, memoAside
	}
	p.forget()
	p.nodes = m.index.Match(mountpoint, topic, p.nodes)
	if len(p.nodes) > memoNodes {
		m.plain, p.nodes = p.nodes, nil
		return m.plain
	}
	p.version, p.mountpoint, p.topic = version, mountpoint, append(p.topic, topic...)
	return p.nodes
}

// Forget lets go of nodes that may have left the index. It is to be called at
// times: a memo that is not used would keep them, see Index.Release.
func (m *Memo[V]) Forget() {
	version := m.index.version.Load()
	if version == m.swept {
		return
	}
	m.swept = version
	clear(m.plain[:cap(m.plain)])
	for i := range m.places {
		if p := &m.places[i]; p.version != version {
			p.forget()
		}
	}
}

func (p *memory[V]) forget() {
	clear(p.nodes)
	p.nodes, p.topic, p.mountpoint = p.nodes[:0], p.topic[:0], ""
}
