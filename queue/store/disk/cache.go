package disk

import "github.com/cockroachdb/pebble/v2"

// cacheOf makes the block cache of a store.
func cacheOf(o *Options) *pebble.Cache {
	size := int64(64 << 20)
	if o.Cache > 0 {
		size = o.Cache
	}
	return pebble.NewCache(size)
}

// DropCache gives back the memory of what was read, as all sessions were at
// boot, and most of which is not read again.
func (s *Store) DropCache() {
	s.cache.Reserve(int(s.cache.MaxSize()))() // makes room for so much, and does without
}
