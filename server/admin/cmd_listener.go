package admin

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

var listenerKeys = []Param{
	{Name: "address", Value: "<IpAddr>", Type: addressType, About: "the address: a numeric IP address, or local:PATH for a unix socket"},
	{Name: "port", Value: "<Port>", Type: portType, About: "the port; 0 takes any that is free"},
}

func listenerCommands() []Command {
	return []Command{
		{Name: "listener show", About: "Show information about listeners", run: listenerShow,
			Flags: []Param{{Name: "tls", Short: 't', Type: bareType, About: "also shows the settings of TLS"},
				{Name: "mqtt", Short: 'm', Type: bareType, About: "also shows the settings of MQTT"}},
			Text: "Shows the listeners."},
		{Name: "listener start", About: "Start or create a listener", run: listenerStart, Keys: listenerKeys, Flags: listenerFlags,
			Text: "Creates and starts a new listener: mqtt, mqtts with --ssl, mqttws with --websocket, mqttwss with both, http with --http, https with --http and --ssl. It is gone when the node ends."},
		{Name: "listener stop", About: "Stop accepting connections", run: listenerStop, Keys: listenerKeys,
			Flags: []Param{{Name: "kill_sessions", Short: 'k', Type: bareType, About: "also ends the connections and removes the listener"}},
			Text:  "Stops accepting connections. Those that exist go on; restart accepts again."},
		{Name: "listener restart", About: "Accept connections again", run: listenerRestart, Keys: listenerKeys,
			Text: "Accepts connections again after listener stop."},
		{Name: "listener delete", About: "Delete a listener", run: listenerDelete, Keys: listenerKeys,
			Text: "Removes a listener. Its connections are ended."},
	}
}

var listenerFlags = []Param{
	{Name: "mountpoint", Short: 'm', Value: "<Mountpoint>", Type: textType, About: "mountpoint of its clients"},
	{Name: "nr_of_acceptors", Value: "<n>", Type: positiveType, About: "accepted for compatibility"},
	{Name: "max_connections", Value: "[infinity | <n>]", Type: infinityType, About: "connections at a time. Default: infinity."},
	{Name: "tls_handshake_timeout", Value: "[infinity | <ms>]", Type: infinityType, About: "time for the TLS handshake"},
	{Name: "allowed_protocol_versions", Value: "<3,4,5>", Type: versionsType, About: "protocol versions. Default: 3,4."},
	{Name: "websocket", Type: switchType, About: "MQTT over WebSocket"},
	{Name: "http", Type: switchType, About: "HTTP instead of MQTT"},
	{Name: "ssl", Type: switchType, About: "TLS; without it, the options of TLS are ignored"},
	{Name: "proxy_protocol", Type: switchType, About: "the header of the PROXY protocol comes first"},
	{Name: "proxy_protocol_use_cn_as_username", Type: switchType, About: "takes the common name of that header as user name. Default: true."},
	{Name: "proxy_xff_support", Type: switchType, About: "takes the address of the client from X-Forwarded-For"},
	{Name: "proxy_xff_trusted_intermediate", Value: "<addresses>", Type: settingType("listener.ws.proxy_xff_trusted_intermediate"), About: "proxies that are trusted with that"},
	{Name: "proxy_xff_use_cn_as_username", Type: switchType, About: "takes the common name of such a proxy's header as user name"},
	{Name: "proxy_xff_cn_header", Value: "<header>", Type: textType, About: "that header"},
	{Name: "cafile", Value: "<file>", Type: fileType, About: "certificates that are trusted"},
	{Name: "certfile", Value: "<file>", Type: fileType, About: "the server's certificate"},
	{Name: "keyfile", Value: "<file>", Type: fileType, About: "its private key"},
	{Name: "keypasswd", Value: "<password>", Type: textType, About: "password of the private key"},
	{Name: "crlfile", Value: "<file>", Type: fileType, About: "revoked certificates"},
	{Name: "pskfile", Value: "<file>", Type: fileType, About: "pre-shared keys"},
	{Name: "psk_support", Type: switchType, About: "allows pre-shared keys"},
	{Name: "ciphers", Value: "<list>", Type: textType, About: "allowed ciphers, separated by colons"},
	{Name: "eccs", Value: "<list>", Type: textType, About: "allowed elliptic curves, separated by colons"},
	{Name: "tls_version", Value: "<version>", Type: tlsType, About: "TLS version"},
	{Name: "require_certificate", Type: switchType, About: "clients must show a certificate"},
	{Name: "use_identity_as_username", Type: switchType, About: "takes the common name of the client's certificate as user name"},
	{Name: "forward_connection_opts", Type: switchType, About: "tells the plugins about the certificate"},
	{Name: "allow_anonymous_override", Type: switchType, About: "lets clients in without asking a plugin"},
	{Name: "auth_plugins", Value: "<[a,b]>", Type: textType, About: "plugins that authenticate here"},
	{Name: "authz_plugins", Value: "<[a,b]>", Type: textType, About: "plugins that authorize here"},
	{Name: "http_modules", Value: "<[a,b]>", Type: settingType("http_modules"), About: "what is served over HTTP"},
	{Name: "config_mod", Value: "<name>", Type: textType, About: "accepted for compatibility"},
	{Name: "config_fun", Value: "<name>", Type: textType, About: "accepted for compatibility"},
}

func listenerShow(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	list := b.Listeners.List()
	slices.SortStableFunc(list, func(x, y Listener) int {
		return cmp.Or(compareAddress(x.Address, y.Address), cmp.Compare(x.Port, y.Port))
	})
	columns := []string{"type", "status", "address", "port", "mountpoint", "max_conns", "active_conns", "all_conns"}
	if c.On("tls") {
		columns = append(columns, "tls_version", "certfile", "cafile", "keyfile", "require_certificate", "use_identity_as_username", "psk_support", "pskfile")
	}
	if c.On("mqtt") {
		columns = append(columns, "allowed_protocol_versions", "allow_anonymous_override")
	}
	if err := c.Out.Table(columns...); err != nil {
		return err
	}
	for i := range list {
		if err := c.Out.Row(listenerRow(&list[i], c.On("tls"), c.On("mqtt"))...); err != nil {
			return err
		}
	}
	return nil
}

// compareAddress orders addresses as numbers, paths of sockets after them.
func compareAddress(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX == nil && errY == nil {
		return x.Compare(y)
	}
	return cmp.Or(cmp.Compare(len(word(errX == nil, "", "-")), len(word(errY == nil, "", "-"))), strings.Compare(a, b))
}

func listenerRow(li *Listener, tls, mqtt bool) []any {
	var most any = "infinity"
	if li.MaxConnections > 0 {
		most = int64(li.MaxConnections)
	}
	row := []any{li.Type, word(li.Suspended, "suspended", "running"), li.Address, strconv.Itoa(li.Port), li.Mountpoint, most, li.Active, li.All}
	if tls {
		if t := li.TLS; t != nil {
			row = append(row, t.Version, t.CertFile, t.CAFile, t.KeyFile, t.RequireCertificate, t.IdentityAs, t.PSK, t.PSKFile)
		} else {
			row = append(row, "", "", "", "", "", "", "", "")
		}
	}
	if mqtt {
		if m := li.MQTT; m != nil {
			row = append(row, versionNames(m.Versions), m.Anonymous)
		} else {
			row = append(row, "", "")
		}
	}
	return row
}

func versionNames(versions []byte) string {
	names := map[byte]string{3: "mqtt 3.1", 4: "mqtt 3.1.1", 5: "mqtt 5", 131: "mqtt 3.1 bridge", 132: "mqtt 3.1.1 bridge"}
	var out []string
	for _, v := range versions {
		out = append(out, names[v])
	}
	return strings.Join(out, ", ")
}

func listenerStart(ctx context.Context, c *Call) error {
	if c.Key("address") == "" || c.Key("port") == "" {
		return c.usage()
	}
	o := &ListenerOptions{Address: c.Key("address"), Port: atoi(c.Key("port")), Versions: []byte{3, 4}, Options: map[string]string{}}
	o.Transport = transport(c)
	for _, f := range c.flags {
		switch v := f.Value; f.Name {
		case "websocket", "http", "ssl":
		case "mountpoint":
			o.Mountpoint = &v
		case "max_connections":
			o.MaxConnections = atoi(v) // infinity is no number
		case "allowed_protocol_versions":
			o.Versions = nil
			for w := range strings.SplitSeq(strings.Trim(v, "[]"), ",") {
				o.Versions = append(o.Versions, byte(atoi(strings.TrimSpace(w))))
			}
		default:
			o.Options[f.Name] = word(f.Bare, "true", v)
		}
	}
	return c.listeners(ctx, "start", func(l Listeners) error { return l.Start(ctx, o) })
}

func transport(c *Call) string {
	switch web := c.On("websocket"); {
	case c.On("http"):
		return word(c.On("ssl"), "https", "http")
	case c.On("ssl"):
		return word(web, "mqttwss", "mqtts")
	default:
		return word(web, "mqttws", "mqtt")
	}
}

// listeners does something with the listeners and answers Done, or with the
// reason why not.
func (c *Call) listeners(_ context.Context, verb string, do func(Listeners) error) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	if err := do(b.Listeners); err != nil {
		return c.alert("can't %s listener due to '%s'", verb, oneLine(err))
	}
	return c.done()
}

func (c *Call) listener(ctx context.Context, verb string, do func(l Listeners, address string, port int) error) error {
	if c.Key("address") == "" || c.Key("port") == "" {
		return c.usage()
	}
	return c.listeners(ctx, verb, func(l Listeners) error { return do(l, c.Key("address"), atoi(c.Key("port"))) })
}

func listenerStop(ctx context.Context, c *Call) error {
	return c.listener(ctx, "stop", func(l Listeners, address string, port int) error {
		return l.Stop(ctx, address, port, c.On("kill_sessions"))
	})
}

func listenerRestart(ctx context.Context, c *Call) error {
	return c.listener(ctx, "restart", func(l Listeners, address string, port int) error { return l.Restart(ctx, address, port) })
}

func listenerDelete(ctx context.Context, c *Call) error {
	return c.listener(ctx, "delete", func(l Listeners, address string, port int) error { return l.Delete(ctx, address, port) })
}
