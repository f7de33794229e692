// Package store keeps what outlives a connection: the backlog of messages of
// persistent sessions whose client is away.
//
// A Shard belongs to one loop and is only called on its goroutine.
package store

import "vernemq/queue"

// Client names the owner of a backlog.
type Client struct {
	Key            uint64 // queue.KeyOf(Mountpoint, ID)
	Mountpoint, ID string
}

// Store is the whole store; each loop works on a shard of its own.
type Store interface {
	Shard(loop int) Shard
	Close() error
}

// Shard keeps the backlogs of the clients of one loop. Entries keep the order
// in which they came, and own one hold on their message.
type Shard interface {
	// Append puts e at the end of the client's backlog and takes over its
	// hold on the message.
	Append(c Client, e queue.Entry)
	// First and Last remove an entry; ok is false when there is none. The
	// caller takes over the hold on the message.
	First(c Client) (e queue.Entry, ok bool)
	Last(c Client) (e queue.Entry, ok bool)
	// Len is the number of entries of the client's backlog.
	Len(c Client) int
	// Expire removes the oldest entries whose message has expired at a Unix
	// second, up to the first that has not, and returns how many.
	Expire(c Client, now int64) int
	// Drop forgets the client's backlog and returns its length. Before, it
	// shows each entry to a function, unless that is nil.
	Drop(c Client, each func(queue.Entry)) int
}
