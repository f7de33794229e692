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

// findRetained looks up the retained messages that a batch is about, and
// returns how many bytes they are.
func (s *Store) findRetained(b *Batch) (size int) {
	if !b.retains {
		return 0
	}
	for i := range b.ops {
		o := &b.ops[i]
		if o.act != actRetain {
			continue
		}
		b.release(o)                                             // it may have been looked up for a group that was full
		mountpoint, topic, _ := retainedOf(b.buf[o.key:o.value]) // Retain wrote it
		if m := s.opts.Retained(mountpoint, string(topic)); m != nil {
			o.msg = m.Hold()
			size += messageSize(m)
		}
	}
	return size
}

// retain writes what was found, once for a topic and group.
func (g *group) retain(key []byte, m *queue.Message) error {
	if g.retained[string(key)] {
		return nil
	}
	if g.retained == nil {
		g.retained = map[string]bool{}
	}
	g.retained[string(key)] = true
	if m == nil {
		return g.w.Delete(key, nil)
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
