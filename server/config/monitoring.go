package config

import (
	"math"
	"slices"
	"time"
)

// Systree is what is published under $SYS.
type Systree struct {
	Enabled    bool
	Interval   time.Duration // 0 = never
	Mountpoint string
	QoS        byte
	Retain     bool
}

// Graphite is where measurements are sent.
type Graphite struct {
	Enabled          bool
	Host             string
	Port             int
	Interval         time.Duration
	ConnectTimeout   time.Duration
	ReconnectTimeout time.Duration // pause after a failure
	Prefix, APIKey   string
	IncludeLabels    bool
}

// Log is where the log goes.
type Log struct {
	Console       string // off, file, console, both
	ConsoleFormat string // text or json
	Level         string // of console and file
	Lowest        string // of everything
	Simple        bool   // lines without a place
	File          LogFile
	Error         LogFile
	Crash         LogFile
	CrashMessage  int // longest message, bytes
	Syslog        *Syslog
}

// LogFile is a log file. Without a path there is none.
type LogFile struct {
	Path     string
	JSON     bool
	Size     int64  // at which a new one is begun, 0 = never
	Time     string // when a new one is begun, as $D0; empty = never
	Keep     int    // old ones
	Compress bool
}

// Syslog is a syslog, local or remote.
type Syslog struct {
	Level    string
	RFC5424  bool
	Facility string
	AppName  string
	Host     string // empty: the local one
	Port     int
	Protocol string // udp, tcp, tls
	CAFile   string
}

func (l *Loaded) millis(name string) time.Duration {
	return time.Duration(l.int(name)) * time.Millisecond
}

func (l *Loaded) oneOf(name string, words ...string) bool {
	return slices.Contains(words, l.value(name))
}

func (l *Loaded) systree() Systree {
	return Systree{Enabled: l.on("systree_enabled"), Interval: l.millis("systree_interval"), Mountpoint: l.value("systree_mountpoint"),
		QoS: byte(l.int("systree_qos")), Retain: l.on("systree_retain")}
}

func (l *Loaded) graphite() Graphite {
	return Graphite{Enabled: l.on("graphite_enabled"), Host: l.value("graphite_host"), Port: l.int("graphite_port"),
		Interval: l.millis("graphite_interval"), ConnectTimeout: l.millis("graphite_connect_timeout"), ReconnectTimeout: l.millis("graphite_reconnect_timeout"),
		Prefix: l.value("graphite_prefix"), APIKey: l.value("graphite_api_key"), IncludeLabels: l.on("graphite_include_labels")}
}

func (l *Loaded) log() Log {
	g := Log{Console: l.value("log.console"), ConsoleFormat: l.value("log.console.console.format"), Level: l.value("log.console.level"),
		Lowest: l.value("log.level"), Simple: l.value("log.template") == "simple", CrashMessage: l.bytes("log.crash.maximum_message_size")}
	if l.oneOf("log.console", "file", "both") {
		g.File = l.logFile("log.console", l.value("log.console.file.format"))
	}
	if l.on("log.error") {
		g.Error = l.logFile("log.error", l.value("log.error.file.format"))
	}
	if l.on("log.crash") {
		g.Crash = l.logFile("log.crash", "text")
		g.Crash.Time = l.value("log.crash.rotation")
		if !l.isSet("log.crash.rotation.size") {
			g.Crash.Size = int64(l.bytes("log.crash.size"))
		}
	}
	if l.on("log.syslog") {
		g.Syslog = &Syslog{Level: l.value("log.syslog.level"), RFC5424: l.value("log.syslog.format") == "rfc5424", Facility: l.value("log.syslog.facility"),
			AppName: l.value("log.syslog.app_name"), Host: l.value("log.syslog.remote.host"), Port: l.int("log.syslog.remote.port"),
			Protocol: l.value("log.syslog.remote.protocol"), CAFile: l.path(l.value("log.syslog.remote.tls.cafile"))}
	}
	return g
}

func (l *Loaded) logFile(prefix, format string) LogFile {
	f := LogFile{Path: l.path(l.value(prefix + ".file")), JSON: format == "json", Compress: l.on(prefix + ".rotation.compress_on_rotate"),
		Keep: number(l.value(prefix + ".rotation.keep"))} // current is 0
	if v := l.value(prefix + ".rotation.size"); v != "infinity" {
		n, _ := parseBytes(v)
		f.Size = min(n, math.MaxInt64)
	}
	return f
}
