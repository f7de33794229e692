package ws

import (
	"encoding/binary"
	"math/bits"
)

// unmask writes from, unmasked, to the beginning of to and gives the key for
// the byte that follows [RFC 6455, 5.3]. to may be from or begin before it in
// the same memory: each word is read before the bytes of it are overwritten.
func unmask(to, from []byte, key uint32) uint32 {
	to = to[:len(from)]
	wide := uint64(key)<<32 | uint64(key)
	for len(from) >= 32 && len(to) >= 32 {
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from)^wide)
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:])^wide)
		binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(from[16:])^wide)
		binary.LittleEndian.PutUint64(to[24:], binary.LittleEndian.Uint64(from[24:])^wide)
		to, from = to[32:], from[32:]
	}
	for len(from) >= 8 && len(to) >= 8 {
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from)^wide)
		to, from = to[8:], from[8:]
	}
	for i := range from {
		to[i] = from[i] ^ byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return key
}
