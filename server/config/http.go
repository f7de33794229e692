package config

import (
	"fmt"
	"slices"
	"strings"
)

// HTTPListener is a listener that serves HTTP modules.
type HTTPListener struct {
	Transport      string // http or https
	Name           string
	Address        string // host:port
	MaxConnections int    // 0 = unlimited
	Modules        []string
	APIKey         map[string]bool // modules that ask for an API key
	MaxRequestLine int             // bytes
	MaxHeaderValue int             // bytes
	TLS            *TLS            // of https
}

// httpListeners resolves the listeners that serve HTTP. One exists when its
// address or any of its options is set.
func (l *Loaded) httpListeners() (out []HTTPListener, errs Errors) {
	var names []string
	for _, name := range sortedSettings(l.settings) {
		w := splitWords(name)
		if len(w) >= 3 && w[0] == "listener" && servesHTTP(w[1]) && !optional[w[2]] {
			if key := strings.Join(w[:3], "."); !slices.Contains(names, key) {
				names = append(names, key)
			}
		}
	}
	for _, key := range names {
		w := splitWords(key)
		li, err := l.httpListener(w[1], w[2])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, li)
	}
	return out, errs
}

func (l *Loaded) httpListener(transport, name string) (HTTPListener, error) {
	key := "listener." + transport + "." + name
	li := HTTPListener{Transport: transport, Name: name, APIKey: map[string]bool{}}
	ap, err := parseAddress(l.value(key))
	if err != nil {
		return li, l.check(key, err.Error())
	}
	li.Address = ap.String()
	if v := l.inherit(transport, name, "max_connections"); v != "infinity" {
		li.MaxConnections = number(v)
	}
	if li.Modules = list(l.value(key + ".http_modules")); len(li.Modules) == 0 {
		li.Modules = list(l.value("http_modules"))
	}
	for _, m := range li.Modules {
		mode := l.value(key + ".http_module." + m + ".auth.mode")
		if mode == "" {
			mode = l.value("http_module." + m + ".auth.mode")
		}
		li.APIKey[m] = mode == "apikey"
	}
	li.MaxRequestLine = number(l.value(key + ".max_request_line_length"))
	li.MaxHeaderValue = number(l.value(key + ".max_header_value_length"))
	if transport == "https" {
		li.TLS, err = l.tls(transport, name)
	}
	return li, err
}

// NewHTTPListener makes a listener for HTTP from an address and options, as
// NewListener does for MQTT.
func (c *Config) NewHTTPListener(transport, name, address string, options map[string]string) (HTTPListener, error) {
	key := "listener." + transport + "." + name
	if !servesHTTP(transport) || name == "" || strings.Contains(name, ".") || optional[name] {
		return HTTPListener{}, fmt.Errorf("cannot make %s: there is no such listener", key)
	}
	l := &Loaded{settings: map[string]Setting{}, dirs: Dirs{Base: c.BaseDir, Etc: c.EtcDir, Data: c.DataDir, Log: c.LogDir}}
	settings := []Setting{{Key: key, Value: address, File: key}}
	for o, v := range options {
		settings = append(settings, Setting{Key: key + "." + o, Value: v, File: "option " + o})
	}
	if errs := l.take(settings); len(errs) > 0 {
		return HTTPListener{}, errs
	}
	return l.httpListener(transport, name)
}
