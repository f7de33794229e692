package mqttmodel

import "vernemq/codec"

const never = ^uint32(0)

// retryInterval is the time after which a broker with a clock sends again what
// an MQTT 3 client has not acknowledged.
const retryInterval = 20

// tick lets a second pass.
func (m *Model) tick() {
	m.clock++
	for _, s := range m.all() {
		if s.online {
			continue
		}
		away := m.clock - s.left
		if s.expiry != never && away >= s.expiry {
			m.end(s)
		} else if w := s.will; w != nil && away >= w.delay {
			s.will = nil
			m.publish(&w.message)
		}
	}
}

// mayRepeat tells that the client had time enough to acknowledge. Only MQTT 3
// allows to send again on the same connection [MQTT-4.4.0-1].
func (f *flight) mayRepeat(s *session, now uint32) bool {
	return s.version != codec.V5 && !f.due && now-f.sent >= retryInterval
}

// stamp notes a transmission after the one time and not after the other.
func (f *flight) stamp(s *session, before, now uint32) {
	if f.mayRepeat(s, now) {
		f.sent += retryInterval
	} else {
		f.sent = before
	}
	f.seen = now
}

// repeated holds that messages are sent again when it is time.
func (m *Model) repeated(s *session) {
	for _, f := range s.flights {
		if f.mayRepeat(s, m.clock) && m.clock >= f.seen+retryInterval {
			m.fail("%s: packet %d is not sent again after the retry interval", s.name, f.packet)
		}
	}
}

// stall notes whether the connection takes messages. What could not be
// repeated meanwhile is a little late.
func (m *Model) stall(s *session, on bool) {
	s.stalled = on
	for _, f := range s.flights {
		f.seen = max(f.seen, m.clock+2-min(m.clock+2, retryInterval))
	}
}
