package hooks

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"vernemq/codec"
)

// RegisterModifiers are what auth_on_register may change of a client. What is
// nil stays.
type RegisterModifiers struct {
	// AllowX override the settings for a cluster that is split.
	AllowRegister, AllowPublish, AllowSubscribe, AllowUnsubscribe *bool

	MaxMessageSize           *int           // bytes
	MaxConnectionLifetime    *time.Duration // counts when it is shorter than the listener's
	ClientID, Mountpoint     *string        // both or none
	Username                 *string
	CleanSession             *bool
	MaxMessageRate           *int // PUBLISH packets per second, 0 = no limit
	MaxInflightMessages      *int // MQTT 3 only, 0 = no limit
	SharedSubscriptionPolicy *string
	RetryInterval            *time.Duration // MQTT 3 only
	UpgradeQoS               *bool
	MaxOnlineMessages        *int
	MaxOfflineMessages       *int
	QueueType                *string // fifo or lifo
	AllowMultipleSessions    *bool
	QueueDeliverMode         *string // fanout or balance
	MaxDrainTime             *int
	MaxMsgsPerDrainStep      *int

	// MQTT 5 only.
	SessionExpiry  *uint32        // seconds
	UserProperties []UserProperty // for the CONNACK
	ResponseInfo   *string        // Response Information of the CONNACK
}

// UserProperty is a User Property of MQTT 5.
type UserProperty struct{ Name, Value string }

// PublishModifiers are what auth_on_publish may change of a message. What is
// nil stays.
type PublishModifiers struct {
	Topic, Payload *[]byte
	QoS            *byte
	Retain         *bool
	Mountpoint     *string
	Throttle       time.Duration     // how long the client is not read after this message
	Properties     *codec.Properties // take the place of all but the expiry interval, MQTT 5 only
}

// SubscribeModifiers are what auth_on_subscribe may change: the topics, each in
// the place of the one that the client asked for. What is missing at the end is
// refused, what is more than that is subscribed, too.
type SubscribeModifiers struct{ Topics []Topic }

// UnsubscribeModifiers are what on_unsubscribe may change.
type UnsubscribeModifiers struct{ Filters [][]byte }

// DeliverModifiers are what on_deliver may change of a message on its way to
// one client. What is nil stays.
type DeliverModifiers struct {
	Topic, Payload *[]byte
	Properties     *codec.Properties // take the place of all, MQTT 5 only
}

// AuthModifiers are the answer to a step of an enhanced authentication.
type AuthModifiers struct {
	Continue bool   // the client has to send more; else it has succeeded
	Data     []byte // Authentication Data for the client, nil for none
}

// limits are what modifiers are checked against.
type limits struct{ topicDepth int }

func (m *RegisterModifiers) check(r *Register, _ limits) error {
	if (m.ClientID == nil) != (m.Mountpoint == nil) {
		return fmt.Errorf("client_id and mountpoint go together")
	}
	if m.ClientID != nil && (*m.ClientID == "" || !codec.ValidText([]byte(*m.ClientID))) {
		return fmt.Errorf("client_id is not valid")
	}
	for _, s := range []*string{m.Mountpoint, m.Username, m.ResponseInfo} {
		if s != nil && !codec.ValidText([]byte(*s)) {
			return fmt.Errorf("%q is no text of at most 65,535 bytes", *s)
		}
	}
	for name, n := range map[string]*int{"max_message_size": m.MaxMessageSize, "max_message_rate": m.MaxMessageRate,
		"max_inflight_messages": m.MaxInflightMessages, "max_online_messages": m.MaxOnlineMessages,
		"max_offline_messages": m.MaxOfflineMessages, "max_drain_time": m.MaxDrainTime, "max_msgs_per_drain_step": m.MaxMsgsPerDrainStep} {
		if n != nil && (*n < 0 || *n > math.MaxInt32) {
			return fmt.Errorf("%s is %d", name, *n)
		}
	}
	for name, d := range map[string]*time.Duration{"max_connection_lifetime": m.MaxConnectionLifetime, "retry_interval": m.RetryInterval} {
		if d != nil && *d < 0 {
			return fmt.Errorf("%s is negative", name)
		}
	}
	if !oneOf(m.SharedSubscriptionPolicy, "prefer_local", "random", "local_only", "prefer_online_before_local") ||
		!oneOf(m.QueueType, "fifo", "lifo") || !oneOf(m.QueueDeliverMode, "fanout", "balance") {
		return fmt.Errorf("a word is none of those that are known")
	}
	if !r.V5 && (m.SessionExpiry != nil || m.UserProperties != nil || m.ResponseInfo != nil) {
		return fmt.Errorf("properties are for clients of MQTT 5")
	}
	return checkUsers(m.UserProperties)
}

func oneOf(s *string, words ...string) bool { return s == nil || slices.Contains(words, *s) }

func checkUsers(users []UserProperty) error {
	for _, u := range users {
		if !codec.ValidText([]byte(u.Name)) || !codec.ValidText([]byte(u.Value)) {
			return fmt.Errorf("user property %q is not valid", u.Name)
		}
	}
	return nil
}

func (m *PublishModifiers) check(r *Message, l limits) error {
	switch {
	case m.QoS != nil && *m.QoS > 2:
		return fmt.Errorf("qos is %d", *m.QoS)
	case m.Throttle < 0:
		return fmt.Errorf("throttle is negative")
	case m.Mountpoint != nil && !codec.ValidText([]byte(*m.Mountpoint)):
		return fmt.Errorf("mountpoint is not valid")
	}
	if err := l.topic(m.Topic); err != nil {
		return err
	}
	return checkProperties(m.Properties, r.V5)
}

func (m *DeliverModifiers) check(r *Message, l limits) error {
	if err := l.topic(m.Topic); err != nil {
		return err
	}
	return checkProperties(m.Properties, r.V5)
}

func (l limits) topic(t *[]byte) error {
	if t == nil {
		return nil
	}
	if len(*t) > 65535 {
		return fmt.Errorf("topic is too long")
	}
	if err := codec.ValidTopic(*t); err != nil {
		return fmt.Errorf("topic %q is not valid: %w", *t, err)
	}
	return l.depth(*t)
}

func (l limits) depth(t []byte) error {
	if l.topicDepth > 0 && bytes.Count(t, []byte{'/'}) >= l.topicDepth {
		return fmt.Errorf("topic %q has too many levels", t)
	}
	return nil
}

func checkProperties(ps *codec.Properties, v5 bool) error {
	if ps == nil {
		return nil
	}
	if !v5 {
		return fmt.Errorf("properties are for clients of MQTT 5")
	}
	var p codec.PublishProps
	if err := codec.DecodePublishProps(*ps, &p); err != nil {
		return fmt.Errorf("properties are not valid: %w", err)
	}
	return nil
}

func (m *SubscribeModifiers) check(_ *Subscribe, l limits) error {
	for i := range m.Topics {
		t := &m.Topics[i]
		if t.Code >= 0x80 {
			continue
		}
		if t.QoS > 2 || t.RetainHandling > 2 {
			return fmt.Errorf("options of topic %q are not valid", t.Filter.Filter)
		}
		if err := l.filter(t.Filter.Filter); err != nil {
			return err
		}
		if _, _, shared := codec.SplitShared(t.Filter.Filter); shared && t.NoLocal {
			return fmt.Errorf("shared subscription %q has no_local", t.Filter.Filter)
		}
	}
	return nil
}

func (l limits) filter(f []byte) error {
	if len(f) > 65535 {
		return fmt.Errorf("topic is too long")
	}
	if err := codec.ValidFilter(f); err != nil {
		return fmt.Errorf("topic %q is not valid: %w", f, err)
	}
	return l.depth(f)
}

func (m *UnsubscribeModifiers) check(_ *Unsubscribe, l limits) error {
	for _, f := range m.Filters {
		if err := l.filter(f); err != nil {
			return err
		}
	}
	return nil
}

func (m *AuthModifiers) check(_ *Auth, _ limits) error {
	if len(m.Data) > 65535 {
		return fmt.Errorf("authentication data has %d bytes", len(m.Data))
	}
	return nil
}
