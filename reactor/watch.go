package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"
)

// watch tells the poller what to watch from now on. A connection that is
// neither read nor written is out of the poller, or only watched for its end.
func (c *Conn) watch(want interest) {
	if c.state == stateFree {
		return
	}
	was, to := c.interest.watched(), want.watched()
	c.interest = want
	if was == to {
		return
	}
	p, pa := c.loop.poller, netpoll.PollAttachment{FD: int(c.fd)}
	var err error
	switch {
	case to == 0:
		err = p.Delete(pa.FD)
	case to == watchHangup:
		err = c.watchHangup(was)
	case was == 0 && to == watchRead:
		err = p.AddRead(&pa, false)
	case was == 0 && to == watchWrite:
		err = p.AddWrite(&pa, false)
	case was == 0:
		err = p.AddReadWrite(&pa, false)
	case to == watchRead:
		err = p.ModRead(&pa, false)
	case to == watchWrite: // the poller cannot change to writing alone
		if err = p.Delete(pa.FD); err == nil {
			err = p.AddWrite(&pa, false)
		}
	default:
		err = p.ModReadWrite(&pa, false)
	}
	if err != nil {
		c.Close(err)
	}
}

// watched is what the poller really watches: who reads or writes notices the
// peer's end anyway.
func (i interest) watched() interest {
	if rw := i & (watchRead | watchWrite); rw != 0 {
		return rw
	}
	return i
}

// watchHangup watches for the peer's end alone, which the poller cannot.
func (c *Conn) watchHangup(was interest) error {
	op := unix.EPOLL_CTL_MOD
	if was == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	return unix.EpollCtl(c.loop.epoll, op, int(c.fd), &unix.EpollEvent{Fd: c.fd, Events: unix.EPOLLRDHUP})
}

func newBuffer() *bytebufferpool.ByteBuffer { return bytebufferpool.Get() }

// keptBuffer is the largest buffer that goes back to the pool.
const keptBuffer = 1 << 20

func freeBuffer(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= keptBuffer { // of input
		bytebufferpool.Put(b)
	}
}

func (c *Conn) dropInput() {
	if c.in != nil {
		freeBuffer(c.in)
		c.in = nil
	}
}
