// Package session is the protocol state machine of one MQTT client. It does no
// I/O, has no clock and no goroutine: packets and events go in, bytes go to a
// Link, and everything that concerns others goes to a Host. All calls of one
// session come from the goroutine of the client's home loop.
package session

import (
	"github.com/valyala/bytebufferpool"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store"
	"vernemq/server/metrics"
)

// Link is the connection as its session sees it. *reactor.Conn is one.
type Link interface {
	// Output is the output of this turn; the session appends to its B.
	Output() *bytebufferpool.ByteBuffer
	// AppendShared sends data after the output so far, without a copy; ref is
	// released once it was written.
	AppendShared(data []byte, ref interface{ Release() })
	// AppendBorrowed does so with data of the read buffer.
	AppendBorrowed(data []byte)
	// Full tells that so much waits to be sent that nothing more should be
	// taken from the queue. The session's Writable is called when it may go on.
	Full() bool
	// PauseRead stops reading the client until ResumeRead. Paused tells that
	// the broker does not read the connection at present, for this or another
	// reason.
	PauseRead()
	ResumeRead()
	Paused() bool
	// LastSeen is the second of the loop clock in which bytes last arrived.
	LastSeen() uint32
	// Finish sends what is pending and closes the connection.
	Finish(cause error)
}

// Host is the broker as a session sees it: the client's place in the world
// and whatever concerns other clients.
type Host interface {
	Gate
	// Clock is the loop clock in seconds, which never goes back, rounded up so
	// that nothing is early. Unix is the wall clock in seconds, for expiry
	// intervals.
	Clock() uint32
	Unix() int64
	Scratch() *Scratch
	Metrics() *metrics.Set
	// Records takes what must outlive the process. Writes counts what was
	// written so far, Last is the latest sequence that an entry was given.
	Records() store.Records
	Writes() uint64
	Last() uint64
	// Hold has the output of this client from here on wait until all that was
	// written so far is safe.
	Hold()
	// Safe tells that records are taken. They are not when the disk is full or
	// has failed.
	Safe() bool
	// Read asks for entries of the client's queue in the store, in a call of
	// Read of the session that comes later.
	Read(r Reading)
	// Bequeath gives what is in the client's queue in the store, up to a
	// sequence, to the other members of the shared subscriptions that it came
	// by. What came by others is dropped.
	Bequeath(limit uint64)
	// Bequeaths tells that this is under way for an earlier session of the client.
	Bequeaths() bool
	// Share gives the number of a shared subscription, 0 when there is none with
	// that filter.
	Share(filter string) uint32
	// ShareFilter gives the filter of a shared subscription with a number, "" when
	// there is none.
	ShareFilter(share uint32) string
	// Publish routes p to its subscribers within a mountpoint and keeps it if it
	// is retained. props are those that the message came with, nil for a will.
	Publish(s *Session, mountpoint string, p *queue.Publication, props codec.Properties)
	// Subscribe makes or replaces a subscription. isNew tells that there was
	// none with this filter; code is the granted QoS or a failure.
	Subscribe(f *codec.Filter, id uint32) (isNew bool, code codec.ReasonCode)
	// Unsubscribe ends a subscription, or all with a nil filter. It tells
	// whether there was one.
	Unsubscribe(filter []byte) bool
	// Retained yields the retained messages that match a filter; they are
	// borrowed for the call.
	Retained(filter []byte, yield func(*queue.Message) bool)
	// Redeliver gives a message to another member of a shared subscription
	// that this client has left, if there is one. The message is borrowed.
	Redeliver(share uint32, m *queue.Message)
	// Arm asks for a call of Timer at a second of the loop clock, or earlier.
	Arm(deadline uint32)
	// Presence tells that the connection of this session began or ended.
	Presence(online bool)
	// Accompanied tells that the client has other connections, which go on
	// when this one ends (allow_multiple_sessions). Inherit gives them, if the
	// configuration says so, a message of this one; it is borrowed. It tells
	// whether one of them has taken it.
	Accompanied() bool
	Inherit(m *queue.Message, e queue.Entry) bool
	// Dropped tells that a message was lost because the queue was full.
	Dropped()
	// Ended tells that the session is over and the client is to be forgotten:
	// it has no subscriptions and no messages. The session is not used
	// afterwards.
	Ended()
}

// Scratch is space that the sessions of a loop share during a call.
type Scratch struct {
	Publish     codec.Publish
	Ack         codec.Ack
	Subscribe   codec.Subscribe
	Unsubscribe codec.Unsubscribe
	Disconnect  codec.Disconnect
	Auth        codec.Auth
	In          queue.Publication // the publication that is being routed
	Out         queue.Publication // a queued message that is being sent
	Delivery    queue.Delivery
	Topic       []byte // of an alias
	Forward     []byte // properties to pass on
	Codes       []byte // of a SUBACK or UNSUBACK
	Retained    []bool // which filters of a SUBSCRIBE want retained messages
}

// Limits are the settings that a session follows. They never change; a session
// is given others with Adopt.
type Limits struct {
	MaxRate              int    // messages per second that the client may publish, 0 = no limit
	Lifetime             uint32 // seconds that a connection may last, 0 = for ever
	MaxInflight          int    // outgoing window of MQTT 3 clients; 0 = as many as there are identifiers
	ReceiveMaxClient     uint16
	ReceiveMaxBroker     uint16
	TopicAliasMaxClient  uint16 // of the client's aliases
	TopicAliasMaxBroker  uint16 // of ours
	MaxOnline            int    // waiting messages of an online client; -1 = no limit, 0 = it gets none at all
	MaxOffline           int    // of an offline one
	OverrideMaxOnline    bool
	LIFO                 bool
	UpgradeQoS           bool
	SuppressTakeoverWill bool
	Balance              bool   // of the connections of a client one gets a message, not all
	MaxWillDelay         uint32 // seconds
	RetryInterval        uint32 // seconds, 0 = never
	PersistentExpiry     uint32 // seconds that an MQTT 3 session is kept, 0 = for ever
	MaxSubscriptions     int    // 0 = no limit
	TopicMaxDepth        int
	MaxRemaining         int // largest Remaining Length of a packet, 0 = the protocol's

	OwnRemaining bool // MaxRemaining is this client's own

	Chains                   int  // number of the plugin chains of the listener
	Anonymous                bool // clients need not authenticate
	DisconnectUnauthorizedV3 bool // an MQTT 3.1 client whose publish is refused
}

const never = ^uint32(0) // a Session Expiry Interval that does not end

// Session is one client's session. It survives the connection when the client
// asked for that. An idle one is this struct and nothing else.
type Session struct {
	host   Host
	link   Link // nil while the client is away
	limits *Limits

	// ID and Mountpoint name the session; Key is queue.KeyOf of the two.
	ID, Mountpoint string
	Key            uint64
	// User is the user name of the latest connection, nil when it has none.
	User *string

	extra   *extra   // what an idle session does not need
	backlog *backlog // of the queue, what is only in the store; nil when that is nothing
	birth   uint64   // entries of the store up to this sequence are of an earlier session

	expiry    uint32 // Session Expiry Interval; never for MQTT 3 sessions that persist
	maxPacket uint32 // largest packet that the client takes, 0 = any
	due       uint32 // the timer's deadline, 0 = not armed
	ends      uint32 // loop clock at which the connection has lasted long enough, or the session of an absent client ends; 0 = never
	keepAlive uint16 // seconds
	aliasMax  uint16 // highest topic alias that the client is sent
	window    uint16 // unacknowledged messages that the client takes at once
	lastID    uint16 // last packet identifier handed out, while there is no extra
	version   codec.Version
	flags     flags
}

type flags uint8

const (
	persistent  flags = 1 << iota // the session outlives the connection
	bridge                        // the peer said it is a bridge (levels 131, 132)
	noProblems                    // Request Problem Information 0
	everPresent                   // there was a connection before this one
	sharer                        // got messages of shared subscriptions
	stored                        // the session is in the store
	unread                        // a restart has left things in the store that are not read yet
	suspended                     // the packet at hand waits for the host
)

// extra is the part of a session that exists only while it is needed.
type extra struct {
	waiting  queue.FIFO        // accepted for the client, not sent
	inflight queue.Inflight    // sent, not acknowledged
	resend   int               // of those, how many are not yet sent again after a reconnect
	free     int               // of those, how many take no place in the window
	received queue.IDSet       // QoS 2 identifiers not released by the client, of this connection
	earlier  queue.IDSet       // the same of earlier connections, which the Receive Maximum does not count
	aliases  map[uint16]string // the client's
	topics   map[string]uint16 // the broker's aliases
	rate     bucket
	will     *will
}

// New makes the session of a client that has not connected yet.
func New(host Host, mountpoint, id string) Session {
	return Session{host: host, Mountpoint: mountpoint, ID: id, Key: queue.KeyOf(mountpoint, id)}
}

// Succeed puts the session in the place of another one of the same client, with
// that one's host. What the store has of the client is this one's now, but for
// the messages after a sequence, which it got too when they came.
func (s *Session) Succeed(old *Session, host Host, had uint64) {
	s.host, s.birth, s.backlog = host, old.birth, old.backlog
	s.flags |= old.flags & (stored | unread)
	if b := s.backlog; b != nil {
		b.ticket++
		b.reading = false
		if b.hadTo > had { // those of the connection before
			had = min(had, b.hadFrom)
		}
		b.hadFrom, b.hadTo = had, host.Last()
	}
	s.save()
	s.writeAll()
	s.page()
}

// Online tells whether the client is connected.
func (s *Session) Online() bool { return s.link != nil }

// Link is the client's connection, nil while it is away.
func (s *Session) Link() Link { return s.link }

// Busy tells that a connected client does not keep up with what it is sent.
func (s *Session) Busy() bool {
	return s.link != nil && (s.link.Full() || s.backlog != nil || s.extra != nil && s.extra.waiting.Len() > 0)
}

// Version is the protocol version of the latest connection.
func (s *Session) Version() codec.Version { return s.version }

// Limits are the limits of the latest connection.
func (s *Session) Limits() *Limits { return s.limits }

// Bridge tells that the peer announced itself as a bridge: it gets nothing
// back of what it published, and the retain flag as it was published.
func (s *Session) Bridge() bool { return s.flags&bridge != 0 }

func (s *Session) v5() bool { return s.version == codec.V5 }

func (s *Session) count(c metrics.Counter) { s.host.Metrics().IncVersion(c, s.v5()) }

func (s *Session) countCode(p metrics.Packet, code codec.ReasonCode) {
	s.host.Metrics().IncCode(p, s.v5(), byte(code))
}

func (s *Session) more() *extra {
	if s.extra == nil {
		s.extra = new(extra)
		s.extra.inflight.Continue(s.lastID)
		s.arm(after(s.host.Clock(), trimInterval))
	}
	return s.extra
}

// trimInterval is how often a session looks whether it still needs its extra,
// in seconds.
const trimInterval = 60

// trim gives the extra back when nothing is in it.
func (s *Session) trim() {
	e := s.extra
	if e == nil {
		return
	}
	e.received.Compact()
	e.earlier.Compact()
	if e.waiting.Len()+e.inflight.Len()+e.received.Len()+e.earlier.Len() > 0 || e.aliases != nil || e.topics != nil || e.will != nil || !s.idle() {
		return
	}
	s.lastID = e.inflight.LastID()
	s.extra = nil
}

// Packet handles one packet from the client. It returns false when the
// connection is ending and nothing more may be handled.
func (s *Session) Packet(f codec.Frame) bool {
	switch f.Type() {
	case codec.PUBLISH:
		return s.publish(f)
	case codec.PUBACK, codec.PUBREC, codec.PUBREL, codec.PUBCOMP:
		return s.acknowledgement(f)
	case codec.SUBSCRIBE:
		return s.subscribe(f)
	case codec.UNSUBSCRIBE:
		return s.unsubscribe(f)
	case codec.PINGREQ:
		return s.ping(f)
	case codec.DISCONNECT:
		return s.disconnect(f)
	case codec.CONNECT:
		return s.fail(errSecondConnect) // [MQTT-3.1.0-2]
	case codec.AUTH:
		return s.authenticate(f)
	default:
		return s.fail(errDirection)
	}
}

var (
	errSecondConnect = &codec.Error{Code: codec.ProtocolError, Text: "second CONNECT on a connection"}
	errAuth          = &codec.Error{Code: codec.ProtocolError, Text: "AUTH without an authentication method"}
	errDirection     = &codec.Error{Code: codec.ProtocolError, Text: "packet that only a server may send"}
	errFromServer    = &codec.Error{Code: codec.ProtocolError, Text: "DISCONNECT that only a server may send"}
	errDepth         = &codec.Error{Code: codec.TopicNameInvalid, Text: "topic has too many levels"}
	errFilterDepth   = &codec.Error{Code: codec.TopicFilterInvalid, Text: "topic filter has too many levels"}
	errSubscription  = &codec.Error{Code: codec.ProtocolError, Text: "Subscription Identifier in a client's PUBLISH"}
	errAlias         = &codec.Error{Code: codec.TopicAliasInvalid, Text: "Topic Alias above the maximum"}
	errUnknownAlias  = &codec.Error{Code: codec.ProtocolError, Text: "Topic Alias without a topic"}
	errReceiveMax    = &codec.Error{Code: codec.ReceiveMaximumExceeded, Text: "more QoS 2 messages than the Receive Maximum"}
	errExpiryChange  = &codec.Error{Code: codec.ProtocolError, Text: "DISCONNECT sets a Session Expiry Interval after CONNECT had none"}
	errKeepAlive     = &codec.Error{Code: codec.KeepAliveTimeout, Text: "nothing received for 1.5 times the keep alive"}
	errLifetime      = &codec.Error{Code: codec.AdministrativeAction, Text: "connection has lasted as long as it may"}
	errAnswerSize    = &codec.Error{Code: codec.PacketTooLarge, Text: "answer is larger than the client's Maximum Packet Size"}
	errTakenOver     = &codec.Error{Code: codec.SessionTakenOver, Text: "client connected again"}
)

func (s *Session) ping(f codec.Frame) bool {
	if err := codec.DecodeEmpty(f); err != nil {
		return s.fail(err)
	}
	s.count(metrics.PingreqReceived)
	out := s.link.Output()
	out.B = codec.AppendPingresp(out.B)
	s.count(metrics.PingrespSent)
	return true
}
