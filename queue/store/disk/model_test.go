package disk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vernemq/queue"
	"vernemq/queue/store"
)

func clientNamed(mountpoint, id string) store.Client {
	return store.Client{Key: queue.KeyOf(mountpoint, id), Mountpoint: mountpoint, ID: id}
}

var testClients = []store.Client{
	clientNamed("", "a"), clientNamed("", "ab"), clientNamed("m", "a"), clientNamed("mm", "\u00ff/x"),
}

func testMessage(topic, payload string) *queue.Message {
	m := queue.NewMessage([]byte(topic), []byte("\x01\x01"), []byte(payload))
	m.QoS, m.From, m.Expires = 1, 77, 1<<33
	return m
}

// model is the state of a store as one would write it without thought for
// cost: what the records say, in words.
type model struct {
	records   map[string]string // kind client rest -> text
	queues    map[store.Client][]modelEntry
	handovers []modelEntry
	retained  map[string]string // mountpoint topic -> text
}

type modelEntry struct {
	ref  queue.Ref
	text string
	loop uint16 // of a handover
}

func newModel() *model {
	return &model{records: map[string]string{}, queues: map[store.Client][]modelEntry{}, retained: map[string]string{}}
}

func (m *model) clone() *model {
	c := &model{
		records: maps.Clone(m.records), queues: map[store.Client][]modelEntry{},
		handovers: slices.Clone(m.handovers), retained: maps.Clone(m.retained),
	}
	for k, q := range m.queues {
		c.queues[k] = slices.Clone(q)
	}
	return c
}

func recordName(kind string, c store.Client, rest any) string {
	return fmt.Sprintf("%s %q %q %v", kind, c.Mountpoint, c.ID, rest)
}

func (m *model) deleteSession(c store.Client) {
	m.deleteState(c)
	delete(m.queues, c)
}

func (m *model) deleteState(c store.Client) {
	for _, kind := range []string{"session", "sub", "out", "in"} {
		p := recordName(kind, c, "")
		maps.DeleteFunc(m.records, func(k, _ string) bool { return strings.HasPrefix(k, p) })
	}
}

func (m *model) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m.retained)) {
		fmt.Fprintf(&b, "retained %s: %s\n", k, m.retained[k])
	}
	return b.String() + m.inOrder()
}

// inOrder is all that is committed as it was when it was handed over: all but
// retained messages.
func (m *model) inOrder() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m.records)) {
		fmt.Fprintf(&b, "%s: %s\n", k, m.records[k])
	}
	for _, c := range testClients {
		for _, e := range m.queues[c] {
			fmt.Fprintf(&b, "%s: %s\n", recordName("entry", c, e.ref.Seq), e.text)
		}
	}
	for _, e := range m.handovers {
		fmt.Fprintf(&b, "handover %d %d: %s\n", e.loop, e.ref.Seq, e.text)
	}
	return b.String()
}

func entryText(d *store.Delivery, body uint64) string {
	return fmt.Sprintf("%d %v %d %q %d %s", d.QoS, d.Retain, d.SubscriptionID, d.Shared, body, messageText(d.Msg))
}

func handoverText(h *store.Handover) string {
	return fmt.Sprintf("%d of %d %q %q %s", h.Loop, h.Loops, h.Mountpoint, h.Filter, messageText(h.Msg))
}

func retainedName(mountpoint, topic string) string { return fmt.Sprintf("%q %s", mountpoint, topic) }

func messageText(m *queue.Message) string {
	return fmt.Sprintf("%q %q %x %d %v %d %d", m.Topic(), m.Forward(), m.Payload(), m.QoS, m.Retain, m.From, m.Expires)
}

func sessionText(x *store.Session) string {
	y := *x
	y.Will = nil
	if x.Will == nil {
		return fmt.Sprintf("%+v", y)
	}
	w, mountpoint := *x.Will, ""
	if w.Mountpoint != nil {
		w.Mountpoint, mountpoint = nil, fmt.Sprintf(" %q", *w.Mountpoint)
	}
	return fmt.Sprintf("%+v %+v%s", y, w, mountpoint)
}

// load reads a store through its own functions into a model.
func load(s *Store) (*model, error) {
	m := newModel()
	err := s.Sessions(1, func(_ int, c store.Client, x *store.Session, subs []store.Subscription) error {
		m.records[recordName("session", c, "")] = sessionText(x)
		for _, sub := range subs {
			m.records[recordName("sub", c, sub.Filter)] = fmt.Sprintf("%+v", sub)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Retained(func(mountpoint string, msg *queue.Message) error {
		m.retained[retainedName(mountpoint, string(msg.Topic()))] = messageText(msg)
		return nil
	})
	if err == nil {
		err = s.Handovers(func(r queue.Ref, h store.Handover) error {
			m.handovers = append(m.handovers, modelEntry{r, handoverText(&h), h.Loop})
			h.Msg.Release()
			return nil
		})
	}
	for _, c := range testClients {
		if err == nil {
			err = m.loadClient(s, c)
		}
	}
	if err == nil {
		err = m.checkBacklogs(s)
	}
	return m, err
}

// checkBacklogs compares the first entries of all queues.
func (m *model) checkBacklogs(s *Store) error {
	n := 0
	err := s.Backlogs(func(c store.Client, first uint64) error {
		if n++; len(m.queues[c]) == 0 || m.queues[c][0].ref.Seq != first {
			return fmt.Errorf("the queue of %v begins with %d, want %v", c, first, m.queues[c])
		}
		return nil
	})
	for _, q := range m.queues {
		if len(q) > 0 {
			n--
		}
	}
	if err == nil && n != 0 {
		err = fmt.Errorf("%d queues too many or too few", n)
	}
	return err
}

func (m *model) loadClient(s *Store, c store.Client) error {
	out, in, err := s.Exchanges(c)
	if err != nil {
		return err
	}
	for _, o := range out {
		m.records[recordName("out", c, o.ID)] = fmt.Sprintf("%+v", o)
	}
	for _, id := range in {
		m.records[recordName("in", c, id)] = ""
	}
	for from := uint64(0); ; {
		page, err := s.Page(c, from, 2, 1<<20)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			q := &page[i]
			m.queues[c] = append(m.queues[c], modelEntry{ref: q.Ref, text: entryText(&q.Delivery, q.Body)})
			from = q.Seq + 1
			q.Msg.Release()
		}
	}
	for upto := range len(m.queues[c]) + 1 {
		if err := m.checkBounds(s, c, upto); err != nil {
			return err
		}
	}
	return m.checkBack(s, c)
}

// checkBounds compares the bounds of the first n entries, of all when n is 0.
func (m *model) checkBounds(s *Store, c store.Client, n int) error {
	q, upto := m.queues[c], uint64(0)
	if n > 0 {
		q, upto = q[:n], q[n-1].ref.Seq
	}
	var want store.Bounds
	if len(q) > 0 {
		want = store.Bounds{First: q[0].ref.Seq, Last: q[len(q)-1].ref.Seq, Len: len(q)}
	}
	b, err := s.Bounds(c, 0, upto)
	if err == nil && b != want {
		return fmt.Errorf("bounds of %v up to %d: %+v, want %+v", c, upto, b, want)
	}
	return err
}

// checkBack reads a queue from its end, and each entry for itself.
func (m *model) checkBack(s *Store, c store.Client) error {
	q, from := m.queues[c], uint64(0)
	for {
		page, err := s.PageBack(c, from, 3, 1<<20)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			x, err := s.Entry(c, page[i].Seq)
			if err != nil || x.Msg == nil {
				return fmt.Errorf("entry %d of %v: %v", page[i].Seq, c, err)
			}
			one, other := entryText(&page[i].Delivery, page[i].Body), entryText(&x.Delivery, x.Body)
			if len(q) == 0 || one != q[len(q)-1].text || other != one || x.Ref != page[i].Ref {
				return fmt.Errorf("from the end of %v: %s, %s, want the last of %v", c, one, other, q)
			}
			q, from = q[:len(q)-1], x.Seq-1
			page[i].Msg.Release()
			x.Msg.Release()
		}
	}
	x, err := s.Entry(c, from)
	if len(q) > 0 || x.Msg != nil {
		return fmt.Errorf("%d entries of %v are not seen, before them %+v", len(q), c, x)
	}
	return err
}

// checkBodies waits until nothing is left to delete, compacts, and compares the
// counts of bodies with the entries.
func checkBodies(s *Store) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n := 0
		if err := s.scan([]byte{kindDoomed}, func(_, _ []byte) error { n++; return nil }); err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d queues are still being deleted", n)
		}
	}
	if err := s.db.Compact(context.Background(), []byte("a"), []byte("z"), false); err != nil {
		return err
	}
	count := map[uint64]int32{}
	err := s.scan([]byte{kindEntry}, func(_, v []byte) error {
		id, err := bodyOf(v)
		if id != 0 {
			count[id]++
		}
		return err
	})
	if err != nil {
		return err
	}
	err = s.scan([]byte{kindBody}, func(k, v []byte) error {
		id, err := number(k[1:])
		if err != nil {
			return err
		}
		n, message, err := parseBody(v)
		if err == nil && (n != count[id] || n <= 0 || message == nil) {
			err = fmt.Errorf("body %d counts %d, has %d bytes, and has %d entries", id, n, len(message), count[id])
		}
		delete(count, id)
		return err
	})
	if err == nil && len(count) > 0 {
		err = fmt.Errorf("entries without a body: %v", count)
	}
	return err
}

// must is for what cannot fail in a test.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
