package server

import (
	"time"

	"vernemq/queue"
)

// retain keeps p as the retained message of its topic, or removes the one
// that is kept when p is empty [MQTT-3.3.1-5] [MQTT-3.3.1-6].
func (b *Broker) retain(mountpoint string, p *queue.Publication) {
	if len(p.Payload) == 0 {
		old, had := b.retained.Delete(mountpoint, string(p.Topic))
		b.retainedBytes.Add(-sizeOf(old, had))
		return
	}
	m := p.Unpooled()
	old, had := b.retained.Put(mountpoint, string(p.Topic), m)
	b.retainedBytes.Add(sizeOf(m, true) - sizeOf(old, had))
}

// retainedFor yields the retained messages that match a filter at a Unix
// second. One that has expired goes when it is met.
func (b *Broker) retainedFor(mountpoint string, filter []byte, now int64, yield func(*queue.Message) bool) {
	for _, m := range b.retained.Match(mountpoint, string(filter), nil) {
		if m.Expired(now) {
			b.expireRetained(mountpoint, string(m.Topic()), now)
		} else if !yield(m) {
			return
		}
	}
}

// expireRetained removes the retained message of a topic if it has expired:
// another may have taken its place.
func (b *Broker) expireRetained(mountpoint, topic string, now int64) bool {
	size := int64(0)
	gone := b.retained.DeleteIf(mountpoint, topic, func(m *queue.Message) bool {
		size = sizeOf(m, true)
		return m.Expired(now)
	})
	if gone {
		b.retainedBytes.Add(-size)
	}
	return gone
}

// sizeOf is what a retained message occupies, if there is one.
func sizeOf(m *queue.Message, there bool) int64 {
	if !there {
		return 0
	}
	return int64(m.Size())
}

// sweepRetained removes all retained messages that have expired at a Unix
// second and returns how many.
func (b *Broker) sweepRetained(now int64) (n int) {
	b.retained.All(func(mountpoint, topic string, m *queue.Message) bool {
		if m.Expired(now) && b.expireRetained(mountpoint, topic, now) {
			n++
		}
		return true
	})
	return n
}

// sweep looks for expired retained messages every so often until the broker
// stops. It runs beside the loops, as a million topics take a while.
func (b *Broker) sweep(interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-b.stopping:
			return
		case now := <-t.C:
			if n := b.sweepRetained(now.Unix()); n > 0 {
				b.log.Debug("expired retained messages are removed", "count", n)
			}
		}
	}
}
