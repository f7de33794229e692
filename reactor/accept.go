package reactor

import (
	"golang.org/x/sys/unix"
)

// acceptBatch is the number of connections that are accepted in one turn.
const acceptBatch = 128

// accept takes new connections into the lobby.
func (l *Loop) accept(a *acceptor) {
	for range acceptBatch {
		if !a.listener.reserve() {
			// Said before the second try: whoever leaves in between is either
			// seen by it or sees that somebody waits.
			a.listener.awaited.Store(true)
			if !a.listener.reserve() {
				a.pause()
				l.stats.listenerFull.inc()
				return
			}
		}
		fd, sa, err := unix.Accept4(a.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == nil {
			l.admit(a.listener, fd, sa)
			continue
		}
		a.listener.unreserve()
		switch err {
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			// Out of descriptors or memory: the connections wait in the
			// backlog until there is room again.
			l.acceptFailed(a, err)
			a.pause()
			return
		}
	}
}

func (l *Loop) acceptFailed(a *acceptor, err error) {
	l.stats.acceptErrors.inc()
	if now := l.now.Load(); now != l.acceptError {
		l.acceptError = now
		l.reactor.cfg.Log.Error("cannot accept connections, will try again",
			"listener", a.listener.options.Name, "cause", err.Error())
	}
}

// retryAccept goes on with listeners that were paused for want of room.
func (l *Loop) retryAccept() {
	for _, a := range l.acceptors {
		if a.paused && !a.listener.full() {
			a.resume()
		}
	}
}

// admit makes a connection of an accepted socket.
func (l *Loop) admit(li *Listener, fd int, sa unix.Sockaddr) {
	c := l.reactor.table.at(fd)
	if c == nil || l.reactor.stopping.Load() {
		unix.Close(fd)
		li.unreserve()
		return
	}
	c.generation.Load() // orders what follows after the last use by another loop
	c.fd, c.loop, c.listener = int32(fd), l, li
	c.state, c.flags, c.interest = stateLobby, 0, 0
	c.lastSeen = l.now.Load()
	c.setPeer(sa)
	c.owner.Store(int32(l.index) + 1)
	l.conns++
	l.stats.accepted.inc()
	li.active.Add(1)
	li.total.Add(1)
	li.options.setUnixBuffers(fd)
	if li.options.NoDelay && li.options.Network != "unix" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	c.wire = l.newWire(c)
	l.receive(c)
	c.watch(watchRead)
}

// setUnixBuffers gives an accepted unix socket its buffers. A TCP socket has
// them from the listening one, which must have them before the handshake: they
// decide the window scale.
func (o *ListenOptions) setUnixBuffers(fd int) {
	if o.Network != "unix" {
		return
	}
	if o.SndBuf > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, o.SndBuf)
	}
	if o.RcvBuf > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RcvBuf)
	}
}
