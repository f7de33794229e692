package metrics

import "slices"

// gauges and counters that are read where they are.
var readFamilies = slices.Concat([]Family{
	{Name: "client_expired", Type: CounterType, Help: "Always 0.", Part: legacyPart},
	{Name: "cluster_bytes_received", Type: CounterType, Help: "Bytes read from other nodes.", Part: clusterPart},
	{Name: "cluster_bytes_sent", Type: CounterType, Help: "Bytes written to other nodes.", Part: clusterPart},
	{Name: "cluster_bytes_dropped", Type: CounterType, Help: "Bytes for other nodes that were lost because a link was down and its buffer full.", Part: clusterPart},
	{Name: "netsplit_detected", Type: CounterType, Help: "Times that another node became unreachable.", Part: clusterPart},
	{Name: "netsplit_resolved", Type: CounterType, Help: "Times that all nodes became reachable again.", Part: clusterPart},
	{Name: "router_memory", Type: GaugeType, Help: "Bytes of subscriptions and their index, estimated from their number."},
	{Name: "retain_messages", Type: GaugeType, Help: "Retained messages."},
	{Name: "retain_memory", Type: GaugeType, Help: "Bytes of retained messages."},
	{Name: "active_mqtt_connections", Type: GaugeType, Help: "Connections of tcp and ssl listeners."},
	{Name: "active_mqttws_connections", Type: GaugeType, Help: "Connections of ws and wss listeners."},
	{Name: "total_active_connections", Type: GaugeType, Help: "Connections of all MQTT listeners."},
}, legacyConnacks(), systemFamilies, partFamilies(), ownFamilies)

func legacyConnacks() (fs []Family) {
	for _, n := range []string{"accepted", "unacceptable_protocol", "identifier_rejected", "server_unavailable", "bad_credentials", "not_authorized"} {
		fs = append(fs, Family{Name: "mqtt_connack_" + n + "_sent", Type: CounterType, Help: "Always 0; mqtt_connack_sent tells return codes apart.", Part: legacyPart,
			label: "mqtt_version", values: []string{"4"}})
	}
	return fs
}

// systemFamilies have names of the Erlang machine; the values are the nearest
// that Go has.
var systemFamilies = []Family{
	{Name: "system_utilization", Type: GaugeType, Help: "CPU time of the last second in percent of all processors that the node may use."},
	{Name: "vm_memory_ets", Type: GaugeType, Help: "Bytes of subscriptions, retained messages and sessions, estimated."},
	{Name: "vm_memory_code", Type: GaugeType, Help: "Bytes of program text."},
	{Name: "vm_memory_binary", Type: GaugeType, Help: "Bytes of payloads that are retained or on their way between loops."},
	{Name: "vm_memory_atom_used", Type: GaugeType, Help: "Always 0.", Part: legacyPart},
	{Name: "vm_memory_atom", Type: GaugeType, Help: "Always 0.", Part: legacyPart},
	{Name: "vm_memory_system", Type: GaugeType, Help: "vm_memory_total without vm_memory_processes."},
	{Name: "vm_memory_processes_used", Type: GaugeType, Help: "Bytes of heap and stacks in use."},
	{Name: "vm_memory_processes", Type: GaugeType, Help: "Bytes of heap and stacks in use."},
	{Name: "vm_memory_total", Type: GaugeType, Help: "Bytes that the Go runtime has from the system."},
	{Name: "system_process_count", Type: GaugeType, Help: "Goroutines."},
	{Name: "system_wallclock", Type: CounterType, Help: "Milliseconds since the node was started."},
	{Name: "system_runtime", Type: CounterType, Help: "Milliseconds of CPU time."},
	{Name: "system_run_queue", Type: GaugeType, Help: "Goroutines that wait for a processor."},
	{Name: "system_reductions", Type: CounterType, Help: "Microseconds of CPU time."},
	{Name: "system_io_out", Type: CounterType, Help: "Bytes written to the network."},
	{Name: "system_io_in", Type: CounterType, Help: "Bytes read from the network."},
	{Name: "system_words_reclaimed_by_gc", Type: CounterType, Help: "Words of eight bytes that garbage collection has freed."},
	{Name: "system_gc_count", Type: CounterType, Help: "Garbage collections."},
	{Name: "system_exact_reductions", Type: CounterType, Help: "Microseconds of CPU time."},
	{Name: "system_context_switches", Type: CounterType, Help: "Context switches of the process."},
}

// Hooks are the hooks that webhooks may be called for.
var Hooks = []string{"on_register", "on_register_m5", "auth_on_publish", "auth_on_publish_m5", "auth_on_register", "auth_on_register_m5",
	"auth_on_subscribe", "auth_on_subscribe_m5", "on_auth_m5", "on_deliver", "on_deliver_m5", "on_unsubscribe", "on_unsubscribe_m5",
	"on_publish", "on_publish_m5", "on_subscribe", "on_subscribe_m5", "on_message_drop", "on_topic_unsubscribed", "on_session_expired",
	"on_offline_message", "on_config_change", "on_client_wakeup", "on_client_offline", "on_client_gone"}

// partFamilies belong to parts that run only when they are switched on.
func partFamilies() (fs []Family) {
	add := func(part, name string, t Type, help string) {
		fs = append(fs, Family{Name: name, Type: t, Help: help, Part: part})
	}
	for _, h := range Hooks {
		add(webhooksPart, "webhooks_"+h+"_requests", CounterType, "HTTP calls for "+h+", failed ones too.")
		add(webhooksPart, "webhooks_"+h+"_errors", CounterType, "HTTP calls for "+h+" that failed, gave no usable answer or an error.")
		add(webhooksPart, "webhooks_"+h+"_bytes_sent", CounterType, "Bytes of HTTP calls for "+h+".")
	}
	for _, h := range []string{"auth_on_register", "auth_on_register_m5"} {
		add(webhooksPart, "webhooks_"+h+"_cancelled", CounterType, "HTTP calls for "+h+" whose client left meanwhile.")
		add(webhooksPart, "webhooks_"+h+"_timeouts", CounterType, "HTTP calls for "+h+" that took too long.")
		add(webhooksPart, "webhooks_"+h+"_elapsed_ms", CounterType, "Milliseconds of all HTTP calls for "+h+".")
	}
	add(bridgePart, "vmq_bridge_dropped_msgs", CounterType, "Messages that bridges have lost.")
	add(httpPubPart, "http_pub_published", CounterType, "Messages published over HTTP.")
	add(httpPubPart, "http_pub_api_error", CounterType, "Requests to publish over HTTP that were wrong.")
	add(httpPubPart, "http_pub_auth_error", CounterType, "Requests to publish over HTTP that were not allowed.")
	for _, n := range []string{"metadata_put", "metadata_get", "metadata_delete", "metadata_fold"} {
		add(metadataPart, n+"_microseconds", HistogramType, "Microseconds of operations on cluster metadata.")
	}
	for _, n := range []string{"storage_read", "storage_write", "storage_delete", "storage_scan"} {
		add(metadataPart, n+"_microseconds", HistogramType, "Microseconds of operations on the store of cluster metadata.")
	}
	groups := []string{"meta1", "meta10", "meta2", "meta3", "meta4", "meta5", "meta6", "meta7", "meta8", "meta9"}
	for _, m := range [][2]string{{"swc_dotkeymap_memory", "Words of the table of cluster metadata."},
		{"swc_object_count", "Entries of cluster metadata."}, {"swc_tombstone_count", "Deleted entries of cluster metadata."}} {
		fs = append(fs, Family{Name: m[0], Type: GaugeType, Help: m[1], Part: metadataPart, label: "group", values: groups})
	}
	return fs
}

// ownFamilies have no counterpart in VerneMQ.
var ownFamilies = own([]Family{
	{Name: "queue_messages_waiting", Type: GaugeType, Help: "Messages in queues: in without out, drop, unhandled and expired."},
	{Name: "sessions_offline", Type: GaugeType, Help: "Sessions whose client is away."},
	{Name: "listener_connections", Type: GaugeType, Help: "Connections of a listener."},
	{Name: "listener_max_connections", Type: GaugeType, Help: "Connections that a listener may have; 0 is no limit."},
	{Name: "listener_accepted", Type: CounterType, Help: "Connections that a listener has accepted."},
	{Name: "listener_up", Type: GaugeType, Help: "1 while a listener takes connections."},
	{Name: "lobby_connections", Type: GaugeType, Help: "Connections that have not sent a whole CONNECT yet."},
	{Name: "lobby_size", Type: GaugeType, Help: "Connections that may be there at once."},
	{Name: "lobby_garbage", Type: CounterType, Help: "Connections whose first bytes were no CONNECT."},
	{Name: "accept_errors", Type: CounterType, Help: "Failed attempts to accept connections."},
	{Name: "slow_consumers", Type: CounterType, Help: "Times that a connection had more to send than its send buffer may hold."},
	{Name: "panics_contained", Type: CounterType, Help: "Faults in the broker that ended one connection at most."},
	{Name: "socket_reads", Type: CounterType, Help: "Read calls on MQTT connections."},
	{Name: "socket_writes", Type: CounterType, Help: "Write calls on MQTT connections."},
	{Name: "limits_hit", Type: CounterType, Help: "Times that a limit was reached."},
	{Name: "loop_busy_microseconds", Type: CounterType, Help: "Microseconds that a loop was not waiting."},
	{Name: "loop_inbox_messages", Type: GaugeType, Help: "Messages from other loops that a loop has not handled."},
	{Name: "loop_inbox_bytes", Type: GaugeType, Help: "Bytes of those messages."},
	{Name: "loop_turn_microseconds", Type: HistogramType, Help: "Microseconds of a turn of a loop: reading, handling and writing all that is ready."},
	{Name: "loop_backlog_messages", Type: HistogramType, Help: "Messages from other loops that a loop found when it looked."},
	{Name: "publish_to_deliver_microseconds", Type: HistogramType, Help: "Microseconds from reading a PUBLISH to writing it to a subscriber, with the time in its queue; sampled."},
	{Name: "connect_microseconds", Type: HistogramType, Help: "Microseconds from reading a CONNECT to writing its CONNACK; sampled."},
	{Name: "hook_microseconds", Type: HistogramType, Help: "Microseconds that a hook took which was not answered at once."},
	{Name: "store_commit_microseconds", Type: HistogramType, Help: "Microseconds from handing a batch to the store until it was safe."},
	{Name: "store_disk_bytes", Type: GaugeType, Help: "Bytes of the store's files."},
	{Name: "store_waiting_bytes", Type: GaugeType, Help: "Bytes handed to the store and not safe yet."},
	{Name: "store_commits", Type: CounterType, Help: "Commits of the store."},
	{Name: "store_records", Type: CounterType, Help: "Records written to the store."},
	{Name: "store_log_bytes", Type: CounterType, Help: "Bytes written to the store's log."},
	{Name: "store_compacted_bytes", Type: CounterType, Help: "Bytes written by flushes and compactions of the store."},
	{Name: "store_compactions", Type: GaugeType, Help: "Compactions of the store that are in progress."},
	{Name: "store_read_amplification", Type: GaugeType, Help: "Files that a read of the store may have to look at."},
	{Name: "store_queues_deleting", Type: GaugeType, Help: "Queues of ended sessions that are still being removed from the disk."},
	{Name: "store_readers_waiting", Type: GaugeType, Help: "Reads of the store that wait or are under way."},
	{Name: "store_failed", Type: GaugeType, Help: "1 while nothing can be stored: the disk is full or has failed."},
	{Name: "http_requests", Type: CounterType, Help: "HTTP requests."},
	{Name: "http_connections", Type: GaugeType, Help: "Connections of HTTP listeners."},
	{Name: "graphite_errors", Type: CounterType, Help: "Failed attempts to reach Graphite."},
	{Name: "build_info", Type: GaugeType, Help: "1; the label says which version runs."},
})

func own(fs []Family) []Family {
	for i := range fs {
		fs[i].Own = true
	}
	return fs
}
