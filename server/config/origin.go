package config

import (
	"slices"
	"strings"
)

// Known tells that there is a setting of a name.
func Known(name string) bool { return find(name) != nil }

// MayChange tells that a setting may change while the node runs.
func MayChange(name string) bool {
	k := find(name)
	return k != nil && k.has(live)
}

// Inert says why a setting has no effect, empty if it has.
func Inert(name string) string {
	if k := find(name); k != nil && k.marks&(later|ignored) != 0 {
		return k.status()
	}
	return ""
}

// LiveKeys are the settings that may change while the node runs.
func LiveKeys() (names []string) {
	for i := range schema {
		if schema[i].has(live) {
			names = append(names, schema[i].name)
		}
	}
	slices.Sort(names)
	return names
}

// Check tells what is wrong with a value of a setting, empty if nothing.
func Check(name, value string) string {
	k := find(name)
	if k == nil {
		return "there is no setting with that name"
	}
	return k.typ.check(value)
}

// Doc is what a setting means.
func Doc(name string) string {
	if k := find(name); k != nil {
		return k.doc
	}
	return ""
}

// Application gives the settings of an application of VerneMQ: vmq_server has
// those without a dot, a plugin those that begin with its name.
func Application(app string) (names []string) {
	for name, k := range exact {
		prefix, _, dotted := strings.Cut(name, ".")
		if !k.has(ignored) && (app == "vmq_server" && !dotted || dotted && prefix == app && strings.HasPrefix(app, "vmq_")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Origin says where the value of a setting comes from: FILE:LINE, the option
// that gave it, "set", "environment" with the place that refers to it, or
// "default".
func (l *Loaded) Origin(name string) string {
	if to, ok := aliases[name]; ok {
		name = to
	}
	s, ok := l.settings[name]
	switch {
	case !ok:
		return "default"
	case s.Environment:
		return "environment, " + s.where()
	}
	return s.where()
}

const (
	clientDelay = int64(1) << 32 // what max_last_will_delay = client comes to
	secretShown = "********"
)

// Value is what a setting comes to, as a number (durations of sessions in
// seconds) or a text; nil when it has none. Passwords are not shown.
func (l *Loaded) Value(name string) any {
	if to, ok := aliases[name]; ok {
		name = to
	}
	k := find(name)
	if k == nil {
		return nil
	}
	v := l.value(name)
	_, hasDefault := l.defaultOf(name)
	switch {
	case !l.isSet(name) && !hasDefault:
		return nil
	case isSecret(name) && v != "":
		return secretShown
	case name == "max_last_will_delay" && v == "client":
		return clientDelay
	case name == "persistent_client_expiration" && v == "never":
		return int64(0)
	case k.typ.name == expiry.name || k.typ.name == willDelay.name:
		d, _ := parseExpiry(v)
		return int64(d.Seconds())
	case v != "" && checkInteger(v) == "" && k.typ.name != stringType.name:
		return int64(number(v))
	}
	return v
}

// isSecret tells that a value is nobody's business.
func isSecret(name string) bool {
	w := splitWords(name)
	switch last := w[len(w)-1]; last {
	case "password", "keypasswd", "keyfile_password", "user_pwd", "psk", "distributed_cookie", "graphite_api_key", "api_key", "obfuscation_secret":
		return true
	default:
		return last == "key" && strings.Contains(name, "mgmt_api")
	}
}
