package config

import (
	"math"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// build makes the Config of the settings.
func (l *Loaded) build() (errs Errors) {
	c := &Config{
		NodeName:                  l.value("nodename"),
		AllowAnonymous:            l.on("allow_anonymous"),
		MaxClientIDSize:           l.int("max_client_id_size"),
		RetryInterval:             l.seconds("retry_interval"),
		MaxLastWillDelay:          l.willDelay(),
		AllowMultipleSessions:     l.value("allow_multiple_sessions") == "on",
		QueueBalance:              l.value("queue_deliver_mode") == "balance",
		MaxInflightMessages:       l.int("max_inflight_messages"),
		TopicAliasMaxBroker:       uint16(l.int("topic_alias_max_broker")),
		ExpireRetainCache:         time.Duration(l.int("expire_retain_cache")) * time.Second,
		MaxMessageRate:            l.int("max_message_rate"),
		MaxOnlineMessages:         l.int("max_online_messages"),
		MaxOfflineMessages:        l.int("max_offline_messages"),
		OverrideMaxOnlineMessages: l.on("override_max_online_messages"),
		QueueLIFO:                 l.value("queue_type") == "lifo",
		UpgradeOutgoingQoS:        l.on("upgrade_outgoing_qos"),
		SuppressWillOnTakeover:    l.on("suppress_lwt_on_session_takeover"),
		MaxMessageSize:            l.int("max_message_size"),
		MaxSubscriptionsPerClient: l.int("max_subscriptions_per_client"),
		TopicMaxDepth:             l.int("topic_max_depth"),
		TopicAliasMaxClient:       uint16(l.int("topic_alias_max_client")),
		ReceiveMaxClient:          uint16(l.int("receive_max_client")),
		ReceiveMaxBroker:          uint16(l.int("receive_max_broker")),
		ConnectTimeout:            time.Duration(l.int("mqtt_connect_timeout")) * time.Millisecond,
		SharedSubscriptionPolicy:  l.value("shared_subscription_policy"),
		Loops:                     l.loops(),
		LobbySize:                 l.int("reactor.lobby_size"),
		SendBufferLimit:           l.bytes("reactor.send_buffer_limit"),
		SendTimeout:               l.sendTimeout(),
		StoreDir:                  l.storeDir(),
		StoreSync:                 l.on("leveldb.sync_on_write") || l.on("leveldb.sync"),
		StoreMemory:               int64(l.bytes("leveldb.maximum_memory")),
		StoreMemoryPercent:        l.int("leveldb.maximum_memory.percent"),
		DiskReserve:               int64(l.bytes("store.disk_reserve")),
		StoreRepair:               l.value("store.on_damage") == "repair",
		KeepaliveAsWarning:        l.on("logging.keepalive_as_warning"),
		LogConnects:               l.oneOf("logging.connections", "connect", "both"),
		LogDisconnects:            l.oneOf("logging.connections", "disconnect", "both"),
		Log:                       l.log(),
		PrometheusNamespace:       strings.Trim(l.value("prometheus_namespace"), `"`),
		Systree:                   l.systree(),
		Graphite:                  l.graphite(),
		BaseDir:                   l.dirs.Base, EtcDir: l.dirs.Etc,
		DataDir: l.path(l.value("platform_data_dir")),
		LogDir:  l.path(l.value("setup.log_dir")),
	}
	if v := l.value("persistent_client_expiration"); v != "never" {
		c.PersistentClientExpiration, _ = parseExpiry(v)
	}
	if v := l.value("max_ws_frame_size"); v != "infinity" {
		c.MaxFrameSize = number(v)
	}
	c.CRLRefreshInterval = time.Duration(l.int("crl_refresh_interval")) * time.Millisecond
	c.DisconnectUnauthorizedV3 = l.on("disconnect_on_unauthorized_publish_v3")
	errs = l.plugins(c)
	listeners, more := l.listeners()
	c.Listeners, errs = listeners, append(errs, more...)
	var httpErrs Errors
	c.HTTPListeners, httpErrs = l.httpListeners()
	errs = append(errs, httpErrs...)
	if len(errs) == 0 && len(c.Listeners) == 0 && len(c.HTTPListeners) == 0 {
		errs = append(errs, errNoListener)
	}
	c.loaded = l
	l.Config = c
	return errs
}

// storeDir is where the store lies.
func (l *Loaded) storeDir() string {
	if v := l.value("leveldb_message_store.directory"); v != "" {
		return l.path(v)
	}
	return l.path(l.value("vmq_generic_msg_store.store_dir"))
}

func (l *Loaded) on(name string) bool { return l.value(name) == "on" }

func (l *Loaded) int(name string) int { return number(l.value(name)) }

func (l *Loaded) bytes(name string) int {
	n, _ := parseBytes(l.value(name))
	return int(n)
}

func (l *Loaded) seconds(name string) time.Duration {
	return time.Duration(l.int(name)) * time.Second
}

func (l *Loaded) willDelay() uint32 {
	v := l.value("max_last_will_delay")
	if v == "client" {
		return math.MaxUint32
	}
	d, _ := parseExpiry(v)
	return uint32(min(d/time.Second, math.MaxUint32))
}

func (l *Loaded) loops() int {
	if n := l.int("reactor.loops"); n > 0 {
		return n
	}
	return min(max(runtime.NumCPU()-1, 1), 64)
}

var (
	sendTimeoutOption = regexp.MustCompile(`\{\s*send_timeout\s*,\s*(\d+|infinity)\s*\}`)
	keepAliveOption   = regexp.MustCompile(`\{\s*keepalive\s*,\s*true\s*\}`)
	noDelayOption     = regexp.MustCompile(`\{\s*nodelay\s*,\s*false\s*\}`)
)

const defaultSendTimeout = 30 * time.Second

// sendTimeout is the option send_timeout, in milliseconds.
func (l *Loaded) sendTimeout() time.Duration {
	m := sendTimeoutOption.FindStringSubmatch(l.value("tcp_listen_options"))
	if m == nil {
		return defaultSendTimeout
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n > largest { // infinity, or as good as that
		n = largest
	}
	if n == 0 {
		return defaultSendTimeout
	}
	return max(time.Duration(n)*time.Millisecond, time.Second)
}

func (l *Loaded) noDelay() bool {
	return !noDelayOption.MatchString(l.value("tcp_listen_options"))
}

func (l *Loaded) keepAlive() bool {
	return keepAliveOption.MatchString(l.value("tcp_listen_options"))
}
