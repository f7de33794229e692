package server

import (
	"slices"
	"sync"

	"vernemq/codec"
	"vernemq/queue/store"
	"vernemq/reactor"
	"vernemq/server/session"
)

// readerCount is how many goroutines read the store for the loops.
const readerCount = 2

// pageBytes is the size of messages from which on a page has enough of them.
const pageBytes = 1 << 20

// readers read the store for the loops, which never go to the disk themselves.
type readers struct {
	mu      sync.Mutex
	more    sync.Cond
	jobs    jobs // clients wait for these
	idle    jobs // for these nobody waits; one reader takes them, when there are no others
	atWork  int  // readers with a job
	closed  bool
	running sync.WaitGroup
}

// jobs are done in the order in which they came.
type jobs []job

type job struct {
	of *client // whose records are read, nil for somebody who waits for nothing
	f  func()
}

func (j *jobs) take() func() {
	if len(*j) == 0 {
		return nil
	}
	first := (*j)[0]
	(*j)[0] = job{}
	if *j = (*j)[1:]; len(*j) == 0 {
		*j = nil
	}
	return first.f
}

func (r *readers) start() {
	r.more.L = &r.mu
	for i := range readerCount {
		r.running.Go(func() { r.run(i == 0) })
	}
}

func (r *readers) run(idle bool) {
	for {
		job := r.next(idle)
		if job == nil {
			return
		}
		job()
		r.mu.Lock()
		r.atWork--
		r.mu.Unlock()
	}
}

// pending is the number of jobs that wait or are done now.
func (r *readers) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.jobs) + len(r.idle) + r.atWork
}

// next waits for a job; nil is the end.
func (r *readers) next(idle bool) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.closed {
		job := r.jobs.take()
		if job == nil && idle {
			job = r.idle.take()
		}
		if job != nil {
			r.atWork++
			return job
		}
		r.more.Wait()
	}
	return nil
}

// do has a job done that somebody waits for.
func (r *readers) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, job{f: f})
	r.more.Signal()
}

// doLater has a job done for which nobody waits, until hurry says so.
func (r *readers) doLater(of *client, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, job{of, f})
	r.more.Broadcast() // not every reader takes it
}

// hurry puts the job of a client before those for which nobody waits.
func (r *readers) hurry(of *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.IndexFunc(r.idle, func(j job) bool { return j.of == of }); i >= 0 {
		r.jobs = append(r.jobs, r.idle[i])
		r.idle = slices.Delete(r.idle, i, i+1)
		r.more.Signal()
	}
}

// stop ends the readers. Jobs that have not begun are forgotten.
func (r *readers) stop() {
	r.mu.Lock()
	r.closed = true
	r.more.Broadcast()
	r.mu.Unlock()
	r.running.Wait()
}

// page reads entries of a client once all that was written so far is safe, and
// hands them to f on the loop.
func (l *loop) page(c store.Client, r session.Reading, f func([]store.Queued, error)) {
	l.whenSafe(func() {
		l.broker.readers.do(func() {
			read := l.ledger.store.Page
			if r.Reverse {
				read = l.ledger.store.PageBack
			}
			list, err := read(c, r.From, r.Max, pageBytes)
			if err != nil {
				l.log.Error("queue cannot be read", "client", c.ID, "mountpoint", c.Mountpoint, "cause", err.Error())
			}
			l.reactor.Post(func() { f(list, err) })
		})
	})
}

// Read reads entries of the client's queue for its session.
func (c *client) Read(r session.Reading) {
	c.loop.page(c.name(), r, func(list []store.Queued, err error) { c.session.Read(r, list, err) })
}

// Bequeath gives the client's entries in the store up to a sequence to other
// members of their shared subscriptions.
func (c *client) Bequeath(limit uint64) { c.loop.bequeath(c.name(), limit) }

// Bequeaths tells that this is not done yet with what an earlier session left.
func (c *client) Bequeaths() bool {
	if len(c.loop.bequests) == 0 {
		return false
	}
	_, yes := c.loop.bequests[c.name()]
	return yes
}

// bequeath begins to give entries away. One that does so for the same client
// already goes on up to the new limit.
func (l *loop) bequeath(c store.Client, limit uint64) {
	_, running := l.bequests[c]
	l.bequests[c] = limit
	if !running {
		l.bequeathFrom(c, 0)
	}
}

const bequeathAtOnce = 256

func (l *loop) bequeathFrom(c store.Client, from uint64) {
	limit := l.bequests[c]
	l.page(c, session.Reading{From: from, Max: bequeathAtOnce}, func(list []store.Queued, err error) {
		last := uint64(0)
		for i := range list {
			q := &list[i]
			if last = q.Seq; q.Seq <= limit && !l.ending { // else the next start finds them
				if q.Shared != "" && q.QoS > 0 && !q.Msg.Expired(l.unix()) {
					l.redeliver(l.broker.share(c.Mountpoint, q.Shared), q.Msg)
				}
				l.records().Dequeue(c, q.Ref)
			}
			q.Msg.Release()
		}
		// What has been read beyond the limit may be out of date when that is raised.
		if next := min(last, limit) + 1; !l.ending && (last > 0 && last < limit || l.bequests[c] > limit) {
			l.bequeathFrom(c, max(from, next))
			return
		}
		delete(l.bequests, c)
	})
}

// share gives the number of a shared subscription, 0 when it has no members.
func (b *Broker) share(mountpoint, filter string) uint32 {
	name, topic, shared := codec.SplitShared([]byte(filter))
	if !shared {
		return 0
	}
	node := b.index.Find(mountpoint, string(topic))
	if node == nil {
		return 0
	}
	if g := node.Value.group(string(name)); g != nil {
		return g.share
	}
	return 0
}

// Share gives the number of a shared subscription.
func (c *client) Share(filter string) uint32 {
	return c.loop.broker.share(c.session.Mountpoint, filter)
}

// ShareFilter gives the filter of a shared subscription.
func (c *client) ShareFilter(share uint32) string {
	b := c.loop.broker
	b.wideMu.Lock()
	defer b.wideMu.Unlock()
	if g := b.shares[share]; g != nil {
		return g.filter()
	}
	return ""
}

// load reads what a restart has left of a client's session in the store, once.
// Connections that come meanwhile wait.
func (l *loop) load(c *client, conn *reactor.Conn) {
	waiting, running := l.loading[c]
	if conn != nil {
		waiting = append(waiting, heldConn{conn, conn.Generation()})
	}
	l.loading[c] = waiting
	if running {
		l.broker.readers.hurry(c)
		return
	}
	name, birth, upto := c.name(), c.session.Birth(), l.ledger.store.Last()
	c.session.BeforeLoad()
	read := func() {
		found, err := readLeft(l.ledger.store, name, birth, upto)
		l.reactor.Post(func() { l.loaded(c, found, err) })
	}
	l.whenSafe(func() {
		if len(l.loading[c]) > 0 {
			l.broker.readers.do(read)
		} else {
			l.broker.readers.doLater(c, read)
		}
	})
}

// left is what a restart has left of a session.
type left struct {
	out    []session.Exchange
	in     []uint16
	bounds store.Bounds
}

// leftStore is a store as readLeft sees it.
type leftStore interface {
	Exchanges(store.Client) ([]store.Outgoing, []uint16, error)
	Entry(store.Client, uint64) (store.Queued, error)
	Bounds(c store.Client, after, upto uint64) (store.Bounds, error)
}

func readLeft(st leftStore, c store.Client, birth, upto uint64) (x left, err error) {
	out, in, err := st.Exchanges(c)
	if err != nil {
		return left{}, err
	}
	slices.SortFunc(out, func(a, b store.Outgoing) int { return int(min(max(int64(a.Seq-b.Seq), -1), 1)) })
	x.in = in
	for _, o := range out {
		e := session.Exchange{Outgoing: o}
		if o.State == store.Sent {
			if e.Entry, err = st.Entry(c, o.Seq); err != nil {
				x.release()
				return left{}, err
			}
		}
		x.out = append(x.out, e)
	}
	if x.bounds, err = st.Bounds(c, birth, upto); err != nil {
		x.release()
		return left{}, err
	}
	return x, nil
}

func (x *left) release() {
	for i := range x.out {
		if m := x.out[i].Entry.Msg; m != nil {
			m.Release()
		}
	}
}

// loaded gives a session what was read of it, and goes on with the connections
// that wait for that. A session that cannot be read is not served.
func (l *loop) loaded(c *client, x left, err error) {
	waiting := l.loading[c]
	delete(l.loading, c)
	if err != nil {
		l.log.Error("session cannot be read", "client", c.session.ID, "mountpoint", c.session.Mountpoint, "cause", err.Error())
	}
	if err == nil && c.session.Unread() {
		c.session.Load(x.out, x.in, x.bounds)
	} else {
		x.release()
	}
	l.readNext()
	for _, h := range waiting {
		switch {
		case h.conn.Generation() != h.generation:
		case err != nil:
			h.conn.Close(err)
		default:
			h.conn.ResumeRead()
		}
	}
}
