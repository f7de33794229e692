// Package metrics counts what happens on a loop. Names and meanings are those
// of VerneMQ's metrics.
//
// A Set belongs to one loop, which counts in plain memory. Other goroutines
// read the copy that the loop publishes about once a second.
package metrics

import "sync/atomic"

// Counter names one counter of a Set.
type Counter uint8

// Counters that exist once.
const (
	QueueSetup Counter = iota
	QueueTeardown
	QueueMessageIn
	QueueMessageOut
	QueueMessageDrop
	QueueMessageExpired
	QueueMessageUnhandled
	RouterMatchesLocal
	RouterMatchesRemote
	InboxFull
	perVersion // those below exist for MQTT 3 ("4") and 5 ("5") each
)

// Counters that exist per protocol version.
const (
	ConnectReceived = perVersion + iota
	ConnackSent
	ConnackRefused
	PublishReceived
	PublishSent
	PublishError
	PublishAuthError // refused by a plugin
	PubackReceived
	PubackSent
	PubackInvalid
	PubrecReceived
	PubrecSent
	PubrecInvalid
	PubrelReceived
	PubrelSent
	PubcompReceived
	PubcompSent
	PubcompInvalid
	SubscribeReceived
	SubackSent
	SubscribeError
	SubscribeAuthError // refused by a plugin
	UnsubscribeReceived
	UnsubackSent
	PingreqReceived
	PingrespSent
	DisconnectReceived
	DisconnectSent
	AuthReceived
	AuthSent
	InvalidMessageSize
	ProtocolError // packets that ended their connection
	KeepaliveExpired
	numCounters
)

var names = [numCounters]string{
	QueueSetup:            "queue_setup",
	QueueTeardown:         "queue_teardown",
	QueueMessageIn:        "queue_message_in",
	QueueMessageOut:       "queue_message_out",
	QueueMessageDrop:      "queue_message_drop",
	QueueMessageExpired:   "queue_message_expired",
	QueueMessageUnhandled: "queue_message_unhandled",
	RouterMatchesLocal:    "router_matches_local",
	RouterMatchesRemote:   "router_matches_remote",
	InboxFull:             "inbox_full",
	ConnectReceived:       "mqtt_connect_received",
	ConnackSent:           "mqtt_connack_sent",
	ConnackRefused:        "mqtt_connack_refused",
	PublishReceived:       "mqtt_publish_received",
	PublishSent:           "mqtt_publish_sent",
	PublishError:          "mqtt_publish_error",
	PubackReceived:        "mqtt_puback_received",
	PubackSent:            "mqtt_puback_sent",
	PubackInvalid:         "mqtt_puback_invalid_error",
	PubrecReceived:        "mqtt_pubrec_received",
	PubrecSent:            "mqtt_pubrec_sent",
	PubrecInvalid:         "mqtt_pubrec_invalid_error",
	PubrelReceived:        "mqtt_pubrel_received",
	PubrelSent:            "mqtt_pubrel_sent",
	PubcompReceived:       "mqtt_pubcomp_received",
	PubcompSent:           "mqtt_pubcomp_sent",
	PubcompInvalid:        "mqtt_pubcomp_invalid_error",
	SubscribeReceived:     "mqtt_subscribe_received",
	SubackSent:            "mqtt_suback_sent",
	SubscribeError:        "mqtt_subscribe_error",
	SubscribeAuthError:    "mqtt_subscribe_auth_error",
	PublishAuthError:      "mqtt_publish_auth_error",
	AuthReceived:          "mqtt_auth_received",
	AuthSent:              "mqtt_auth_sent",
	UnsubscribeReceived:   "mqtt_unsubscribe_received",
	UnsubackSent:          "mqtt_unsuback_sent",
	PingreqReceived:       "mqtt_pingreq_received",
	PingrespSent:          "mqtt_pingresp_sent",
	DisconnectReceived:    "mqtt_disconnect_received",
	DisconnectSent:        "mqtt_disconnect_sent",
	InvalidMessageSize:    "mqtt_invalid_msg_size_error",
	ProtocolError:         "mqtt_protocol_error",
	KeepaliveExpired:      "client_keepalive_expired",
}

// Set are the counters of one loop.
type Set struct {
	local  [2 * int(numCounters)]uint64        // the loop's own
	shared [2 * int(numCounters)]atomic.Uint64 // any goroutine reads
}

// Inc counts one. Owner only.
func (s *Set) Inc(c Counter) { s.local[c]++ }

// Add counts n. Owner only.
func (s *Set) Add(c Counter, n int) { s.local[c] += uint64(n) }

// IncVersion counts one for a protocol version. Owner only.
func (s *Set) IncVersion(c Counter, v5 bool) {
	i := int(c)
	if v5 {
		i += int(numCounters)
	}
	s.local[i]++
}

// Publish makes the counts visible to other goroutines. Owner only.
func (s *Set) Publish() {
	for i, n := range s.local {
		if s.shared[i].Load() != n {
			s.shared[i].Store(n)
		}
	}
}

// Value is one counter with its labels.
type Value struct {
	Name    string
	Version string // "4", "5", or empty
	Count   uint64
}

// Sum adds up the published counts of some sets.
func Sum(sets []*Set) []Value {
	var out []Value
	for c := Counter(0); c < numCounters; c++ {
		v := Value{Name: names[c]}
		if c >= perVersion {
			v.Version = "4"
		}
		if v.Name == "" {
			continue
		}
		for _, s := range sets {
			v.Count += s.shared[c].Load()
		}
		out = append(out, v)
		if c >= perVersion {
			v.Version, v.Count = "5", 0
			for _, s := range sets {
				v.Count += s.shared[int(c)+int(numCounters)].Load()
			}
			out = append(out, v)
		}
	}
	return out
}
