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
	records map[string]string // kind client rest -> text
	queues  map[store.Client][]modelEntry
}

type modelEntry struct {
	ref  queue.Ref
	text string
}

func newModel() *model {
	return &model{records: map[string]string{}, queues: map[store.Client][]modelEntry{}}
}

func (m *model) clone() *model {
	c := &model{records: maps.Clone(m.records), queues: map[store.Client][]modelEntry{}}
	for k, q := range m.queues {
		c.queues[k] = slices.Clone(q)
	}
	return c
}

func recordName(kind string, c store.Client, rest any) string {
	return fmt.Sprintf("%s %q %q %v", kind, c.Mountpoint, c.ID, rest)
}

func (m *model) deleteSession(c store.Client) {
	for _, kind := range []string{"session", "sub", "out", "in"} {
		p := recordName(kind, c, "")
		maps.DeleteFunc(m.records, func(k, _ string) bool { return strings.HasPrefix(k, p) })
	}
	delete(m.queues, c)
}

func (m *model) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m.records)) {
		fmt.Fprintf(&b, "%s: %s\n", k, m.records[k])
	}
	for _, c := range testClients {
		for _, e := range m.queues[c] {
			fmt.Fprintf(&b, "%s: %s\n", recordName("entry", c, e.ref.Seq), e.text)
		}
	}
	return b.String()
}

func entryText(d *store.Delivery, body uint64) string {
	return fmt.Sprintf("%d %v %d %q %d %s", d.QoS, d.Retain, d.SubscriptionID, d.Shared, body, messageText(d.Msg))
}

func messageText(m *queue.Message) string {
	return fmt.Sprintf("%q %q %x %d %v %d %d", m.Topic(), m.Forward(), m.Payload(), m.QoS, m.Retain, m.From, m.Expires)
}

func sessionText(x *store.Session) string {
	y := *x
	y.Will = nil
	if x.Will == nil {
		return fmt.Sprintf("%+v", y)
	}
	return fmt.Sprintf("%+v %+v", y, *x.Will)
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
		m.records[fmt.Sprintf("retained %q %s", mountpoint, msg.Topic())] = messageText(msg)
		return nil
	})
	for _, c := range testClients {
		if err == nil {
			err = m.loadClient(s, c)
		}
	}
	return m, err
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
			m.queues[c] = append(m.queues[c], modelEntry{q.Ref, entryText(&q.Delivery, q.Body)})
			from = q.Seq + 1
			q.Msg.Release()
		}
	}
	b, err := s.Bounds(c)
	if q := m.queues[c]; err == nil && len(q) > 0 {
		if want := (store.Bounds{First: q[0].ref.Seq, Last: q[len(q)-1].ref.Seq, Len: len(q)}); b != want {
			return fmt.Errorf("bounds of %v: %+v, want %+v", c, b, want)
		}
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
