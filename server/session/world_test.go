package session

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/bytebufferpool"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/server/metrics"
	"vernemq/server/mqttmodel"
)

// world is a broker without I/O: one loop, a clock that only tick moves, and a
// list of subscriptions that is searched from end to end.
type world struct {
	said     []string
	clock    uint32
	limits   Limits
	store    *fakeStore
	holds    bool // say which output waits for the store
	scratch  Scratch
	metrics  metrics.Set
	clients  map[string]*fakeClient
	order    []string
	retained map[string]*queue.Message
	links    map[string]*fakeLink // the latest connection under a name
	props    bool                 // say the properties of packets too
	shares   []string             // shared subscriptions, by number less one
}

const worldEpoch = 1_000_000_000 // the wall clock when the loop clock is 0

func newWorld() *world {
	return &world{
		clock: 100, store: newFakeStore(),
		clients: map[string]*fakeClient{}, retained: map[string]*queue.Message{}, links: map[string]*fakeLink{},
		limits: Limits{
			MaxInflight: 20, ReceiveMaxClient: 65535, ReceiveMaxBroker: 65535, MaxOnline: 1000, MaxOffline: 1000,
			MaxWillDelay: never, RetryInterval: 20, TopicMaxDepth: 10,
		},
	}
}

func (w *world) say(format string, a ...any) { w.said = append(w.said, fmt.Sprintf(format, a...)) }

// check holds what must be true of every world at its end: each message that
// came to a queue left it in exactly one way or is still there.
func (w *world) check(t interface{ Errorf(string, ...any) }, line int) {
	in, out, drop, unhandled, expired := w.queued()
	left := 0
	for _, c := range w.clients {
		left += c.session.Queued()
	}
	if gone := out + drop + unhandled + expired; in != gone+left {
		t.Errorf("before line %d: %d messages came to queues, %d left them, %d are there", line+1, in, gone, left)
	}
}

// queued is what became of the messages that came to queues.
func (w *world) queued() (in, out, drop, unhandled, expired int) {
	w.metrics.Publish()
	n := w.metrics.Level
	return n(metrics.QueueMessageIn), n(metrics.QueueMessageOut), n(metrics.QueueMessageDrop), n(metrics.QueueMessageUnhandled), n(metrics.QueueMessageExpired)
}

// fakeClient is a Host with a list of subscriptions.
type fakeClient struct {
	fakeGate
	world   *world
	name    string
	session Session
	due     uint32
	subs    []fakeSubscription
}

type fakeSubscription struct {
	filter string
	Options
}

func (c *fakeClient) Clock() uint32         { return c.world.clock }
func (c *fakeClient) Unix() int64           { return worldEpoch + int64(c.world.clock) }
func (c *fakeClient) Scratch() *Scratch     { return &c.world.scratch }
func (c *fakeClient) Metrics() *metrics.Set { return &c.world.metrics }
func (c *fakeClient) Arm(deadline uint32)   { c.due = deadline }
func (c *fakeClient) Dropped()              { c.world.say("%s dropped a message", c.name) }

func (c *fakeClient) Presence(online bool) {
	if !online {
		c.due = 0
	}
}

func (c *fakeClient) Accompanied() bool                        { return false }
func (c *fakeClient) Inherit(*queue.Message, queue.Entry) bool { return false }

func (c *fakeClient) Ended() {
	c.subs = nil
	delete(c.world.clients, c.name)
	c.world.order = slices.DeleteFunc(c.world.order, func(n string) bool { return n == c.name })
	c.world.say("%s ended", c.name)
}

func (c *fakeClient) Publish(_ *Session, _ string, p *queue.Publication, _ codec.Properties) {
	w := c.world
	if p.Retain {
		delete(w.retained, string(p.Topic))
		if len(p.Payload) > 0 {
			w.retained[string(p.Topic)] = p.Unpooled()
		}
	}
	for _, name := range slices.Clone(w.order) {
		to := w.clients[name]
		for i := range to.subs {
			if x := &to.subs[i]; x.Share == 0 && mqttmodel.Matches(x.filter, string(p.Topic)) {
				p.Shared = ""
				to.session.Deliver(p, &x.Options)
			}
		}
	}
	for i, filter := range w.shares {
		if _, f, _ := codec.SplitShared([]byte(filter)); mqttmodel.Matches(string(f), string(p.Topic)) {
			w.deliverShared(uint32(i+1), p)
		}
	}
}

// deliverShared gives p to the first member that is online, else to the first.
func (w *world) deliverShared(share uint32, p *queue.Publication) {
	var to *Session
	var options *Options
	for _, name := range w.order {
		c := w.clients[name]
		for i := range c.subs {
			if c.subs[i].Share == share && (to == nil || !to.Online() && c.session.Online()) {
				to, options = &c.session, &c.subs[i].Options
			}
		}
	}
	if to != nil {
		p.Shared = w.shares[share-1]
		to.Deliver(p, options)
	}
}

func (c *fakeClient) Redeliver(share uint32, m *queue.Message) {
	var p queue.Publication
	p.View(m)
	c.world.deliverShared(share, &p)
	p.Reset()
}

// share numbers a filter if it is a shared one.
func (w *world) share(filter string) uint32 {
	if !strings.HasPrefix(filter, "$share/") {
		return 0
	}
	if i := slices.Index(w.shares, filter); i >= 0 {
		return uint32(i + 1)
	}
	w.shares = append(w.shares, filter)
	return uint32(len(w.shares))
}

func (c *fakeClient) Subscribe(f *codec.Filter, id uint32) (bool, codec.ReasonCode) {
	o := Options{ID: id, Share: c.world.share(string(f.Filter)), QoS: f.QoS, NoLocal: f.NoLocal, RetainAsPublished: f.RetainAsPublished}
	for i := range c.subs {
		if c.subs[i].filter == string(f.Filter) {
			c.subs[i].Options = o
			return false, codec.ReasonCode(f.QoS)
		}
	}
	if m := c.session.Limits().MaxSubscriptions; m > 0 && len(c.subs) >= m {
		return false, codec.QuotaExceeded
	}
	c.subs = append(c.subs, fakeSubscription{filter: string(f.Filter), Options: o})
	return true, codec.ReasonCode(f.QoS)
}

func (c *fakeClient) Unsubscribe(filter []byte) bool {
	n := len(c.subs)
	c.subs = slices.DeleteFunc(c.subs, func(s fakeSubscription) bool { return filter == nil || s.filter == string(filter) })
	return len(c.subs) < n
}

func (c *fakeClient) Retained(filter []byte, yield func(*queue.Message) bool) {
	var topics []string
	for t := range c.world.retained {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	for _, t := range topics {
		m := c.world.retained[t]
		if mqttmodel.Matches(string(filter), t) && !m.Expired(c.Unix()) && !yield(m) {
			return
		}
	}
}

// fakeLink collects what a session sends.
type fakeLink struct {
	world    *world
	name     string
	out      bytebufferpool.ByteBuffer
	version  codec.Version
	full     bool
	paused   bool
	finished bool
	lastSeen uint32
}

func (l *fakeLink) Output() *bytebufferpool.ByteBuffer { return &l.out }
func (l *fakeLink) Full() bool                         { return l.full }
func (l *fakeLink) LastSeen() uint32                   { return l.lastSeen }
func (l *fakeLink) Paused() bool                       { return l.paused }

func (l *fakeLink) PauseRead() {
	l.paused = true
	l.world.say("%s is not read", l.name)
}

func (l *fakeLink) ResumeRead() {
	if l.paused {
		l.paused = false
		l.world.say("%s is read again", l.name)
	}
}

func (l *fakeLink) AppendShared(data []byte, ref interface{ Release() }) {
	l.out.B = append(l.out.B, data...)
	ref.Release()
}

func (l *fakeLink) AppendBorrowed(data []byte) { l.out.B = append(l.out.B, data...) }

func (l *fakeLink) Finish(cause error) {
	l.finished = true
	l.flush()
	if cause == nil {
		l.world.say("%s closed", l.name)
		return
	}
	l.world.say("%s closed: %v", l.name, cause)
}

// run carries out one command and says what came of it.
func (w *world) run(words []string) error {
	var err error
	switch words[0] {
	case "tick":
		err = w.tick(words[1])
	case "limits":
		err = w.setLimits(words[1:])
	case "count":
		w.count()
	case "props":
		w.props = true
	case "repeat":
		n, aerr := strconv.Atoi(words[1])
		if err = aerr; err != nil {
			return err
		}
		said := len(w.said)
		for i := 1; i <= n && err == nil; i++ {
			again := slices.Clone(words[2:])
			for j := range again {
				again[j] = strings.ReplaceAll(again[j], "N", strconv.Itoa(i))
			}
			err = w.run(again)
		}
		w.shorten(said)
		return err
	case "holds":
		w.holds = true
	case "slow":
		w.store.slow = true
	case "disk":
		w.store.disk()
	case "restart":
		w.restart()
	case "load":
		for _, name := range slices.Sorted(maps.Keys(w.clients)) {
			w.clients[name].load()
		}
	case "diskfull":
		w.store.full = words[1] == "on"
	default:
		err = w.client(words[0], words[1], words[2:])
	}
	if !w.store.slow {
		w.store.disk()
	}
	w.flush()
	return err
}

// shorten leaves the first and the last of what was said since.
func (w *world) shorten(since int) {
	if n := len(w.said) - since; n > 6 {
		last := w.said[len(w.said)-1]
		w.said = append(w.said[:since+2], fmt.Sprintf("… %d lines …", n-3), last)
	}
}

// flush says what all sessions have sent, in the order of their names.
func (w *world) flush() {
	for _, name := range slices.Sorted(keys(w.links)) {
		w.links[name].flush()
	}
}

// count says what became of all messages that came to queues so far.
func (w *world) count() {
	in, out, drop, unhandled, expired := w.queued()
	w.say("queues: %d in, %d out, %d dropped, %d unhandled, %d expired", in, out, drop, unhandled, expired)
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// tick lets seconds pass, one at a time, and fires the timers that are due.
func (w *world) tick(n string) error {
	k, err := strconv.Atoi(n)
	for range k {
		w.clock++
		for _, name := range slices.Clone(w.order) {
			if c := w.clients[name]; c != nil && c.due != 0 && c.due <= w.clock {
				c.due = 0
				before := len(w.said)
				c.session.Timer()
				if !w.store.slow {
					w.store.disk()
				}
				w.flush()
				for i := before; i < len(w.said); i++ {
					w.said[i] = fmt.Sprintf("@%d %s", w.clock, w.said[i])
				}
			}
		}
	}
	return err
}

func (w *world) setLimits(words []string) error {
	ints := map[string]*int{
		"inflight": &w.limits.MaxInflight, "online": &w.limits.MaxOnline, "offline": &w.limits.MaxOffline,
		"subscriptions": &w.limits.MaxSubscriptions, "depth": &w.limits.TopicMaxDepth,
		"rate": &w.limits.MaxRate, "remaining": &w.limits.MaxRemaining,
	}
	uint16s := map[string]*uint16{
		"receive": &w.limits.ReceiveMaxBroker, "receiveclient": &w.limits.ReceiveMaxClient, "alias": &w.limits.TopicAliasMaxClient, "aliasout": &w.limits.TopicAliasMaxBroker,
	}
	uint32s := map[string]*uint32{
		"retry": &w.limits.RetryInterval, "willdelay": &w.limits.MaxWillDelay, "expiry": &w.limits.PersistentExpiry, "lifetime": &w.limits.Lifetime,
	}
	bools := map[string]*bool{
		"lifo": &w.limits.LIFO, "override": &w.limits.OverrideMaxOnline, "upgrade": &w.limits.UpgradeQoS,
		"suppress": &w.limits.SuppressTakeoverWill,
	}
	for _, word := range words {
		k, v, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(v)
		switch {
		case bools[k] != nil:
			*bools[k] = true
		case err != nil:
			return err
		case ints[k] != nil:
			*ints[k] = n
		case uint16s[k] != nil:
			*uint16s[k] = uint16(n)
		case uint32s[k] != nil:
			*uint32s[k] = uint32(n)
		default:
			return fmt.Errorf("unknown limit %q", k)
		}
	}
	return nil
}
