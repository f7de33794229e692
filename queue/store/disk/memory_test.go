package disk

import (
	"fmt"
	"slices"
	"sync"

	"vernemq/queue"
)

// memory is the retained messages of a broker, with all that they were since
// the store was opened.
type memory struct {
	sync.Mutex
	batches int // handed over
	now     map[string]*queue.Message
	past    map[string][]pastMessage
}

type pastMessage struct {
	batch int    // the one that tells of it
	text  string // "" when there was none
}

func newMemory() *memory {
	return &memory{now: map[string]*queue.Message{}, past: map[string][]pastMessage{}}
}

// unpooled is a message as retained ones are.
func unpooled(topic, payload string) *queue.Message {
	m := testMessage(topic, payload)
	defer m.Release()
	var p queue.Publication
	p.View(m)
	defer p.Reset()
	return p.Unpooled()
}

func (x *memory) find(mountpoint, topic string) *queue.Message {
	x.Lock()
	defer x.Unlock()
	return x.now[retainedName(mountpoint, topic)]
}

func (x *memory) set(name string, m *queue.Message) {
	x.Lock()
	defer x.Unlock()
	text := ""
	if x.now[name] = m; m != nil {
		text = messageText(m)
	}
	x.past[name] = append(x.past[name], pastMessage{x.batches + 1, text})
}

// next begins the next batch.
func (x *memory) next() {
	x.Lock()
	defer x.Unlock()
	x.batches++
}

// load takes what a store has, as a broker does when it starts.
func (x *memory) load(s *Store) error {
	return s.Retained(func(mountpoint string, m *queue.Message) error {
		name := retainedName(mountpoint, string(m.Topic()))
		x.now[name] = m
		x.past[name] = []pastMessage{{0, messageText(m)}}
		return nil
	})
}

// allows tells what is wrong with the retained messages of a store that has the
// first k batches: they may be as they were after these, or at any time later.
func (x *memory) allows(got map[string]string, k int) error {
	for name := range got {
		if x.past[name] == nil {
			return fmt.Errorf("retained %s was never there", name)
		}
	}
	for name, past := range x.past {
		from := 0 // what it was after k batches
		for from+1 < len(past) && past[from+1].batch <= k {
			from++
		}
		none := past[0].batch > k && got[name] == ""
		if !none && !slices.ContainsFunc(past[from:], func(p pastMessage) bool { return p.text == got[name] }) {
			return fmt.Errorf("retained %s is %q, want one of %+v", name, got[name], past[from:])
		}
	}
	return nil
}
