package config

import (
	"strings"
	"time"
)

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
		if err == nil {
			err = l.checkTaken(&li, out)
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

// checkTaken refuses the address of another listener.
func (l *Loaded) checkTaken(li *Listener, others []Listener) error {
	if li.Network != "unix" && strings.HasSuffix(li.Address, ":0") {
		return nil // any port that is free
	}
	for _, o := range others {
		if o.Network == li.Network && o.Address == li.Address {
			return l.check("listener."+li.Transport+"."+li.Name, "listener."+o.Transport+"."+o.Name+" has this address already")
		}
	}
	return nil
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
	li := Listener{Transport: transport, Name: name, NoDelay: l.noDelay(), KeepAlive: l.keepAlive(), Mountpoint: l.inherit(transport, name, "mountpoint")}
	if err := l.address(key, &li); err != nil {
		return li, err
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
	li.AnonymousOverride = l.on(key + ".allow_anonymous_override")
	li.AllowAnonymous = l.on("allow_anonymous") || li.AnonymousOverride
	li.MaxConnectionLifetime = time.Duration(number(l.inherit(transport, name, "max_connection_lifetime"))) * time.Second
	for i, v := range list(l.inherit(transport, name, "buffer_sizes")) {
		li.BufferSizes[i] = number(v)
	}
	return li, l.transport(&li)
}

// address reads where a listener listens.
func (l *Loaded) address(key string, li *Listener) error {
	address := l.value(key)
	if rest, ok := strings.CutPrefix(address, "local:"); ok {
		li.Network, li.Address = "unix", l.path(strings.TrimSuffix(rest, ":0"))
		if len(li.Address) > 107 {
			return l.check(key, "the path of a unix socket may have 107 bytes")
		}
		return nil
	}
	ap, err := parseAddress(address)
	if err != nil {
		return l.check(key, err.Error())
	}
	li.Network, li.Address = "tcp4", ap.String()
	if !ap.Addr().Is4() {
		li.Network = "tcp6"
	}
	return nil
}

// transport resolves what is special about a listener's transport.
func (l *Loaded) transport(li *Listener) (err error) {
	t, name := li.Transport, li.Name
	li.Proxy = l.inherit(t, name, "proxy_protocol") == "on"
	li.ProxyCN = l.inherit(t, name, "proxy_protocol_use_cn_as_username") == "on"
	if t == "ssl" || t == "wss" {
		if li.TLS, err = l.tls(t, name); err != nil {
			return err
		}
	}
	if t != "ws" && t != "wss" {
		return nil
	}
	named := func(option string) string { return l.value("listener." + t + "." + name + "." + option) }
	w := &WebSocket{MaxLine: number(named("max_request_line_length")), MaxValue: number(named("max_header_value_length"))}
	w.Forwarded = l.inherit(t, name, "proxy_xff_support") == "on"
	w.Trusted, _ = parseAddresses(l.inherit(t, name, "proxy_xff_trusted_intermediate"))
	if named("proxy_xff_use_cn_as_username") == "on" {
		key := "listener." + t + "." + name + ".proxy_xff_use_cn_as_username"
		if !w.Forwarded {
			return l.check(key, "it needs proxy_xff_support = on")
		}
		if w.CNField = named("proxy_xff_cn_header"); w.CNField == "" {
			return l.check(key, "proxy_xff_cn_header is empty")
		}
	}
	li.WebSocket = w
	return nil
}
