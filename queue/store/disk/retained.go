package disk

import (
	"bytes"
	"fmt"

	"vernemq/queue"
)

// ServeRetained sets Options.Retained, before the first use of Batch.Retain.
func (s *Store) ServeRetained(retained func(mountpoint, topic string) *queue.Message) {
	s.opts.Retained = retained
}

// Retain writes down what the retained message of a topic is, or that there is
// none. What it is says Options.Retained, when the writer comes to it: loops
// that replace the same message at the same time may commit in another order
// than that of memory.
func (b *Batch) Retain(mountpoint string, topic []byte) {
	if b.store.opts.Retained == nil {
		panic("disk: Retain without Options.Retained")
	}
	k := len(b.buf)
	b.buf = appendRetainedKey(b.buf, mountpoint, topic)
	b.add(op{act: actRetain, key: k, value: len(b.buf)})
	b.retains = true
}

// writeRetained writes the retained messages that the batches are about, each
// topic once. They may be on disk before their batch is, as that of a later
// batch may be: when they are large, they are written before the rest.
func (g *group) writeRetained(batches []*Batch) error {
	var written map[string]bool // keys
	for _, b := range batches {
		for i := 0; b.retains && i < len(b.ops); i++ {
			o := &b.ops[i]
			key := b.buf[o.key:o.value]
			if o.act != actRetain || written[string(key)] {
				continue
			}
			if written == nil {
				written = map[string]bool{}
			}
			written[string(key)] = true
			if err := g.retain(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// retain writes the retained message of a key as it is in memory.
func (g *group) retain(key []byte) error {
	mountpoint, topic, err := retainedOf(key)
	if err != nil {
		return err
	}
	m := g.s.opts.Retained(mountpoint, string(topic))
	if m == nil {
		return g.w.Delete(key, nil)
	}
	if g.w.Len()+messageSize(m) > groupBytes {
		if err := g.s.apply(g.w); err != nil {
			return err
		}
		g.w = g.s.db.NewBatch()
	}
	return g.setMessage(key, nil, m)
}

// Retained shows all retained messages. They are not pooled and are each's.
func (s *Store) Retained(each func(mountpoint string, m *queue.Message) error) error {
	err := s.scan([]byte{kindRetained}, func(key, value []byte) error {
		mountpoint, topic, err := retainedOf(key)
		if err != nil {
			return err
		}
		m, err := parseMessage(value)
		if err != nil {
			return err
		}
		defer m.Release()
		if !bytes.Equal(m.Topic(), topic) {
			return fmt.Errorf("message of topic %q", m.Topic())
		}
		var p queue.Publication
		p.View(m)
		defer p.Reset()
		return each(mountpoint, p.Unpooled())
	})
	if err != nil {
		return fmt.Errorf("cannot read retained messages: %w", err)
	}
	return nil
}
