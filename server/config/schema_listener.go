package config

import "strings"

// listenerOption is an option of listeners, with the transports that have it
// for all their listeners and for a single one.
type listenerOption struct {
	name          string
	typ           datatype
	all, one      string // transports
	global        string // default of listener.OPTION, or none
	def, defNamed string // defaults at the two levels
	marks         marks
	doc           string
}

const (
	mqttListeners = "tcp ssl ws wss"
	tlsListeners  = "ssl wss vmqs https"
	allListeners  = "tcp ssl ws wss vmq vmqs http https"
)

var listenerOptions = []listenerOption{
	{"max_connections", connections, allListeners, allListeners, "10000", "-1", "-1", 0, "Connections that a listener has at once; others wait until one leaves. -1 takes the value of the level above."},
	{"nr_of_acceptors", integer, allListeners, allListeners, "10", "-1", "-1", ignored, "Processes that accept connections in VerneMQ; here the loops do."},
	{"max_connection_lifetime", atLeast(0), mqttListeners, mqttListeners, "0", none, none, 0, "Seconds after which a connection is ended. 0 never."},
	{"mountpoint", stringType, mqttListeners + " vmq vmqs", mqttListeners + " vmq vmqs", "off", none, none, 0, "Keeps the clients and topics of a listener apart from those of other mountpoints. off is the common one."},
	{"allowed_protocol_versions", versions, mqttListeners, mqttListeners, none, "3,4", none, 0, "Protocol levels that may connect: 3 (MQTT 3.1), 4 (3.1.1), 5, and 131 and 132 of bridges."},
	{"allow_anonymous_override", flagType, "", mqttListeners, none, none, "off", 0, "Lets clients of this listener in without asking an authentication plugin."},
	{"auth_plugins", wordList, "", mqttListeners, none, none, none, 0, "Authentication plugins of this listener, in their order."},
	{"authz_plugins", wordList, "", mqttListeners, none, none, none, 0, "Authorization plugins of this listener, in their order."},
	{"forward_connection_opts", flagType, mqttListeners, mqttListeners, none, "off", none, 0, "Tells authentication plugins about the listener and the client's certificate."},
	{"buffer_sizes", bufferSizes, "tcp ssl", "tcp ssl vmq", none, none, none, 0, "Sizes in bytes of the kernel's send and receive buffer of a connection and of the broker's own read buffer. 0 leaves one to the kernel, which adapts it to the traffic. The read buffer belongs to a loop, not to a connection: the largest number of all listeners counts, from 128 KiB to 1 MiB; without one it is twice the first size in tcp_rmem."},
	{"active_n", between(1, 32767), "tcp ssl", "tcp ssl", none, none, none, ignored, "Reads of a socket per turn in VerneMQ."},
	{"proxy_protocol", flagType, "tcp ws http", "tcp ws http", none, "off", none, 0, "Expects the PROXY header, version 1 or 2, before anything else. Connections without it are closed."},
	{"proxy_protocol_use_cn_as_username", flagType, "tcp ws http", "tcp ws http", none, "on", none, 0, "Takes the user name from the client certificate that a PROXY header of version 2 tells of, if the proxy has verified it."},
	{"proxy_xff_support", flagType, "ws", "ws", none, "off", none, 0, "Takes the client's address from X-Forwarded-For (its first entry) when the connection comes from a trusted proxy."},
	{"proxy_xff_trusted_intermediate", addresses, "ws", "ws", none, "", none, 0, "Addresses of the proxies whose header fields are believed, with ; between them."},
	{"proxy_xff_use_cn_as_username", flagType, "", "ws", none, none, "off", 0, "Takes the user name from the field proxy_xff_cn_header. Requests without it, or from a proxy that is not trusted, are refused. Needs proxy_xff_support."},
	{"proxy_xff_cn_header", stringType, "", "ws", none, none, "x-ssl-client-cn", 0, "The header field with the common name of the client's certificate."},
	{"high_watermark", integer, "", "vmq", none, none, "8192", later, "Flow control between nodes."},
	{"low_watermark", integer, "", "vmq", none, none, "4096", later, "Flow control between nodes."},
	{"high_msgq_watermark", integer, "", "vmq", none, none, "8192", later, "Flow control between nodes."},
	{"low_msgq_watermark", integer, "", "vmq", none, none, "4096", later, "Flow control between nodes."},
	{"cafile", fileType, tlsListeners, tlsListeners, none, "", none, 0, "Authorities that clients' certificates are held to, PEM. Read again when it changes, as the other files."},
	{"certfile", fileType, tlsListeners, tlsListeners, none, "", none, 0, "The server's certificate, followed by those between it and the root, PEM."},
	{"keyfile", fileType, tlsListeners, tlsListeners, none, "", none, 0, "The server's private key, PEM. Without it the key is in certfile."},
	{"keypasswd", stringType, tlsListeners, tlsListeners, none, "", none, 0, "Password of the private key: PKCS #8 with PBES2 (AES or triple DES in CBC mode), or the older kind with DEK-Info."},
	{"crlfile", fileType, tlsListeners, tlsListeners, none, "", none, 0, "Lists of revoked certificates, PEM. A client whose own certificate is on the list of its issuer is refused."},
	{"depth", atLeast(0), tlsListeners, tlsListeners, none, "1", none, 0, "Most authorities that may stand between a client's certificate and the root."},
	{"ciphers", stringType, tlsListeners, tlsListeners, none, "", none, 0, "Cipher suites of TLS 1.2 in OpenSSL's names, with : between them. Empty leaves the choice to Go. Names that are not available are left out with a warning."},
	{"eccs", wordList, tlsListeners, tlsListeners, none, "", "", 0, "Elliptic curves for the key exchange. Empty leaves the choice to Go."},
	{"require_certificate", flagType, tlsListeners, tlsListeners, none, "off", none, 0, "Refuses clients without a certificate of one of the authorities in cafile."},
	{"tls_version", stringType, tlsListeners, tlsListeners, none, "tlsv1.2", none, 0, "Versions that are offered, of tlsv1, tlsv1.1, tlsv1.2, tlsv1.3, without a gap."},
	{"tls_handshake_timeout", millisecondsInf, tlsListeners, tlsListeners, none, "-1", none, 0, "Milliseconds from the accept in which the TLS handshake must be over. -1 stands for 5000."},
	{"use_identity_as_username", flagType, "ssl wss", "ssl wss", none, "off", none, 0, "Takes the user name from the common name of the client's certificate. Clients without a certificate keep their own, unless require_certificate is on."},
	{"psk_support", flagType, "ssl", "ssl", none, "off", none, 0, "TLS with pre-shared keys. It is not available: on is refused."},
	{"psk_identity_hint", stringType, "ssl", "ssl", none, "VMQ_PSK", none, ignored, "Hint sent to clients that use pre-shared keys."},
	{"pskfile", fileType, "ssl", "", none, "ETC/vmq.psk", none, ignored, "File of pre-shared keys."},
	{"pskfile_separator", stringType, "ssl", "", none, ":", none, ignored, "What separates identity and key in that file."},
	{"config_mod", atomType, "", "http https", none, none, "vmq_http_config", ignored, "Internal to VerneMQ."},
	{"config_fun", atomType, "", "http https", none, none, "config", ignored, "Internal to VerneMQ."},
	{"http_modules", httpModules, "", "http https", none, none, "[]", 0, "What this listener serves; [] is the value of http_modules."},
	{"max_request_line_length", atLeast(1), "", "http https ws wss", none, none, "8000", 0, "Longest request line, in bytes."},
	{"max_header_value_length", atLeast(1), "", "http https ws wss", none, none, "4096", 0, "Longest header value, in bytes."},
}

// transports are the kinds of listeners with the default of their address.
var transports = []struct {
	name, address string
	typ           datatype
	doc           string
}{
	{"tcp", none, addressUnix, "Address of a listener for MQTT over TCP; local:PATH:0 is a unix socket."},
	{"ssl", none, address, "Address of a listener for MQTT over TLS."},
	{"ws", none, address, "Address of a listener for MQTT over WebSocket."},
	{"wss", none, address, "Address of a listener for MQTT over WebSocket and TLS."},
	{"vmq", "0.0.0.0:44053", address, "Address of a listener for other nodes."},
	{"vmqs", "0.0.0.0:44054", address, "Address of a listener for other nodes, over TLS."},
	{"http", "127.0.0.1:8888", address, "Address of a listener for HTTP."},
	{"https", "127.0.0.1:8889", address, "Address of a listener for HTTPS."},
}

// availableTransports can be used in this version.
const availableTransports = "tcp ssl ws wss"

func available(transport string) bool {
	for _, t := range strings.Fields(availableTransports) {
		if t == transport {
			return true
		}
	}
	return false
}

// servesHTTP tells that listeners of a transport serve HTTP.
func servesHTTP(transport string) bool { return transport == "http" || transport == "https" }

func listenerKeys() (keys []key) {
	for _, t := range transports {
		m := marks(0)
		if !available(t.name) && !servesHTTP(t.name) {
			m = later
		}
		keys = append(keys, key{"listener." + t.name + ".$name", t.typ, t.address, m, t.doc})
	}
	for _, o := range listenerOptions {
		if o.global != none {
			keys = append(keys, key{"listener." + o.name, o.typ, o.global, o.marks, o.doc})
		}
		for _, t := range strings.Fields(o.all) {
			keys = append(keys, key{"listener." + t + "." + o.name, o.typ, o.def, o.mark(t), o.doc})
		}
		for _, t := range strings.Fields(o.one) {
			keys = append(keys, key{"listener." + t + ".$name." + o.name, o.typ, o.defNamed, o.mark(t), o.doc})
		}
	}
	return append(keys, key{"crl_refresh_interval", atLeast(0), "60000", 0, "Milliseconds between looks at the files of revoked certificates. 0 never."})
}

// mark tells what is special about an option of a transport.
func (o *listenerOption) mark(transport string) marks {
	if !available(transport) && !servesHTTP(transport) && !o.has(ignored) {
		return o.marks | later
	}
	return o.marks
}

func (o *listenerOption) has(m marks) bool { return o.marks&m != 0 }

func httpKeys() []key {
	mode := enum("noauth", "apikey")
	keys := []key{
		{"http_modules", httpModules, "[vmq_metrics_http,vmq_http_mgmt_api, vmq_status_http, vmq_health_http, vmq_http_v2_api]", 0, "What HTTP listeners serve."},
		{"http_module.$name.auth.mode", mode, "noauth", 0, "Whether a module asks for an API key."},
		{"http_module.vmq_http_mgmt_api.auth.mode", mode, "apikey", 0, "Whether the management API asks for an API key."},
		{"http_module.vmq_http_v2_api.auth.mode", mode, "apikey", 0, "Whether the second API asks for an API key."},
		{"http_module.vmq_http_pub.auth.mode", mode, "apikey", 0, "Whether publishing over HTTP asks for an API key."},
		{"min_apikey_length", integer, "0", 0, "Shortest API key."},
		{"max_apikey_expiry_days", integer, none, 0, "Longest life of an API key, in days."},
	}
	for _, t := range []string{"http", "https"} {
		keys = append(keys,
			key{"listener." + t + ".$name.http_module.$module.auth.mode", mode, none, 0, "Whether a module asks for an API key on this listener."},
			key{"listener." + t + ".$name.http_modules.vmq_http_pub.mountpoint", stringType, none, 0, "Mountpoint of messages published on this listener."},
			key{"listener." + t + ".$name.http_modules.vmq_http_pub.mqtt_auth.mode", enum("on-behalf-of", "predefined"), none, 0, "As vmq_http_pub.mqtt_auth.mode, for this listener."},
			key{"listener." + t + ".$name.http_modules.vmq_http_pub.mqtt_auth.auth_plugin", stringType, none, ignored, "Unused by VerneMQ itself."})
		for _, o := range []string{"user", "password", "client_id"} {
			keys = append(keys, key{"listener." + t + ".$name.http_modules.vmq_http_pub.mqtt_auth." + o, stringType, none, 0, "As vmq_http_pub.mqtt_auth." + o + ", for this listener."})
		}
	}
	return keys
}
