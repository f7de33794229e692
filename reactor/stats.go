package reactor

import (
	"errors"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

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
	transportErrors, full, listenerFull       counter
	lobby                                     counter // a level
}

// isTransportError tells that a connection ended by an error of the transport:
// not by its end, and not by a reset, which is how many clients leave.
func isTransportError(err error) bool {
	var e unix.Errno
	return err == errSendTimeout || errors.As(err, &e) && e != unix.ECONNRESET && e != unix.EPIPE
}

// Stats are sums over all loops since the start.
type Stats struct {
	Accepted, Closed, AcceptErrors            uint64
	BytesIn, BytesOut, Reads, Writes          uint64
	LobbyTimeouts, LobbyEvicted, LobbyGarbage uint64
	Handshakes, HandshakeErrors               uint64 // of TLS; errors are among them
	SendTimeouts, Panics                      uint64
	TransportErrors                           uint64 // ends by an error other than a reset
	Full                                      uint64 // times that a connection became Full
	ListenerFull                              uint64 // times that a listener had all its connections
	Lobby                                     uint64 // connections in the lobby now, at most a second old
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
			{&s.TransportErrors, &l.stats.transportErrors}, {&s.Full, &l.stats.full}, {&s.ListenerFull, &l.stats.listenerFull}, {&s.Lobby, &l.stats.lobby},
		} {
			*x.to += x.from.n.Load()
		}
	}
	return s
}
