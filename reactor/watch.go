package reactor

import (
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/valyala/bytebufferpool"
)

// watch tells the poller what to watch from now on. A connection that is
// neither read nor written is out of the poller.
func (c *Conn) watch(want interest) {
	if want == c.interest || c.state == stateFree {
		return
	}
	p, pa := c.loop.poller, netpoll.PollAttachment{FD: int(c.fd)}
	var err error
	switch {
	case want == 0:
		err = p.Delete(pa.FD)
	case c.interest == 0 && want == watchRead:
		err = p.AddRead(&pa, false)
	case c.interest == 0 && want == watchWrite:
		err = p.AddWrite(&pa, false)
	case c.interest == 0:
		err = p.AddReadWrite(&pa, false)
	case want == watchRead:
		err = p.ModRead(&pa, false)
	case want == watchWrite: // the poller cannot change to writing alone
		if err = p.Delete(pa.FD); err == nil {
			err = p.AddWrite(&pa, false)
		}
	default:
		err = p.ModReadWrite(&pa, false)
	}
	c.interest = want
	if err != nil {
		c.Close(err)
	}
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
