package bench

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// resolve finds the address of the broker.
func resolve(addr string) (unix.Sockaddr, int, error) {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot find the broker: %w", err)
	}
	sa, family := sockaddr(a.AddrPort().Addr().Unmap(), a.Port)
	return sa, family, nil
}

func sockaddr(ip netip.Addr, port int) (unix.Sockaddr, int) {
	if ip.Is6() {
		return &unix.SockaddrInet6{Port: port, Addr: ip.As16()}, unix.AF_INET6
	}
	if !ip.IsValid() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return &unix.SockaddrInet4{Port: port, Addr: ip.As4()}, unix.AF_INET
}

// open begins to connect a client.
func (w *worker) open(c *client, at int64) {
	fd, err := w.socket(c)
	if err != nil {
		w.fail(c, err)
		return
	}
	c.fd, c.state, c.begun, c.spoke = int32(fd), dialling, at, at
	c.out, c.sent, c.in, c.inflight, c.writing, c.paused = c.out[:0], 0, c.in[:0], 0, true, false
	w.count.Open++
	w.dial.open++
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: c.place, Pad: c.fd}
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		w.lose(c, fmt.Errorf("cannot watch a socket: %w", err))
		return
	}
	if w.tls != nil {
		w.shake(c)
	} else {
		w.greet(c)
	}
}

// socket makes a socket and begins its handshake.
func (w *worker) socket(c *client) (int, error) {
	fd, err := unix.Socket(w.dial.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot make a socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if n := len(w.dial.sources); n > 0 {
		// The port is chosen when the destination is known, so that each
		// source address has all ports for each destination.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, w.dial.sources[c.number/w.plan.Of%n]); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("cannot use a source address: %w", err)
		}
	}
	if err := unix.Connect(fd, w.dial.to); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, fmt.Errorf("cannot connect to %s: %w", w.plan.Addr, err)
	}
	return fd, nil
}

// socketError is what went wrong with a socket.
func socketError(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		return unix.Errno(n)
	}
	return errBrokerClosed
}

// greet puts the CONNECT into the output.
func (w *worker) greet(c *client) {
	p := w.plan
	away := p.Kind == Offline && c.group == subscribers && !w.dial.clean
	connect := codec.Connect{
		Version: w.version, CleanStart: !away, KeepAlive: uint16(p.KeepAlive), RequestProblemInfo: true,
		ClientID: []byte(p.clientID(c.group, c.number)), Username: p.fill(p.Username, c), HasUsername: p.Username != "",
		Password: p.password(c), HasPassword: p.Secret != "",
	}
	switch {
	case away:
		connect.SessionExpiry = 3600
	case p.Persistent && c.group == subscribers:
		connect.SessionExpiry = 60 // nobody comes back
	}
	c.out = codec.AppendConnect(c.out, &connect)
}

// writable goes on once a socket takes bytes.
func (w *worker) writable(c *client) {
	if c.state == dialling {
		c.stage = now()
		if c.state = greeting; c.secure != nil {
			c.state = securing
		}
	}
	c.writing = false
	w.watch(c)
	w.mark(c)
}

// watch tells epoll what the client waits for.
func (w *worker) watch(c *client) {
	ev := unix.EpollEvent{Fd: c.place, Pad: c.fd}
	if !c.paused {
		ev.Events |= unix.EPOLLIN
	}
	if c.writing {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(w.ep, unix.EPOLL_CTL_MOD, int(c.fd), &ev); err != nil {
		w.lose(c, fmt.Errorf("cannot watch a socket: %w", err))
	}
}

// mark remembers that a client has output.
func (w *worker) mark(c *client) {
	if !c.marked {
		c.marked = true
		w.dirty = append(w.dirty, c)
	}
}

// flushAll writes all output, one call for each client.
func (w *worker) flushAll() {
	at := now()
	for i := 0; i < len(w.dirty); i++ {
		c := w.dirty[i]
		c.marked = false
		if c.fd >= 0 && !c.writing {
			w.flush(c, at)
		}
	}
	w.dirty = w.dirty[:0]
}

func (w *worker) flush(c *client, at int64) {
	if c.secure != nil {
		w.seal(c)
	}
	if c.sent == len(c.out) {
		return
	}
	n, err := unix.Write(int(c.fd), c.out[c.sent:])
	switch err {
	case nil:
		c.spoke = at
	case unix.EAGAIN, unix.EINTR:
		n = 0
	default:
		w.lose(c, fmt.Errorf("cannot send: %w", err))
		return
	}
	if c.sent += n; c.sent == len(c.out) {
		c.out, c.sent = c.out[:0], 0
		if c.secure != nil {
			c.secure.sealed = 0
		}
		w.catchUp(c) // without acknowledgements nothing else tells that there is room
		return
	}
	c.writing = true
	w.watch(c)
}

// read takes what has arrived.
func (w *worker) read(c *client) {
	n := copy(w.buf, c.in)
	m, err := w.receive(c, w.buf[n:])
	if w.arrived(c, m, err) {
		w.packets(c, w.buf[:n+m], now())
	}
}

// arrived tells whether a read has brought something.
func (w *worker) arrived(c *client, n int, err error) bool {
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	case err != nil:
		w.lose(c, fmt.Errorf("cannot read: %w", err))
		return false
	case n == 0:
		w.lose(c, errBrokerClosed)
		return false
	}
	return true
}

// packets takes what has arrived and keeps what is not complete.
func (w *worker) packets(c *client, b []byte, at int64) {
	for c.fd >= 0 {
		f, size, _, err := codec.Cut(b, len(w.buf)/2)
		if err != nil {
			w.lose(c, fmt.Errorf("cannot read a packet: %w", err))
			return
		}
		if size == 0 {
			break
		}
		if err := w.packet(c, f, at); err != nil {
			w.lose(c, err)
			return
		}
		b = b[size:]
	}
	c.in = append(c.in[:0], b...)
}
