package config

import "slices"

func pluginKeys() []key {
	return slices.Concat(basicPluginKeys, diversityKeys(), bridgeKeys(), webKeys)
}

var basicPluginKeys = []key{
	{"plugins.$name", flagType, none, 0, "Starts a plugin that is compiled in."},
	{"plugins.$name.path", dirType, none, 0, "Directory of a plugin's files; without it the one of the configuration."},
	{"plugins.$name.priority", integer, none, 0, "Order in which plugins start and are asked: the lowest first, then those without one by their names."},
	{"plugins.vmq_passwd", flagType, "on", 0, "Authentication with a password file."},
	{"plugins.vmq_acl", flagType, "on", 0, "Authorization with an ACL file."},
	{"plugins.vmq_bridge", flagType, "off", later, "Bridges to other brokers."},
	{"plugins.vmq_diversity", flagType, "off", later, "Lua scripts and databases."},
	{"plugins.vmq_webhooks", flagType, "off", 0, "Webhooks."},
	{"vmq_passwd.password_file", fileType, "ETC/vmq.passwd", live, "The password file."},
	{"vmq_passwd.password_reload_interval", atLeast(0), "10", live, "Seconds between looks at the password file. 0 never."},
	{"vmq_acl.acl_file", fileType, "ETC/vmq.acl", live, "The ACL file."},
	{"vmq_acl.acl_reload_interval", atLeast(0), "10", live, "Seconds between looks at the ACL file. 0 never."},
	{"vmq_pulse.url", stringType, "https://pulse.vernemq.com", ignored, "A service of VerneMQ that has ended."},
	{"vmq_pulse.api_key", stringType, none, ignored, "A service of VerneMQ that has ended."},
	{"vmq_pulse.push_interval", integer, "60", ignored, "A service of VerneMQ that has ended."},
	{"vmq_pulse.connect_timeout", integer, "10", ignored, "A service of VerneMQ that has ended."},
	{"vmq_bcrypt.pool_size", datatype{"integer or auto", orWord("auto", checkInteger)}, "1", later, "Workers for bcrypt."},
	{"vmq_bcrypt.nif_pool_size", datatype{"integer or auto", orWord("auto", checkInteger)}, "4", later, "Workers for bcrypt."},
	{"vmq_bcrypt.nif_pool_max_overflow", atLeast(1), "10", later, "Further workers for bcrypt."},
	{"vmq_bcrypt.default_log_rounds", between(4, 31), "12", later, "Cost of bcrypt."},
	{"vmq_bcrypt.mechanism", enum("nif", "port"), "port", ignored, "Implementation of bcrypt in VerneMQ."},
	{"vmq_http_pub.mqtt_auth.mode", enum("on-behalf-of", "predefined"), "on-behalf-of", 0, "Whose name a message published over HTTP has."},
	{"vmq_http_pub.mqtt_auth.auth_plugin", stringType, "mqtt", ignored, "Unused by VerneMQ itself."},
	{"vmq_http_pub.mqtt_auth.user", stringType, none, 0, "User name of messages published over HTTP."},
	{"vmq_http_pub.mqtt_auth.password", stringType, none, 0, "Password of messages published over HTTP."},
	{"vmq_http_pub.mqtt_auth.client_id", stringType, none, 0, "Client id of messages published over HTTP."},
	{"vmq_http_pub.mountpoint", stringType, none, 0, "Mountpoint of messages published over HTTP."},
}

// databases are those that authenticate through Lua, with the defaults of
// their keys in the order of databaseOptions.
var databases = []struct {
	name   string
	values map[string]string
}{
	{"postgres", map[string]string{"host": "localhost", "port": "5432", "user": "root", "password": "password", "database": "vernemq_db", "password_hash_method": "crypt", "ssl": "off"}},
	{"cockroachdb", map[string]string{"host": "localhost", "port": "5432", "user": "root", "password": "password", "database": "vernemq_db", "password_hash_method": "bcrypt", "ssl": "on"}},
	{"mysql", map[string]string{"host": "localhost", "port": "3306", "user": "root", "password": "password", "database": "vernemq_db", "password_hash_method": "password"}},
	{"mysql2", map[string]string{"host": "localhost", "port": "3306", "user": "root", "password": "password", "database": "vernemq_db", "password_hash_method": "sha256", "ssl": "off"}},
	{"mongodb", map[string]string{"host": "localhost", "port": "27017", "login": none, "password": none, "database": none, "auth_source": "admin", "srv": "", "w_mode": "safe", "read_preference": "primaryPreferred", "r_mode": none, "ssl": "off", "ssl.sni": none}},
	{"redis", map[string]string{"host": "localhost", "port": "6379", "user": "", "password": "", "database": "0"}},
	{"memcache", map[string]string{"host": "localhost", "port": "11211"}},
}

var databaseOptions = map[string]struct {
	typ datatype
	doc string
}{
	"host":                 {stringType, "Host of the database."},
	"port":                 {between(1, 65535), "Port of the database."},
	"user":                 {stringType, "User of the database."},
	"login":                {stringType, "User of the database."},
	"password":             {stringType, "Password of the database."},
	"database":             {stringType, "Name of the database."},
	"password_hash_method": {enum("crypt", "bcrypt", "password", "md5", "sha1", "sha256"), "How passwords in the database are hashed."},
	"ssl":                  {flagType, "Uses TLS to the database."},
	"auth_source":          {stringType, "Database that knows the user."},
	"srv":                  {stringType, "DNS name of a service record."},
	"w_mode":               {atomType, "Write mode."},
	"r_mode":               {atomType, "Read mode of older VerneMQ."},
	"read_preference":      {enum("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"), "Which member of a replica set is read."},
	"ssl.sni":              {stringType, "Server name in the TLS handshake."},
}

func diversityKeys() []key {
	keys := []key{
		{"vmq_diversity.script_dir", dirType, "SHARE/lua", later, "Directory of Lua scripts that are loaded."},
		{"vmq_diversity.$script.file", fileType, none, later, "A Lua script that is loaded."},
		{"vmq_diversity.keep_state", flagType, "off", live | later, "Keeps a script's variables between calls."},
		{"vmq_diversity.nr_lua_states", atLeast(1), "1", later, "Machines that run a script."},
		{"vmq_diversity.clique_lead_line", stringType, "    script      Manage lua scripts\\n", ignored, "Internal to VerneMQ."},
	}
	for _, db := range databases {
		p := "vmq_diversity." + db.name + "."
		for _, o := range sortedKeys(db.values) {
			keys = append(keys, key{p + o, databaseOptions[o].typ, db.values[o], later, databaseOptions[o].doc})
		}
		if db.name == "memcache" {
			continue
		}
		keys = append(keys,
			key{p + "pool_size", atLeast(1), "5", later, "Connections to the database."},
			key{"vmq_diversity.auth_" + db.name + ".enabled", flagType, "off", later, "Authentication with " + db.name + "."},
			key{"vmq_diversity.auth_" + db.name + ".script", fileType, "SHARE/lua/auth/" + db.name + ".lua", later, "The script that does it."})
		if _, ok := db.values["ssl"]; ok {
			keys = append(keys,
				key{p + "cafile", fileType, "", later, "Certificates that are trusted."},
				key{p + "certfile", fileType, "", later, "The client's certificate."},
				key{p + "keyfile", fileType, "", later, "The client's private key."},
				key{p + "ssl.depth", integer, "3", later, "Longest chain of certificates."},
				key{p + "ssl.verify", enum("verify_none", "verify_peer"), "verify_peer", later, "Whether the database's certificate is checked."},
				key{p + "ssl.use_system_cas", flagType, "on", later, "Trusts the certificates of the system."},
				key{p + "ssl.customize_hostname_check", enum("https"), "https", later, "How the host name is checked."})
		}
	}
	return keys
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func bridgeKeys() (keys []key) {
	for _, t := range []string{"tcp", "ssl"} {
		p := "vmq_bridge." + t + ".$name"
		keys = append(keys,
			key{p, hostPort, none, later, "The other broker of a bridge."},
			key{p + ".cleansession", flagType, "off", later, "Clean session at the other broker."},
			key{p + ".client_id", stringType, "auto", later, "Client id at the other broker; auto makes one."},
			key{p + ".keepalive_interval", atLeast(0), "60", later, "Keep alive in seconds."},
			key{p + ".username", stringType, none, later, "User name at the other broker."},
			key{p + ".password", stringType, none, later, "Password at the other broker."},
			key{p + ".restart_timeout", atLeast(0), "10", later, "Seconds before the next attempt to connect."},
			key{p + ".try_private", flagType, "on", later, "Says to the other broker that this is a bridge."},
			key{p + ".max_outgoing_buffered_messages", atLeast(0), "0", later, "Messages kept while the other broker is away."},
			key{p + ".topic.$topic_id", stringType, none, later, "Topics that are passed on: PATTERN [out|in|both [QOS [retain]]] [LOCAL_PREFIX REMOTE_PREFIX], * for #."},
			key{p + ".mountpoint", stringType, "", later, "Mountpoint of the messages here."},
			key{p + ".mqtt_version", enum("3", "4", "5"), "3", later, "Protocol to the other broker."},
			key{p + ".persistent_queue", flagType, "off", later, "Keeps messages on disk."},
			key{p + ".queue_dir", dirType, none, later, "Directory of kept messages."},
			key{p + ".segment_size", bytesType, "4096", later, "Size of a file of kept messages."},
			key{p + ".outgoing_batch_size", atLeast(1), "100", later, "Messages sent at a time."},
			key{p + ".pubrel_queue_ratio", percent, "0%", later, "Part of the buffer for PUBREL."},
			key{p + ".inet_version", enum("inet", "inet6"), "inet", later, "IPv4 or IPv6."})
	}
	p := "vmq_bridge.ssl.$name."
	return append(keys,
		key{p + "cafile", fileType, "", later, "Certificates that are trusted."},
		key{p + "capath", dirType, "", ignored, "Never did anything."},
		key{p + "certfile", fileType, "", later, "The bridge's certificate."},
		key{p + "keyfile", fileType, "", later, "The bridge's private key."},
		key{p + "insecure", flagType, "off", later, "Does not check the other broker's certificate."},
		key{p + "tls_version", enum("tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"), "tlsv1.2", later, "Lowest TLS version that is spoken."},
		key{p + "identity", stringType, "", later, "Identity of a pre-shared key."},
		key{p + "psk", stringType, "", later, "The pre-shared key, in hex."},
		key{p + "depth", integer, "1", later, "Longest chain of certificates."},
		key{p + "customize_hostname_check", enum("https"), "https", later, "How the host name is checked."},
		key{p + "sni", stringType, none, later, "Server name in the TLS handshake."},
		key{"vmq_bridge.registry_mfa", stringType, none, ignored, "Internal to VerneMQ."},
		key{"vmq_bridge.clique_lead_line", stringType, "    bridge      Manage MQTT bridges\\n", ignored, "Internal to VerneMQ."})
}

var hookName = enum("auth_on_register", "auth_on_publish", "auth_on_subscribe", "on_register", "on_publish", "on_subscribe",
	"on_unsubscribe", "on_deliver", "on_offline_message", "on_client_wakeup", "on_client_offline", "on_client_gone",
	"on_session_expired", "auth_on_register_m5", "auth_on_publish_m5", "auth_on_subscribe_m5", "on_register_m5",
	"on_publish_m5", "on_subscribe_m5", "on_unsubscribe_m5", "on_deliver_m5", "on_auth_m5")

// webKeys are about webhooks and the web interface.
var webKeys = []key{
	{"vmq_webhooks.$name.hook", hookName, none, 0, "The hook that a webhook answers."},
	{"vmq_webhooks.$name.endpoint", stringType, none, 0, "URL of a webhook."},
	{"vmq_webhooks.$name.base64encode", flagType, "on", 0, "Sends payloads in base64."},
	{"vmq_webhooks.$name.no_payload", flagType, "off", 0, "Sends no payload with auth_on_publish."},
	{"vmq_webhooks.$name.response_timeout", atLeast(0), "5000", 0, "Milliseconds that an answer may take."},
	{"vmq_webhooks.pool_max_connections", atLeast(1), "100", live, "Connections to webhooks."},
	{"vmq_webhooks.pool_timeout", atLeast(0), "60000", live, "Milliseconds that an idle connection is kept."},
	{"vmq_webhooks.cafile", fileType, "", live, "Certificates that are trusted."},
	{"vmq_webhooks.certfile", fileType, "", live, "The client's certificate."},
	{"vmq_webhooks.keyfile", fileType, "", live, "The client's private key."},
	{"vmq_webhooks.keyfile_password", stringType, "", 0, "Password of the private key."},
	{"vmq_webhooks.depth", atLeast(0), "100", live, "Longest chain of certificates."},
	{"vmq_webhooks.verify_peer", flagType, "on", live, "Checks the certificate of a webhook."},
	{"vmq_webhooks.use_crls", flagType, "on", later, "Looks for revoked certificates."},
	{"vmq_webhooks.tls_version", enum("tlsv1.2", "tlsv1.3"), "tlsv1.2", live, "Lowest TLS version that is spoken."},
	{"vmq_webhooks.clique_lead_line", stringType, "    webhooks    Manage webhooks\\n", ignored, "Internal to VerneMQ."},
	{"vmq_web_ui.admin.auth", stringType, "password", later, "How one logs in to the web interface."},
	{"vmq_web_ui.admin.user_name", stringType, "admin", later, "User of the web interface."},
	{"vmq_web_ui.admin.user_pwd", stringType, "", later, "Password of that user."},
	{"vmq_web_ui.mgmt_api.key", stringType, "", later, "API key of the web interface."},
	{"vmq_web_ui.mgmt_api.port", stringType, "", later, "Port of the management API."},
	{"vmq_web_ui.mgmt_api.scheme", stringType, "", later, "http or https."},
	{"vmq_web_ui.file_access.allow_read", flagType, "off", later, "The web interface may read files."},
	{"vmq_web_ui.file_access.allow_write", flagType, "off", later, "The web interface may write files."},
}
