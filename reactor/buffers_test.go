package reactor

import "testing"

// TestBuffers grows an output through every size and looks that its bytes stay
// and that free buffers go when nobody needs them.
func TestBuffers(t *testing.T) {
	b := &bench{}
	const size = 3 << 20
	b.frame = func(c *Conn, _ []byte) {
		for i := range size / 4 {
			out := c.Output()
			out.B = append(out.B, byte(i), byte(i>>8), byte(i>>16), 7)
		}
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	send(t, c, greeting(0), frameOf(nil))
	var want []byte
	for i := range size / 4 {
		want = append(want, byte(i), byte(i>>8), byte(i>>16), 7)
	}
	expect(t, c, want)
	free := func() (n int) {
		on(b.r.loops[0], func() {
			for _, f := range b.r.loops[0].bufs.free {
				n += len(f)
			}
		})
		return n
	}
	until(t, "buffers were kept, and given back", func() bool { return free() == 0 })
}

// TestFreshOutput lets a tick come between the appearance of output and the
// first attempt to send it.
func TestFreshOutput(t *testing.T) {
	b := &bench{}
	b.frame = func(c *Conn, body []byte) {
		c.flags |= flagStuck // as after an earlier wait
		c.loop.stuck = append(c.loop.stuck, connRef{c, c.Generation()})
		c.Output().B = append(c.Output().B, frameOf(body)...)
		c.loop.sendDeadlines(c.loop.Now() + 1)
	}
	b.start(t, Config{}, ListenOptions{})
	c := b.dial(t)
	for range 2 {
		send(t, c, greeting(0)[:0], append(greeting(0), frameOf(nil)...))
		expect(t, c, frameOf(nil))
	}
}
