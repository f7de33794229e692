package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"vernemq/queue/store"
)

// copier copies records, kind by kind, what others depend on first.
type copier struct {
	from          *salvage // nil when there is nothing to be read
	to            *Store
	w             *pebble.Batch
	kept, dropped map[byte]int
	bad           map[store.Client]bool // sessions that were dropped
	last          uint64                // highest number met
}

func newCopier(to *Store) *copier {
	return &copier{to: to, w: to.db.NewBatch(), kept: map[byte]int{}, dropped: map[byte]int{}, bad: map[store.Client]bool{}}
}

// uncertain is how many records can be read and may be out of date.
func (c *copier) uncertain() int {
	if c.from == nil {
		return 0
	}
	return c.from.uncertain
}

// unreadable is how many records at least could not be read.
func (c *copier) unreadable() string {
	switch {
	case c.from == nil:
		return "all"
	case c.from.uncounted:
		return fmt.Sprintf("%d and more", c.from.unread)
	}
	return strconv.Itoa(c.from.unread)
}

var kinds = []struct {
	kind byte
	name string
	copy func(c *copier, key, value []byte) (bool, error)
}{
	{kindSession, "sessions", (*copier).session},
	{kindSubscription, "subscriptions", (*copier).subscription},
	{kindBody, "messages of several receivers", (*copier).body},
	{kindEntry, "queued messages", (*copier).entry},
	{kindOutgoing, "outgoing QoS 2 exchanges", (*copier).outgoing},
	{kindIncoming, "incoming QoS 2 exchanges", (*copier).incoming},
	{kindRetained, "retained messages", (*copier).retained},
	{kindDoomed, "deletions of queues", (*copier).doomed},
	{kindHandover, "messages between loops", (*copier).handover},
}

func (c *copier) run() error {
	const most = 20 // lines in the log about records of a kind
	for _, k := range kinds {
		err := c.from.each(k.kind, func(key, value []byte) error {
			good, err := k.copy(c, key, value)
			var newer *versionError
			if errors.As(err, &newer) && newer.is > newer.latest {
				return fmt.Errorf("a newer program has written it: %w", err)
			}
			if err != nil && c.dropped[k.kind] < most {
				c.from.log.Warn("repair: a record is dropped", "key", fmt.Sprintf("%q", key), "cause", err.Error())
			}
			if !good || err != nil {
				c.dropped[k.kind]++
				return nil
			}
			c.kept[k.kind]++
			if c.w.Len() > groupBytes {
				return c.write()
			}
			return nil
		})
		if err = errors.Join(err, c.write()); err != nil {
			return fmt.Errorf("cannot copy %s: %w", k.name, err)
		}
	}
	if err := c.dropBodies(); err != nil {
		return err
	}
	return errors.Join(c.boot(), c.write())
}

func (c *copier) write() error {
	err := c.to.db.Apply(c.w, pebble.NoSync) // Close of the store makes it sure
	c.w = c.to.db.NewBatch()
	return errors.Join(err, c.to.fail.disk())
}

func (c *copier) set(key, value []byte) (bool, error) { return true, c.w.Set(key, value, nil) }

func (c *copier) seen(number uint64) { c.last = max(c.last, number) }

// owner is the client of a record, and whether its session can be trusted or
// is known to have ended.
func (c *copier) owner(key []byte) (of store.Client, rest []byte, good bool, err error) {
	of, rest, err = clientOf(key)
	return of, rest, err == nil && !c.bad[of] && !c.from.covers(appendPrefix(nil, kindSession, of)), err
}

func (c *copier) session(key, value []byte) (bool, error) {
	of, rest, err := clientOf(key)
	var x store.Session
	if err == nil {
		err = whole("key of a session", rest, 0)
	}
	if err == nil {
		err = parseSession(value, &x)
	}
	if err != nil {
		c.bad[of] = true
		return false, err
	}
	c.seen(x.Birth)
	return c.set(key, value)
}

func (c *copier) subscription(key, value []byte) (bool, error) {
	var x store.Subscription
	_, _, good, err := c.owner(key)
	if err == nil {
		err = parseSubscription(value, &x)
	}
	if err != nil || !good {
		return false, err
	}
	return c.set(key, value)
}

// body copies a message without its count, to which each entry that is copied
// adds one.
func (c *copier) body(key, value []byte) (bool, error) {
	id, err := number(key[1:])
	if err != nil {
		return false, err
	}
	n, message, err := parseBody(value)
	if err != nil || n <= 0 || len(message) == 0 {
		return false, err
	}
	c.seen(id)
	return true, c.w.Merge(key, append(appendCount(nil, 0), message...), nil)
}

func (c *copier) entry(key, value []byte) (bool, error) {
	of, rest, good, err := c.owner(key)
	if err != nil || !good {
		return false, err
	}
	seq, err := number(rest)
	if err != nil {
		return false, err
	}
	d, body, inline, err := parseEntry(value)
	if err == nil && body == 0 {
		err = checkMessage(inline)
	}
	if err != nil {
		return false, err
	}
	c.seen(seq)
	if again, err := c.again(of, &d, seq); again || err != nil {
		return false, err
	}
	if body == 0 {
		return c.set(key, value)
	}
	id := appendBodyKey(nil, body)
	if message, err := c.to.get(id); message == nil {
		return false, err
	}
	return true, errors.Join(c.w.Merge(id, appendCount(nil, 1), nil), c.w.Set(key, value, nil))
}

// again tells of an entry that its client may have got already: its exchange of
// QoS 2 may be among what is lost, or the record that deleted it.
func (c *copier) again(of store.Client, d *store.Delivery, seq uint64) (bool, error) {
	if d.QoS == 2 && c.from.touches(appendPrefix(nil, kindOutgoing, of)) {
		return true, nil
	}
	if !c.from.covers(appendPrefix(nil, kindDoomed, of)) {
		return false, nil
	}
	var x store.Session
	value, err := c.to.get(appendPrefix(nil, kindSession, of))
	if err == nil && value != nil {
		err = parseSession(value, &x)
	}
	return value == nil || seq <= x.Birth, err
}

// outgoing drops an exchange whose message is lost.
func (c *copier) outgoing(key, value []byte) (bool, error) {
	of, rest, good, err := c.owner(key)
	if err != nil || !good {
		return false, err
	}
	var x store.Outgoing
	if _, err = packetID(rest); err == nil {
		err = parseOutgoing(value, &x)
	}
	if err != nil {
		return false, err
	}
	c.seen(x.Seq)
	if x.State == store.Sent {
		if entry, err := c.to.get(appendEntryKey(nil, of, x.Seq)); entry == nil {
			return false, err
		}
	}
	return c.set(key, value)
}

func (c *copier) incoming(key, value []byte) (bool, error) {
	_, rest, good, err := c.owner(key)
	if err == nil {
		_, err = packetID(rest)
	}
	if err == nil {
		err = head("incoming QoS 2", value, 1, 0)
	}
	if err != nil || !good {
		return false, err
	}
	return c.set(key, value)
}

func (c *copier) retained(key, value []byte) (bool, error) {
	if _, _, err := retainedOf(key); err != nil {
		return false, err
	}
	if err := checkMessage(value); err != nil {
		return false, err
	}
	return c.set(key, value)
}

func (c *copier) doomed(key, value []byte) (bool, error) {
	_, _, err := clientOf(key)
	if err != nil {
		return false, err
	}
	limit, err := parseDoomed(value)
	if err != nil {
		return false, err
	}
	c.seen(limit)
	return c.set(key, value)
}

func (c *copier) handover(key, value []byte) (bool, error) {
	_, seq, err := handoverOf(key)
	if err != nil {
		return false, err
	}
	var x store.Handover
	if err := parseHandover(value, &x); err != nil {
		return false, err
	}
	x.Msg.Release()
	c.seen(seq)
	return c.set(key, value)
}

// dropBodies removes the messages whose entries are all lost.
func (c *copier) dropBodies() error {
	return c.to.scan([]byte{kindBody}, func(key, value []byte) error {
		n, _, err := parseBody(value)
		if err != nil || n > 0 {
			return err
		}
		c.kept[kindBody]--
		c.dropped[kindBody]++
		return c.w.Delete(key, nil)
	})
}

// boot makes sure that no number is given again.
func (c *copier) boot() error {
	n := c.last >> bootShift
	if b, err := c.from.s.get(keyBoot); err == nil && len(b) == 9 {
		n = max(n, binary.BigEndian.Uint64(b[1:]))
	}
	return c.w.Set(keyBoot, binary.BigEndian.AppendUint64([]byte{version}, n), nil)
}
