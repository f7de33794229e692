package server

import "vernemq/queue"

// OwnMessage is a message that the broker itself publishes.
type OwnMessage = struct{ Topic, Payload string }

// PublishOwn publishes messages of the broker itself within a mountpoint, soon
// and in order. It waits for nobody. Any goroutine.
func (b *Broker) PublishOwn(mountpoint string, qos byte, retain bool, messages []OwnMessage) {
	l := b.loops[0]
	l.reactor.Post(func() {
		var p queue.Publication
		for _, m := range messages {
			p.Topic, p.Payload, p.QoS, p.Retain = []byte(m.Topic), []byte(m.Payload), qos, retain
			l.publish(mountpoint, &p)
			p.Reset()
		}
		l.reactor.EndTurn()
	})
}
