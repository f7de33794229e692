package hooks

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// CacheKey stands for a question: a hash of all that its answer depends on.
type CacheKey [sha256.Size]byte

// Cache keeps answers for a while, so many at most. Any goroutine may use it;
// it never blocks for long, and looking something up does not allocate. A plugin
// asks its cache in Now and fills it in Wait.
type Cache[V any] struct {
	limit  int
	now    func() time.Time
	shards [cacheShards]cacheShard[V]
}

const cacheShards = 16

type cacheShard[V any] struct {
	mu      sync.Mutex
	entries map[CacheKey]*list.Element
	order   list.List // of *cached, oldest first
}

type cached[V any] struct {
	key   CacheKey
	value V
	until time.Time
}

// NewCache makes a cache of at most about limit answers.
func NewCache[V any](limit int) *Cache[V] { return newCache[V](limit, time.Now) }

func newCache[V any](limit int, now func() time.Time) *Cache[V] {
	c := &Cache[V]{limit: max(limit/cacheShards, 1), now: now}
	for i := range c.shards {
		c.shards[i].entries = map[CacheKey]*list.Element{}
	}
	return c
}

func (c *Cache[V]) shard(k *CacheKey) *cacheShard[V] { return &c.shards[k[0]%cacheShards] }

// Get gives an answer that is not too old.
func (c *Cache[V]) Get(k CacheKey) (v V, ok bool) {
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[k]
	if e == nil {
		return v, false
	}
	x := e.Value.(*cached[V])
	if c.now().After(x.until) {
		s.remove(e)
		return v, false
	}
	return x.value, true
}

// Put keeps an answer for some time, in the place of one that was there. When
// the cache is full, old answers go first, then the one that came first.
func (c *Cache[V]) Put(k CacheKey, v V, age time.Duration) {
	s := c.shard(&k)
	now := c.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[k]; e != nil {
		s.remove(e)
	}
	for e := s.order.Front(); e != nil && now.After(e.Value.(*cached[V]).until); e = s.order.Front() {
		s.remove(e)
	}
	if s.order.Len() >= c.limit {
		s.remove(s.order.Front())
	}
	s.entries[k] = s.order.PushBack(&cached[V]{k, v, now.Add(age)})
}

func (s *cacheShard[V]) remove(e *list.Element) {
	s.order.Remove(e)
	delete(s.entries, e.Value.(*cached[V]).key)
}

// Clear forgets everything.
func (c *Cache[V]) Clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		clear(s.entries)
		s.order.Init()
		s.mu.Unlock()
	}
}

// Each calls f with every answer that is not too old.
func (c *Cache[V]) Each(f func(V)) {
	now := c.now()
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for e := s.order.Front(); e != nil; e = e.Next() {
			if x := e.Value.(*cached[V]); !now.After(x.until) {
				f(x.value)
			}
		}
		s.mu.Unlock()
	}
}
