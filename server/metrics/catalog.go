package metrics

// Type is the type of a metric.
type Type string

// The types of metrics.
const (
	CounterType   Type = "counter"
	GaugeType     Type = "gauge"
	HistogramType Type = "histogram"
)

// Family is what a metric is called and what it means.
type Family struct {
	Name string
	Type Type
	Help string
	// Own tells that VerneMQ has no such metric. Those of VerneMQ are published
	// under $SYS.
	Own bool
	// Part is what the metric belongs to, where that does not run in this
	// version or only when it is switched on. Its values are 0 until then.
	Part string

	label  string   // of fixed label values, which are there from the start
	values []string // of label
}

// Label is a label of a series.
type Label struct{ Key, Value string }

// parts are what metrics belong to that are 0 until their part runs.
const (
	clusterPart  = "cluster"
	metadataPart = "metadata store"
	webhooksPart = "vmq_webhooks"
	bridgePart   = "vmq_bridge"
	httpPubPart  = "vmq_http_pub"
	hooksPart    = "hooks"
	authPart     = "enhanced authentication"
	legacyPart   = "nothing: kept for dashboards, always 0"
)

// optionalParts are those whose metrics VerneMQ has only while they run.
var optionalParts = []string{metadataPart, webhooksPart, bridgePart, httpPubPart}

// socketFamilies are about transports.
var socketFamilies = []Family{
	{Name: "socket_open", Type: CounterType, Help: "MQTT connections that were accepted."},
	{Name: "socket_close", Type: CounterType, Help: "MQTT connections that have ended, for whatever reason."},
	{Name: "socket_close_timeout", Type: CounterType, Help: "Connections closed because no CONNECT came in time."},
	{Name: "socket_error", Type: CounterType, Help: "Connections that ended by an error of the transport; a reset is none."},
	{Name: "bytes_received", Type: CounterType, Help: "Bytes read from MQTT connections."},
	{Name: "bytes_sent", Type: CounterType, Help: "Bytes written to MQTT connections."},
}

// versioned are counters with one series for MQTT 3 and one for MQTT 5, and
// where they are in a Set.
var versioned = []struct {
	Family
	from Counter
}{
	{Family{Name: "mqtt_connect_received", Help: "CONNECT packets that could be read."}, ConnectReceived},
	{Family{Name: "mqtt_publish_received", Help: "PUBLISH packets from clients, refused ones too."}, PublishReceived},
	{Family{Name: "mqtt_subscribe_received", Help: "SUBSCRIBE packets."}, SubscribeReceived},
	{Family{Name: "mqtt_unsubscribe_received", Help: "UNSUBSCRIBE packets."}, UnsubscribeReceived},
	{Family{Name: "mqtt_pingreq_received", Help: "PINGREQ packets."}, PingreqReceived},
	{Family{Name: "mqtt_publish_sent", Help: "PUBLISH packets to clients, repeats too."}, PublishSent},
	{Family{Name: "mqtt_suback_sent", Help: "SUBACK packets that grant at least one subscription."}, SubackSent},
	{Family{Name: "mqtt_unsuback_sent", Help: "UNSUBACK packets."}, UnsubackSent},
	{Family{Name: "mqtt_pingresp_sent", Help: "PINGRESP packets."}, PingrespSent},
	{Family{Name: "mqtt_publish_auth_error", Help: "Messages whose client may not publish to their topic."}, PublishAuthError},
	{Family{Name: "mqtt_subscribe_auth_error", Help: "SUBSCRIBE packets of which no subscription was granted."}, SubscribeAuthError},
	{Family{Name: "mqtt_invalid_msg_size_error", Help: "Packets above max_message_size."}, InvalidMessageSize},
	{Family{Name: "mqtt_puback_invalid_error", Help: "PUBACK packets that no message waits for."}, PubackInvalid},
	{Family{Name: "mqtt_pubrec_invalid_error", Help: "PUBREC packets of MQTT 3 that no message waits for."}, PubrecInvalid},
	{Family{Name: "mqtt_pubcomp_invalid_error", Help: "PUBCOMP packets that no message waits for."}, PubcompInvalid},
	{Family{Name: "mqtt_publish_error", Help: "Messages not published for another reason, as a topic that begins with $."}, PublishError},
	{Family{Name: "mqtt_subscribe_error", Help: "SUBSCRIBE packets refused because the node was not ready.", Part: clusterPart}, SubscribeError},
	{Family{Name: "mqtt_unsubscribe_error", Help: "UNSUBSCRIBE packets refused because the node was not ready.", Part: clusterPart}, UnsubscribeError},
	{Family{Name: "client_keepalive_expired", Help: "Connections ended because the client was silent for 1.5 times its keep alive."}, KeepaliveExpired},
	{Family{Name: "mqtt_connect_refused", Own: true, Help: "CONNECT packets that were answered with a refusal or with silence."}, ConnectRefused},
	{Family{Name: "mqtt_protocol_error", Own: true, Help: "Packets that broke a rule of MQTT and ended their connection."}, ProtocolError},
}

// packetHelp explains the packets of packets.go.
var packetHelp = [packets]string{
	ConnackSent:        "CONNACK packets.",
	DisconnectReceived: "DISCONNECT packets from clients.",
	DisconnectSent:     "DISCONNECT packets to clients of MQTT 5.",
	PubackReceived:     "PUBACK packets from clients.",
	PubackSent:         "PUBACK packets to clients.",
	PubrecReceived:     "PUBREC packets from clients.",
	PubrecSent:         "PUBREC packets to clients, but for repeats.",
	PubrelReceived:     "PUBREL packets from clients.",
	PubrelSent:         "PUBREL packets to clients, repeats too.",
	PubcompReceived:    "PUBCOMP packets from clients.",
	PubcompSent:        "PUBCOMP packets to clients.",
	AuthReceived:       "AUTH packets from clients.",
	AuthSent:           "AUTH packets to clients.",
}

// counted are counters and levels of a Set with one series.
var counted = []struct {
	Family
	at Counter
}{
	{Family{Name: "queue_setup", Type: CounterType, Help: "Queues made: one for each session that began."}, QueueSetup},
	{Family{Name: "queue_initialized_from_storage", Type: CounterType, Help: "Queues found in the store at start."}, QueueInitialized},
	{Family{Name: "queue_teardown", Type: CounterType, Help: "Queues that ended with their session."}, QueueTeardown},
	{Family{Name: "queue_message_drop", Type: CounterType, Help: "Messages lost because a queue was full or a packet larger than its client takes."}, QueueMessageDrop},
	{Family{Name: "queue_message_expired", Type: CounterType, Help: "Messages that expired before they were delivered."}, QueueMessageExpired},
	{Family{Name: "queue_message_unhandled", Type: CounterType, Help: "Messages thrown away with their session, or of QoS 0 for an absent client."}, QueueMessageUnhandled},
	{Family{Name: "queue_message_in", Type: CounterType, Help: "Messages given to queues."}, QueueMessageIn},
	{Family{Name: "queue_message_out", Type: CounterType, Help: "Messages taken from queues and sent."}, QueueMessageOut},
	{Family{Name: "router_matches_local", Type: CounterType, Help: "Subscriptions that messages were given to."}, RouterMatchesLocal},
	{Family{Name: "router_matches_remote", Type: CounterType, Help: "Messages given to other nodes.", Part: clusterPart}, RouterMatchesRemote},
	{Family{Name: "router_subscriptions", Type: GaugeType, Help: "Subscriptions."}, Subscriptions},
	{Family{Name: "queue_processes", Type: GaugeType, Help: "Queues: sessions of connected and of absent clients."}, Sessions},

	{Family{Name: "sessions_online", Type: GaugeType, Own: true, Help: "Sessions whose client is connected."}, SessionsOnline},
	{Family{Name: "session_takeovers", Type: CounterType, Own: true, Help: "Connections ended because their client connected again."}, TakeOvers},
	{Family{Name: "loop_messages_passed", Type: CounterType, Own: true, Help: "Messages passed from one loop to another."}, LoopMessages},
	{Family{Name: "publishers_held", Type: GaugeType, Own: true, Help: "Publishers that are not read because a loop is congested."}, HeldPublishers},
	{Family{Name: "loops_congested", Type: GaugeType, Own: true, Help: "Pairs of loops of which one has too much to do for the other to go on."}, CongestedLoops},
	{Family{Name: "log_lines_suppressed", Type: CounterType, Own: true, Help: "Log lines about clients that were only counted."}, LogLinesLost},
}

// limitCounters are the values of the label of limits_hit.
var limitCounters = []struct {
	limit string
	at    Counter
}{
	{"max_online_messages", LimitOnline},
	{"max_offline_messages", LimitOffline},
	{"receive_max_broker", LimitReceive},
	{"max_message_rate", LimitRate},
	{"max_connection_lifetime", LimitLifetime},
	{"topic_alias_max", LimitAlias},
	{"maximum_packet_size", LimitPacketOut},
	{"max_message_size", LimitPacketIn},
	{"max_subscriptions_per_client", LimitSubscriptions},
	{"shared_groups", LimitGroups},
	{"loop_inbox", InboxFull},
	{"log_lines", LimitLogLines},
}
