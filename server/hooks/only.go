package hooks

import (
	"context"
	"errors"
)

// ErrNoHook is the result of a hook of which only the first plugin is asked,
// when there is none.
var ErrNoHook = errors.New("no_matching_hook_found")

// MessageStore is a place for messages of clients that are away, in place of
// the broker's own. Its methods are the hooks msg_store_write, msg_store_read,
// msg_store_delete and msg_store_find. A reference names a message; Find gives
// those of a client in the order of their arrival.
type MessageStore interface {
	Write(ctx context.Context, c Client, ref []byte, m *Message) error
	Read(ctx context.Context, c Client, ref []byte) (*Message, error)
	Delete(ctx context.Context, c Client, ref []byte) error
	Find(ctx context.Context, c Client) (refs [][]byte, err error)
}

// MessageStore gives the store of the first plugin that has one.
func (s *Snapshot) MessageStore() (MessageStore, error) {
	if len(s.stores) == 0 {
		return nil, ErrNoHook
	}
	return s.stores[0], nil
}
