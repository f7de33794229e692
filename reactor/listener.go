package reactor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/socket"
	"golang.org/x/sys/unix"
)

// ListenOptions describe a listener.
type ListenOptions struct {
	Name           string
	Network        string // tcp, tcp4, tcp6 or unix
	Address        string // host:port, or a path
	MaxConnections int    // 0 or less: no limit; others wait in the backlog
	NoDelay        bool
	KeepAlive      bool // of TCP
	SndBuf, RcvBuf int  // bytes, as a program asks for them; 0 leaves them to the kernel, which adapts them
	Tag            any  // the broker's own

	Proxy   bool // the header of the PROXY protocol comes first
	ProxyCN bool // Identity has the common name that it tells of
	// TLS gives the configuration for a new connection, nil for a listener
	// without TLS. On a loop: it must not wait.
	TLS              func() *tls.Config
	HandshakeTimeout time.Duration // of TLS, from the accept on
	WebSocket        *WebSocket    // nil for plain MQTT
}

// Listener accepts connections on an address. With several loops it has one
// socket for each, among which the kernel spreads the connections.
type Listener struct {
	reactor   *Reactor
	options   ListenOptions
	addr      net.Addr
	active    atomic.Int64
	taken     atomic.Int64 // active and those being accepted
	awaited   atomic.Bool  // an acceptor waits for a place
	total     atomic.Uint64
	suspended atomic.Bool
	closed    atomic.Bool
	acceptors []*acceptor
	closeOnce sync.Once
}

// acceptor is a listening socket on one loop.
type acceptor struct {
	listener *Listener
	loop     *Loop
	conn     *Conn // its place in the table
	fd       int
	paused   bool // out of the poller: suspended, full, or out of descriptors
}

// Options are the options that the listener was made with.
func (li *Listener) Options() ListenOptions { return li.options }

// Addr is the address, with the port that the system chose for port 0.
func (li *Listener) Addr() net.Addr { return li.addr }

// Active is the number of open connections. Any goroutine.
func (li *Listener) Active() int64 { return li.active.Load() }

// Total is the number of connections accepted so far. Any goroutine.
func (li *Listener) Total() uint64 { return li.total.Load() }

// Suspended tells whether the listener was suspended. Any goroutine.
func (li *Listener) Suspended() bool { return li.suspended.Load() }

// Suspend stops accepting; connections stay. Any goroutine.
func (li *Listener) Suspend() { li.suspended.Store(true); li.each((*acceptor).pause) }

// Resume accepts again. Any goroutine.
func (li *Listener) Resume() { li.suspended.Store(false); li.each((*acceptor).resume) }

func (li *Listener) each(f func(*acceptor)) {
	for _, a := range li.acceptors {
		a.loop.Post(func() { f(a) })
	}
}

// left tells that a connection of the listener has ended.
func (li *Listener) left() {
	li.active.Add(-1)
	li.unreserve()
}

func (li *Listener) full() bool {
	m := li.options.MaxConnections
	return m > 0 && li.taken.Load() >= int64(m)
}

// reserve counts a connection that is about to be accepted; loops accept at
// the same time.
func (li *Listener) reserve() bool {
	m := int64(li.options.MaxConnections)
	for {
		n := li.taken.Load()
		if m > 0 && n >= m {
			return false
		}
		if li.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// unreserve gives a place back, to an acceptor that waits for one.
func (li *Listener) unreserve() {
	li.taken.Add(-1)
	if li.awaited.Load() && li.awaited.Swap(false) {
		li.each((*acceptor).resume)
	}
}

// Listen opens a listener. The loops must run.
func (r *Reactor) Listen(o ListenOptions) (*Listener, error) {
	li := &Listener{reactor: r, options: o}
	fds, err := r.sockets(&o)
	if err != nil {
		return nil, err
	}
	for i, fd := range fds {
		a := &acceptor{listener: li, loop: r.loops[i], fd: fd, paused: true}
		if a.conn = r.table.at(fd); a.conn == nil {
			closeAll(fds)
			return nil, fmt.Errorf("cannot listen: descriptor %d is too large", fd)
		}
		li.acceptors = append(li.acceptors, a)
	}
	if li.addr, err = localAddr(fds[0]); err != nil {
		closeAll(fds)
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		closeAll(fds)
		return nil, ErrStopped
	}
	r.listeners = append(r.listeners, li)
	li.each((*acceptor).begin)
	return li, nil
}

// sockets opens the listening sockets: one for each loop, or one on the first
// loop where the kernel cannot spread connections.
func (r *Reactor) sockets(o *ListenOptions) ([]int, error) {
	if o.Network == "unix" {
		removeStale(o.Address)
		fd, err := open(o, o.Address, false)
		if err != nil {
			return nil, err
		}
		return []int{fd}, nil
	}
	// The first socket is opened alone, to find out that somebody else is
	// listening: sockets that share a port would not notice.
	first, err := open(o, o.Address, false)
	if err != nil || len(r.loops) == 1 {
		return []int{first}, err
	}
	addr, err := localAddr(first)
	unix.Close(first)
	if err != nil {
		return nil, err
	}
	// The host stays as it was given: none means IPv4 and IPv6, which the
	// address of the socket does not tell.
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(host, strconv.Itoa(addr.(*net.TCPAddr).Port))
	var fds []int
	for range r.loops {
		fd, err := open(o, address, true)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// open makes a listening socket.
func open(o *ListenOptions, address string, share bool) (int, error) {
	options := []socket.Option[int]{}
	if o.Network != "unix" {
		options = append(options, socket.Option[int]{SetSockOpt: socket.SetReuseAddr, Opt: 1})
	}
	if share {
		options = append(options, socket.Option[int]{SetSockOpt: socket.SetReuseport, Opt: 1})
	}
	if o.SndBuf > 0 {
		options = append(options, socket.Option[int]{SetSockOpt: socket.SetSendBuffer, Opt: o.SndBuf})
	}
	if o.RcvBuf > 0 {
		options = append(options, socket.Option[int]{SetSockOpt: socket.SetRecvBuffer, Opt: o.RcvBuf})
	}
	var fd int
	var err error
	if o.Network == "unix" {
		fd, _, err = socket.UnixSocket(o.Network, address, true, options, nil)
	} else {
		fd, _, err = socket.TCPSocket(o.Network, address, true, options, nil)
	}
	if err != nil {
		return -1, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	if o.KeepAlive && o.Network != "unix" { // connections inherit it
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	return fd, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// removeStale removes a socket file that nobody listens on any more. Only a
// refusal says so: a listener that is merely busy answers differently.
func removeStale(path string) {
	if st, err := os.Lstat(path); err != nil || st.Mode()&os.ModeSocket == 0 {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: path}) == unix.ECONNREFUSED {
		os.Remove(path)
	}
}

func localAddr(fd int) (net.Addr, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot read a socket's address: %w", err)
	}
	return socket.SockaddrToTCPOrUnixAddr(sa), nil
}

// Close ends accepting and returns when the sockets are closed, or soon after
// ctx if a loop is stuck. Connections stay. Any goroutine but a loop's.
func (li *Listener) Close(ctx context.Context) {
	li.closeOnce.Do(func() {
		li.closed.Store(true)
		var wg sync.WaitGroup
		for _, a := range li.acceptors {
			wg.Add(1)
			a.loop.Post(func() { defer wg.Done(); a.end() })
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			select {
			case <-done:
			case <-time.After(stopGrace):
			}
		}
		if li.options.Network == "unix" {
			os.Remove(li.options.Address)
		}
		r := li.reactor
		r.mu.Lock()
		r.listeners = slices.DeleteFunc(r.listeners, func(x *Listener) bool { return x == li })
		r.mu.Unlock()
	})
}

// begin puts the socket into its loop's poller. On the loop.
func (a *acceptor) begin() {
	c := a.conn
	c.generation.Load()
	c.fd, c.loop, c.state, c.user = int32(a.fd), a.loop, stateListening, a
	c.owner.Store(int32(a.loop.index) + 1)
	a.loop.acceptors = append(a.loop.acceptors, a)
	a.resume()
}

// end closes the socket. On the loop.
func (a *acceptor) end() {
	a.pause()
	for i, x := range a.loop.acceptors {
		if x == a {
			a.loop.acceptors = append(a.loop.acceptors[:i], a.loop.acceptors[i+1:]...)
			break
		}
	}
	c := a.conn
	c.user, c.loop, c.state, c.interest = nil, nil, stateFree, 0
	c.owner.Store(0)
	c.generation.Add(1)
	unix.Close(a.fd)
}

func (a *acceptor) pause() {
	if !a.paused {
		a.paused = true
		_ = a.loop.poller.Delete(a.fd) // fails only when it is not in the poller
	}
}

func (a *acceptor) resume() {
	if !a.paused || a.listener.closed.Load() || a.listener.suspended.Load() {
		return
	}
	if err := a.loop.poller.AddRead(&netpoll.PollAttachment{FD: a.fd}, false); err != nil {
		a.loop.acceptFailed(a, err)
		return
	}
	a.paused = false
}
