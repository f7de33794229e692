package reactor

import "sync/atomic"

// counter is written by one loop and read by anyone.
type counter struct{ n atomic.Uint64 }

func (c *counter) inc()      { c.n.Store(c.n.Load() + 1) }
func (c *counter) add(k int) { c.n.Store(c.n.Load() + uint64(k)) }

type stats struct {
	accepted, closed, acceptErrors            counter
	bytesIn, bytesOut, reads, writes          counter
	lobbyTimeouts, lobbyEvicted, lobbyGarbage counter
	handshakes, handshakeErrors               counter
	sendTimeouts, panics                      counter
}

// Stats are sums over all loops since the start.
type Stats struct {
	Accepted, Closed, AcceptErrors            uint64
	BytesIn, BytesOut, Reads, Writes          uint64
	LobbyTimeouts, LobbyEvicted, LobbyGarbage uint64
	Handshakes, HandshakeErrors               uint64 // of TLS; errors are among them
	SendTimeouts, Panics                      uint64
}

// Stats sums up the counters. Any goroutine.
func (r *Reactor) Stats() (s Stats) {
	for _, l := range r.loops {
		for _, x := range []struct {
			to   *uint64
			from *counter
		}{
			{&s.Accepted, &l.stats.accepted}, {&s.Closed, &l.stats.closed}, {&s.AcceptErrors, &l.stats.acceptErrors},
			{&s.BytesIn, &l.stats.bytesIn}, {&s.BytesOut, &l.stats.bytesOut}, {&s.Reads, &l.stats.reads}, {&s.Writes, &l.stats.writes},
			{&s.LobbyTimeouts, &l.stats.lobbyTimeouts}, {&s.LobbyEvicted, &l.stats.lobbyEvicted}, {&s.LobbyGarbage, &l.stats.lobbyGarbage},
			{&s.Handshakes, &l.stats.handshakes}, {&s.HandshakeErrors, &l.stats.handshakeErrors},
			{&s.SendTimeouts, &l.stats.sendTimeouts}, {&s.Panics, &l.stats.panics},
		} {
			*x.to += x.from.n.Load()
		}
	}
	return s
}
