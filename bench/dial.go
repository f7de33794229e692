package bench

import (
	"errors"
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/sys/unix"

	"vernemq/codec"
)

// dialer connects a group's clients, each at its time.
type dialer struct {
	to      unix.Sockaddr
	family  int
	sources []unix.Sockaddr
	queue   []*client // to connect
	start   int64
	period  float64 // nanoseconds between clients over all engines; 0: none
	open    int     // handshakes under way
	clean   bool    // ends persistent sessions instead of keeping them
}

// address sets where to connect to and from.
func (d *dialer) address(p *plan) (err error) {
	if d.to, d.family, err = resolve(p.Addr); err != nil {
		return err
	}
	for _, s := range p.sources(d.to) {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("cannot use source address %q: %w", s, err)
		}
		sa, family := sockaddr(ip, 0)
		if family != d.family {
			return fmt.Errorf("cannot use source address %s for a broker at %s: one is IPv4, the other IPv6", s, p.Addr)
		}
		d.sources = append(d.sources, sa)
	}
	return nil
}

// clientsPerSource is how many clients use an address of the loopback network
// before the next one is taken. The kernel first looks at every second port
// only, 14,000 of them, and a connect becomes slow when these run out.
const clientsPerSource = 10_000

// sources are the local addresses: those that were given or, to a broker on
// the loopback network, as many as the clients need.
func (p *plan) sources(to unix.Sockaddr) []string {
	sa, ok := to.(*unix.SockaddrInet4)
	n := p.connections() / p.Of / clientsPerSource
	if len(p.Sources) > 0 || !ok || sa.Addr[0] != 127 || n == 0 {
		return p.Sources
	}
	var all []string
	for i := range min(n+1, 250) {
		all = append(all, fmt.Sprintf("127.0.%d.%d", p.Share, i+1))
	}
	return all
}

// connectGroup begins to connect a group.
func (w *worker) connectGroup(c command) {
	w.dial.queue = w.members[c.Group]
	w.dial.start, w.dial.period, w.dial.clean = c.Start, 0, c.Clean
	if c.Rate > 0 {
		w.dial.period = 1e9 / c.Rate
	}
}

// due is when a client is to connect. Without a rate that is at once, and the
// time that it waits for others is not counted.
func (d *dialer) due(c *client) int64 { return d.start + int64(float64(c.number)*d.period) }

func (w *worker) dialDue(at int64) int64 {
	d := &w.dial
	if len(d.queue) == 0 || d.open >= w.handshakes() {
		return math.MaxInt64
	}
	return d.due(d.queue[0])
}

// handshakes is how many handshakes a worker may have under way.
func (w *worker) handshakes() int { return max(w.plan.Parallel/len(w.under), 1) }

// dialsAtOnce bounds the connects of a turn: the other clients' answers must
// not wait for all of them.
const dialsAtOnce = 64

func (w *worker) dialTurn(at int64) {
	d := &w.dial
	for range dialsAtOnce {
		if w.dialDue(at) > at {
			return
		}
		c := d.queue[0]
		d.queue = d.queue[1:]
		if c.due = d.due(c); d.period == 0 {
			c.due = now()
		}
		w.open(c, now())
	}
}

// lose closes a connection that failed.
func (w *worker) lose(c *client, err error) {
	before := c.state
	if before == greeting && (err == errBrokerClosed || errors.Is(err, unix.ECONNRESET)) && w.refused(c, unanswered) == nil {
		return
	}
	w.close(c)
	switch {
	case before < ready:
		w.count.Failed++
		w.note(c, err)
	case w.plan.Kind == TakeOver && c.group == idle:
		w.count.TakenOver++
	default:
		w.count.Lost++
		w.note(c, err)
	}
}

// fail counts a connection that could not even begin.
func (w *worker) fail(c *client, err error) {
	w.count.Failed++
	w.note(c, err)
}

// note keeps the cause of the first failure.
func (w *worker) note(c *client, err error) {
	if w.cause == "" {
		w.cause = fmt.Sprintf("%s: %v", w.plan.clientID(c.group, c.number), err)
	}
}

// hangUp ends all clients, in order as far as their sockets take it. The
// sockets are reset, so that thousands of them do not linger in TIME_WAIT and
// take the next run's ports.
func (w *worker) hangUp() {
	for i := range w.clients {
		c := &w.clients[i]
		if c.fd >= 0 && c.state == ready && !c.writing {
			c.out = codec.AppendDisconnect(c.out, w.version, codec.Success, "", "")
			w.flush(c, now())
		}
		if c.fd >= 0 {
			_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
		w.close(c)
	}
}

func (w *worker) close(c *client) {
	if c.fd < 0 {
		return
	}
	unix.Close(int(c.fd))
	if s := c.secure; s != nil && s.shaking != nil {
		close(s.shaking.gone)
	}
	c.secure = nil
	if c.state < ready {
		w.dial.open--
	}
	c.fd, c.state = -1, closed
	w.count.Open--
}
