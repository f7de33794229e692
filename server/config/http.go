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
	Publish        HTTPPublish
}

// HTTPPublish is how a listener publishes what comes over HTTP.
type HTTPPublish struct {
	Mountpoint string
	// Predefined tells that all messages come in one name, whatever a request
	// says.
	Predefined               bool
	ClientID, User, Password string
}

// webUI is a module of VerneMQ that this broker lacks.
const webUI = "vmq_web_ui"

// modules are what an HTTP listener may serve.
var modules = []string{"vmq_metrics_http", "vmq_http_mgmt_api", "vmq_status_http", "vmq_health_http", "vmq_http_v2_api", "vmq_http_pub", webUI}

func checkModules(v string) string {
	for _, m := range list(v) {
		if !slices.Contains(modules, m) {
			return fmt.Sprintf("%q is not a module, acceptable ones are: %s", m, strings.Join(modules, ", "))
		}
	}
	return ""
}

// httpPublish resolves the options of vmq_http_pub: the listener's own, else
// those of all listeners.
func (l *Loaded) httpPublish(listener string) HTTPPublish {
	get := func(option string) string {
		if s, ok := l.settings[listener+".http_modules.vmq_http_pub."+option]; ok {
			return s.Value
		}
		return l.value("vmq_http_pub." + option)
	}
	return HTTPPublish{Mountpoint: get("mountpoint"), Predefined: get("mqtt_auth.mode") == "predefined",
		ClientID: get("mqtt_auth.client_id"), User: get("mqtt_auth.user"), Password: get("mqtt_auth.password")}
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
	if slices.Contains(li.Modules, webUI) {
		l.Warnings = append(l.Warnings, fmt.Sprintf("not available yet: %s of %s", webUI, key))
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
	li.Publish = l.httpPublish(key)
	if transport == "https" {
		li.TLS, err = l.tls(transport, name)
	}
	return li, err
}
