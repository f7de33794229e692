package config

// monitoringKeys are about what the broker tells of itself.
var monitoringKeys = []key{
	{"systree_enabled", flagType, "on", live, "Publishes measurements under $SYS."},
	{"systree_interval", atLeast(0), "20000", live, "Milliseconds between publications under $SYS. 0 stops them."},
	{"systree_mountpoint", stringType, "", 0, "Mountpoint of $SYS."},
	{"systree_qos", between(0, 2), "0", 0, "QoS of $SYS messages."},
	{"systree_retain", flagType, "off", 0, "Whether $SYS messages are retained."},
	{"systree_reg_view", atomType, "vmq_reg_trie", ignored, "Lookup of VerneMQ for $SYS."},
	{"prometheus_namespace", stringType, "", 0, "What metric names begin with on /metrics; \"\" is nothing, vernemq_ is what VerneMQ 2 has."},
	{"graphite_enabled", flagType, "off", live, "Sends measurements to Graphite."},
	{"graphite_host", stringType, "localhost", live, "Host of Graphite."},
	{"graphite_port", between(0, 65535), "2003", live, "Port of Graphite."},
	{"graphite_interval", atLeast(0), "20000", live, "Milliseconds between measurements for Graphite."},
	{"graphite_connect_timeout", atLeast(0), "5000", 0, "Milliseconds that a connection to Graphite may take."},
	{"graphite_reconnect_timeout", atLeast(0), "15000", 0, "Milliseconds before the next attempt."},
	{"graphite_prefix", stringType, "", 0, "What names begin with in Graphite."},
	{"graphite_api_key", stringType, "", 0, "Key that comes before the prefix."},
	{"graphite_include_labels", flagType, "off", live, "A series for each label."},
}

var (
	logLevel   = enum("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
	someLevel  = enum("all", "debug", "info", "warning", "error")
	textOrJSON = enum("text", "json")
)

// loggingKeys are about logs.
var loggingKeys = []key{
	{"log.console", enum("off", "file", "console", "both"), "file", 0, "Where the log goes: to a file, to the console, or to both."},
	{"log.console.level", logLevel, "info", 0, "Lowest level that is logged."},
	{"log.console.file", fileType, "LOG/console.log", 0, "The log file."},
	{"log.console.console.format", textOrJSON, "text", 0, "Format of lines on the console."},
	{"log.console.file.format", textOrJSON, "text", 0, "Format of lines in the file."},
	{"log.console.rotation.size", bytesOrInf, "infinity", 0, "Size at which a new log file is begun."},
	{"log.console.rotation.keep", atLeast(0), "5", 0, "Old log files that are kept."},
	{"log.console.rotation.compress_on_rotate", flagType, "off", 0, "Compresses old log files."},
	{"log.template", enum("simple", "extended"), "extended", 0, "How much a line says."},
	{"log.error", flagType, "on", 0, "Writes errors to a file of their own as well."},
	{"log.error.file", fileType, "LOG/error.log", 0, "That file."},
	{"log.error.file.format", textOrJSON, "text", 0, "Format of its lines."},
	{"log.error.rotation.size", bytesOrInf, "infinity", 0, "Size at which a new error log is begun."},
	{"log.error.rotation.keep", atLeast(0), "5", 0, "Old error logs that are kept."},
	{"log.error.rotation.compress_on_rotate", flagType, "off", 0, "Compresses old error logs."},
	{"log.error.redirect", flagType, "on", ignored, "Internal to older VerneMQ."},
	{"log.error.messages_per_second", integer, "100", ignored, "Internal to older VerneMQ."},
	{"log.crash", flagType, "on", 0, "Writes crashes to a file of their own."},
	{"log.crash.file", fileType, "LOG/crash.log", 0, "That file."},
	{"log.crash.rotation.size", bytesOrInf, "infinity", 0, "Size at which a new crash log is begun."},
	{"log.crash.rotation.keep", keepCount, "5", 0, "Old crash logs that are kept."},
	{"log.crash.rotation.compress_on_rotate", flagType, "off", 0, "Compresses old crash logs."},
	{"log.crash.maximum_message_size", bytesType, "64KB", 0, "Longest message in the crash log."},
	{"log.crash.size", bytesType, "10MB", 0, "Older name of log.crash.rotation.size, which wins where it is set."},
	{"log.crash.rotation", rotationTime, "$D0", 0, "When a new crash log is begun: $D0 every day at 0 o'clock, $W1D4 every Monday at 4, $M1D0 every first of a month; empty never."},
	{"log.sasl", flagType, "off", ignored, "Log of VerneMQ's machine."},
	{"log.sasl.file", fileType, "LOG/sasl.log", ignored, "That file."},
	{"log.sasl.rotation.size", bytesOrInf, "infinity", ignored, "Size at which a new one is begun."},
	{"log.sasl.rotation.keep", integer, "5", ignored, "Old ones that are kept."},
	{"log.sasl.rotation.compress_on_rotate", flagType, "off", ignored, "Compresses old ones."},
	{"log.syslog", flagType, "off", 0, "Writes the log to syslog as well."},
	{"log.syslog.level", someLevel, "all", 0, "Lowest level for syslog."},
	{"log.syslog.format", enum("rfc3164", "rfc5424"), "rfc3164", 0, "Format of syslog messages."},
	{"log.syslog.facility", enum("kern", "kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "logaudit", "logalert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"), "daemon", 0, "Facility of syslog messages."},
	{"log.syslog.app_name", stringType, none, 0, "Name of the program in syslog messages."},
	{"log.syslog.remote.host", stringType, none, 0, "Host of a remote syslog."},
	{"log.syslog.remote.port", between(1, 65535), "514", 0, "Its port."},
	{"log.syslog.remote.protocol", enum("udp", "tcp", "tls"), "udp", 0, "Its transport."},
	{"log.syslog.remote.tls.cafile", fileType, none, 0, "Certificates that are trusted for it."},
	{"logging.connections", enum("off", "connect", "disconnect", "both"), "off", live, "Logs a line at level info for each client that connects or disconnects. Clients that are refused or end badly have a line in any case."},
	{"log.level", someLevel, "all", 0, "Lowest level for all logs together."},
}
