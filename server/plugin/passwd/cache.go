package passwd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// key stands for a user and a password. Without the secret of its cache it says
// nothing about them.
type key [sha256.Size]byte

// cache remembers which passwords were right a while ago, so that clients that
// all come back at once do not cost a dear hash each.
//
// It has two generations. When the young one is half the limit or half the age,
// it becomes the old one, and what was old is forgotten. So an entry lives for
// at most the age, and looking one up changes nothing.
type cache struct {
	secret []byte
	limit  int // entries of a generation
	age    time.Duration
	now    func() time.Time

	mu         sync.Mutex
	young, old map[key]struct{}
	born       time.Time // of the young generation
}

func newCache(size int, age time.Duration, now func() time.Time) *cache {
	return &cache{secret: randomBytes(sha256.Size), limit: size / 2, age: age / 2, now: now, born: now()}
}

func (c *cache) key(user string, password []byte) key {
	mac := hmac.New(sha256.New, c.secret)
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(user)))
	mac.Write(length[:]) // where the user ends and the password begins
	mac.Write([]byte(user))
	mac.Write(password)
	return key(mac.Sum(nil))
}

func (c *cache) has(k key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn()
	_, ok := c.young[k]
	if !ok {
		_, ok = c.old[k]
	}
	return ok
}

func (c *cache) add(k key) {
	if c.limit == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn()
	if len(c.young) >= c.limit {
		c.old, c.young, c.born = c.young, nil, c.now()
	}
	if c.young == nil {
		c.young = map[key]struct{}{}
	}
	c.young[k] = struct{}{}
}

// turn forgets what has become too old.
func (c *cache) turn() {
	now := c.now()
	switch age := now.Sub(c.born); {
	case age >= 2*c.age:
		c.old, c.young, c.born = nil, nil, now
	case age >= c.age:
		c.old, c.young, c.born = c.young, nil, c.born.Add(c.age)
	}
}
