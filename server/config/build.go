package config

import (
	"math"
	"regexp"
	"runtime"
	"slices"
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
		KeepaliveAsWarning:        l.on("logging.keepalive_as_warning"),
		LogConsole:                l.value("log.console"),
		LogConsoleFile:            l.path(l.value("log.console.file")),
		LogLevel:                  l.logLevel(),
		LogConsoleFormat:          l.value("log.console.console.format"),
		LogFileFormat:             l.value("log.console.file.format"),
		BaseDir:                   l.dirs.Base, EtcDir: l.dirs.Etc,
		DataDir: l.path(l.value("platform_data_dir")),
		LogDir:  l.path(l.value("setup.log_dir")),
	}
	if v := l.value("persistent_client_expiration"); v != "never" {
		c.PersistentClientExpiration, _ = parseExpiry(v)
	}
	c.DisconnectUnauthorizedV3 = l.on("disconnect_on_unauthorized_publish_v3")
	errs = l.plugins(c)
	listeners, more := l.listeners()
	c.Listeners, errs = listeners, append(errs, more...)
	if len(errs) == 0 && len(c.Listeners) == 0 {
		errs = append(errs, errNoListener)
	}
	l.Config = c
	return errs
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

// logLevel is the higher one of the level of the log and that of all logs.
func (l *Loaded) logLevel() string {
	order := []string{"all", "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}
	return order[max(slices.Index(order, l.value("log.console.level")), slices.Index(order, l.value("log.level")))]
}

var (
	sendTimeoutOption = regexp.MustCompile(`\{\s*send_timeout\s*,\s*(\d+)\s*\}`)
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
	if err != nil || n == 0 {
		return defaultSendTimeout
	}
	return max(time.Duration(n)*time.Millisecond, time.Second)
}

func (l *Loaded) noDelay() bool {
	return !noDelayOption.MatchString(l.value("tcp_listen_options"))
}

// listeners resolves the options of each listener: its own, else those of its
// transport, else those of all listeners.
func (l *Loaded) listeners() (out []Listener, errs Errors) {
	for _, name := range sortedSettings(l.settings) {
		w := splitWords(name)
		if len(w) != 3 || w[0] != "listener" || !available(w[1]) || optional[w[2]] {
			continue
		}
		li, err := l.listener(w[1], w[2])
		if err == nil {
			err = l.checkChains(&li)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, li)
	}
	for _, name := range sortedSettings(l.settings) {
		w := splitWords(name)
		if len(w) == 4 && w[0] == "listener" && available(w[1]) && !l.isSet(strings.Join(w[:3], ".")) {
			l.Warnings = append(l.Warnings, l.settings[name].where()+": "+name+" has no effect: "+strings.Join(w[:3], ".")+" is not set")
		}
	}
	return out, errs
}

// inherit gives an option of a listener. A value of -1 is that of the level
// above.
func (l *Loaded) inherit(transport, name, option string) string {
	for _, level := range []string{"listener." + transport + "." + name + ".", "listener." + transport + ".", "listener."} {
		if s, ok := l.settings[level+option]; ok && s.Value != "-1" {
			return s.Value
		}
	}
	for _, k := range []string{"listener." + transport + "." + option, "listener." + option} {
		if v, ok := l.defaultOf(k); ok && v != "-1" {
			return v
		}
	}
	return ""
}

func (l *Loaded) listener(transport, name string) (Listener, error) {
	key := "listener." + transport + "." + name
	li := Listener{Transport: transport, Name: name, NoDelay: l.noDelay(), Mountpoint: l.inherit(transport, name, "mountpoint")}
	address := l.value(key)
	if rest, ok := strings.CutPrefix(address, "local:"); ok {
		li.Network, li.Address = "unix", l.path(strings.TrimSuffix(rest, ":0"))
		if len(li.Address) > 107 {
			return li, l.check(key, "the path of a unix socket may have 107 bytes")
		}
	} else {
		ap, err := parseAddress(address)
		if err != nil {
			return li, l.check(key, err.Error())
		}
		li.Network, li.Address = "tcp4", ap.String()
		if !ap.Addr().Is4() {
			li.Network = "tcp6"
		}
	}
	if li.Mountpoint == "off" {
		li.Mountpoint = ""
	}
	li.Mountpoint = strings.TrimSuffix(li.Mountpoint, "/")
	if v := l.inherit(transport, name, "max_connections"); v != "infinity" {
		li.MaxConnections = number(v)
	}
	li.Acceptors = number(l.inherit(transport, name, "nr_of_acceptors"))
	for _, v := range list(l.inherit(transport, name, "allowed_protocol_versions")) {
		li.AllowedVersions = append(li.AllowedVersions, byte(number(v)))
	}
	li.AuthPlugins = list(l.inherit(transport, name, "auth_plugins"))
	li.AuthzPlugins = list(l.inherit(transport, name, "authz_plugins"))
	li.ForwardConnectionOpts = l.inherit(transport, name, "forward_connection_opts") == "on"
	li.AllowAnonymous = l.on("allow_anonymous") || l.on(key+".allow_anonymous_override")
	li.MaxConnectionLifetime = time.Duration(number(l.inherit(transport, name, "max_connection_lifetime"))) * time.Second
	for i, v := range list(l.inherit(transport, name, "buffer_sizes")) {
		li.BufferSizes[i] = number(v)
	}
	return li, nil
}
