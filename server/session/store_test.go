package session

import (
	"cmp"
	"maps"
	"slices"

	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// fakeStore keeps records in memory. It answers reads at the end of a command,
// or when it is told to, with what there was when they were asked for.
type fakeStore struct {
	last    uint64
	writes  uint64
	clients map[store.Client]*fakeRecord
	reads   []func()
	slow    bool // reads wait for the command "disk"
	full    bool

	bequests map[store.Client]int // how many are under way
}

type fakeRecord struct {
	session *store.Session
	entries []store.Queued
	out     map[uint16]store.Outgoing
	in      map[uint16]bool
}

// A real store has no low sequences either.
func newFakeStore() *fakeStore {
	return &fakeStore{last: 1 << 40, clients: map[store.Client]*fakeRecord{}, bequests: map[store.Client]int{}}
}

func (f *fakeStore) at(c store.Client) *fakeRecord {
	r := f.clients[c]
	if r == nil {
		r = &fakeRecord{out: map[uint16]store.Outgoing{}, in: map[uint16]bool{}}
		f.clients[c] = r
	}
	f.writes++
	return r
}

// len is the number of entries of a client.
func (f *fakeStore) len(c store.Client) int {
	if r := f.clients[c]; r != nil {
		return len(r.entries)
	}
	return 0
}

func (f *fakeStore) PutSession(c store.Client, s *store.Session) {
	copied := *s
	f.at(c).session = &copied
}

func (f *fakeStore) DeleteSession(c store.Client) {
	for _, q := range f.at(c).entries {
		q.Msg.Release()
	}
	delete(f.clients, c)
}

func (f *fakeStore) DeleteState(c store.Client) {
	r := f.at(c)
	*r = fakeRecord{entries: r.entries, out: map[uint16]store.Outgoing{}, in: map[uint16]bool{}}
}

func (f *fakeStore) Enqueue(c store.Client, d store.Delivery, _ bool) queue.Ref {
	f.last++
	d.Msg.Hold()
	r := f.at(c)
	r.entries = append(r.entries, store.Queued{Ref: queue.Ref{Seq: f.last}, Delivery: d})
	return queue.Ref{Seq: f.last}
}

func (f *fakeStore) Dequeue(c store.Client, ref queue.Ref) {
	r := f.at(c)
	i := slices.IndexFunc(r.entries, func(q store.Queued) bool { return q.Seq == ref.Seq })
	if i < 0 {
		panic("an entry is removed twice")
	}
	r.entries[i].Msg.Release()
	r.entries = slices.Delete(r.entries, i, i+1)
}

func (f *fakeStore) PutOutgoing(c store.Client, o *store.Outgoing) { f.at(c).out[o.ID] = *o }
func (f *fakeStore) DeleteOutgoing(c store.Client, id uint16)      { delete(f.at(c).out, id) }
func (f *fakeStore) PutIncoming(c store.Client, id uint16)         { f.at(c).in[id] = true }
func (f *fakeStore) DeleteIncoming(c store.Client, id uint16)      { delete(f.at(c).in, id) }

// page reads as disk.Store.Page and PageBack do.
func (f *fakeStore) page(c store.Client, r Reading) (list []store.Queued) {
	rec := f.clients[c]
	if rec == nil {
		return nil
	}
	all := slices.Clone(rec.entries)
	if r.Reverse {
		slices.Reverse(all)
	}
	for _, q := range all {
		if len(list) < r.Max && (!r.Reverse && q.Seq >= r.From || r.Reverse && q.Seq <= r.From) {
			q.Msg.Hold()
			list = append(list, q)
		}
	}
	return list
}

// left reads what Load wants.
func (f *fakeStore) left(c store.Client) (out []Exchange, in []uint16, b store.Bounds) {
	r := f.clients[c]
	for _, o := range r.out {
		x := Exchange{Outgoing: o}
		for _, q := range r.entries {
			if q.Seq == o.Seq && o.State == store.Sent {
				q.Msg.Hold()
				x.Entry = q
			}
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Exchange) int { return cmp.Compare(a.Seq, b.Seq) })
	if b.Len = len(r.entries); b.Len > 0 {
		b.First, b.Last = r.entries[0].Seq, r.entries[b.Len-1].Seq
	}
	return out, slices.Sorted(maps.Keys(r.in)), b
}

// disk answers the reads that wait.
func (f *fakeStore) disk() {
	for len(f.reads) > 0 {
		read := f.reads[0]
		f.reads = f.reads[1:]
		read()
	}
}

func (c *fakeClient) Records() store.Records { return c.world.store }
func (c *fakeClient) Writes() uint64         { return c.world.store.writes }
func (c *fakeClient) Last() uint64           { return c.world.store.last }
func (c *fakeClient) Safe() bool             { return !c.world.store.full }

func (c *fakeClient) Hold() {
	if l := c.world.links[c.name]; c.world.holds && l != nil {
		l.flush()
		c.world.say("%s waits for the store", c.name)
	}
}

func (c *fakeClient) Read(r Reading) {
	list := c.world.store.page(c.session.client(), r) // what is acknowledged meanwhile is in it
	c.world.store.reads = append(c.world.store.reads, func() { c.session.Read(r, list, nil) })
}

func (c *fakeClient) Bequeath(limit uint64) {
	w, name := c.world, c.session.client()
	w.store.bequests[name]++
	w.store.reads = append(w.store.reads, func() {
		for _, q := range w.store.page(name, Reading{Max: 1 << 30}) {
			if q.Seq <= limit {
				if q.Shared != "" && q.QoS > 0 {
					c.Redeliver(c.Share(q.Shared), q.Msg)
				}
				w.store.Dequeue(name, q.Ref)
			}
			q.Msg.Release()
		}
		w.store.bequests[name]--
	})
}

func (c *fakeClient) Bequeaths() bool { return c.world.store.bequests[c.session.client()] > 0 }

func (c *fakeClient) Share(filter string) uint32 {
	return uint32(slices.Index(c.world.shares, filter) + 1)
}

func (c *fakeClient) ShareFilter(share uint32) string { return c.world.shares[share-1] }

// restart forgets all that is not in the store, as a crash does, and makes the
// sessions again.
func (w *world) restart() {
	for _, l := range w.links {
		l.flush()
	}
	clear(w.links)
	old := w.clients
	w.clients, w.order = map[string]*fakeClient{}, nil
	w.store.reads = nil
	clear(w.store.bequests)
	w.metrics = metrics.Set{}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		key := old[name].session.client()
		r := w.store.clients[key]
		if r == nil || r.session == nil {
			w.say("%s is forgotten", name)
			continue
		}
		c := w.add(name)
		c.subs = old[name].subs
		c.session.Restore(r.session, &w.limits)
		if r.session.Absent == 0 && c.session.Timed() {
			c.session.NoteAbsence()
		}
		if len(r.entries)+len(r.out)+len(r.in) > 0 {
			c.session.MarkUnread()
		}
	}
}

// load reads what the store has of a session before its client connects.
func (c *fakeClient) load() {
	if c.session.Unread() {
		c.session.BeforeLoad()
		c.session.Load(c.world.store.left(c.session.client()))
	}
}
