package server

import (
	"time"

	"vernemq/queue"
)

// retain keeps p as the retained message of its topic, or removes the one
// that is kept when p is empty [MQTT-3.3.1-5] [MQTT-3.3.1-6].
func (l *loop) retain(mountpoint string, p *queue.Publication) {
	if len(p.Payload) == 0 {
		old, had := l.broker.retained.Delete(mountpoint, string(p.Topic))
		l.broker.retainedBytes.Add(-sizeOf(old, had))
	} else {
		m := p.Unpooled()
		old, had := l.broker.retained.Put(mountpoint, string(p.Topic), m)
		l.broker.retainedBytes.Add(sizeOf(m, true) - sizeOf(old, had))
	}
	l.records().Retain(mountpoint, p.Topic)
}

// forgetRetained removes the retained message of a topic, if there is one.
func (l *loop) forgetRetained(mountpoint, topic string) bool {
	old, had := l.broker.retained.Delete(mountpoint, topic)
	if had {
		l.broker.retainedBytes.Add(-sizeOf(old, true))
		l.records().Retain(mountpoint, []byte(topic))
	}
	return had
}

// retainedFor yields the retained messages that match a filter at a Unix
// second. One that has expired goes when it is met.
func (l *loop) retainedFor(mountpoint string, filter []byte, now int64, yield func(*queue.Message) bool) {
	for _, m := range l.broker.retained.Match(mountpoint, string(filter), nil) {
		if m.Expired(now) {
			l.expireRetained(mountpoint, string(m.Topic()), now)
		} else if !yield(m) {
			return
		}
	}
}

// expireRetained removes the retained message of a topic if it has expired:
// another may have taken its place.
func (l *loop) expireRetained(mountpoint, topic string, now int64) {
	size := int64(0)
	gone := l.broker.retained.DeleteIf(mountpoint, topic, func(m *queue.Message) bool {
		size = sizeOf(m, true)
		return m.Expired(now)
	})
	if gone {
		l.broker.retainedBytes.Add(-size)
		l.records().Retain(mountpoint, []byte(topic))
	}
}

// sizeOf is what a retained message occupies, if there is one.
func sizeOf(m *queue.Message, there bool) int64 {
	if !there {
		return 0
	}
	return int64(m.Size())
}

// sweepAtOnce is how many expired messages a loop removes in a turn.
const sweepAtOnce = 256

// sweepRetained has all retained messages removed that have expired at a Unix
// second, and returns how many.
func (b *Broker) sweepRetained(now int64) (n int) {
	type place struct{ mountpoint, topic string }
	var expired []place
	remove := func() {
		list, l := expired, b.loops[0]
		n, expired = n+len(list), nil
		l.reactor.Post(func() {
			for _, x := range list {
				l.expireRetained(x.mountpoint, x.topic, now)
			}
		})
	}
	b.retained.All(func(mountpoint, topic string, m *queue.Message) bool {
		if m.Expired(now) {
			if expired = append(expired, place{mountpoint, topic}); len(expired) == sweepAtOnce {
				remove()
			}
		}
		return true
	})
	if len(expired) > 0 {
		remove()
	}
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
