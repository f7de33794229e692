package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// builtin are the plugins that have a default.
var builtin = []string{"vmq_acl", "vmq_passwd", "vmq_webhooks"}

// plugins takes over what concerns plugins.
func (l *Loaded) plugins(c *Config) (errs Errors) {
	for _, name := range l.pluginNames() {
		if !l.on("plugins." + name) {
			continue
		}
		p := Plugin{Name: name, Dir: l.dirs.Etc}
		if dir := l.value("plugins." + name + ".path"); dir != "" {
			p.Dir = l.path(dir)
		}
		if v := l.value("plugins." + name + ".priority"); v != "" {
			p.Priority, p.HasPriority = number(v), true
		}
		c.Plugins = append(c.Plugins, p)
	}
	c.PasswordFile = l.path(l.value("vmq_passwd.password_file"))
	c.PasswordReload = l.seconds("vmq_passwd.password_reload_interval")
	c.ACLFile = l.path(l.value("vmq_acl.acl_file"))
	c.ACLReload = l.seconds("vmq_acl.acl_reload_interval")
	c.WebhookSettings = WebhookSettings{
		MaxConnections: l.int("vmq_webhooks.pool_max_connections"),
		IdleTimeout:    l.milliseconds("vmq_webhooks.pool_timeout"),
		CAFile:         l.path(l.value("vmq_webhooks.cafile")),
		CertFile:       l.path(l.value("vmq_webhooks.certfile")),
		KeyFile:        l.path(l.value("vmq_webhooks.keyfile")),
		KeyPassword:    l.value("vmq_webhooks.keyfile_password"),
		TLSVersion:     l.value("vmq_webhooks.tls_version"),
		SkipVerify:     !l.on("vmq_webhooks.verify_peer"),
		Depth:          l.int("vmq_webhooks.depth"),
	}
	return l.webhooks(c)
}

func (l *Loaded) milliseconds(name string) time.Duration {
	return time.Duration(l.int(name)) * time.Millisecond
}

// pluginNames are the plugins that a setting or a default is about, sorted.
// Those that other marks of the schema keep out are not among them.
func (l *Loaded) pluginNames() []string {
	names := slices.Clone(builtin)
	for name := range l.settings {
		w := splitWords(name)
		if len(w) == 2 && w[0] == "plugins" && !find(name).has(later) {
			names = append(names, w[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// webhooks reads the endpoints of vmq_webhooks, by their names.
func (l *Loaded) webhooks(c *Config) (errs Errors) {
	var names []string
	for name := range l.settings {
		if w := splitWords(name); len(w) == 3 && w[0] == "vmq_webhooks" {
			names = append(names, w[1])
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		key := "vmq_webhooks." + name
		missing := false
		for _, part := range []string{".hook", ".endpoint"} {
			if l.value(key+part) == "" {
				errs = append(errs, fmt.Errorf("%s%s%s is not defined", l.placeOf(key+"."), key, part))
				missing = true
			}
		}
		if missing {
			continue
		}
		if why := checkURL(l.value(key + ".endpoint")); why != "" {
			errs = append(errs, l.check(key+".endpoint", why))
			continue
		}
		c.Webhooks = append(c.Webhooks, Webhook{Hook: l.value(key + ".hook"), Endpoint: l.value(key + ".endpoint"),
			Base64: l.on(key + ".base64encode"), NoPayload: l.on(key + ".no_payload"), ResponseTimeout: l.milliseconds(key + ".response_timeout")})
	}
	return errs
}

// placeOf begins a message about settings of which one is missing: with the
// place of the first of them by name.
func (l *Loaded) placeOf(prefix string) string {
	first := ""
	for name := range l.settings {
		if strings.HasPrefix(name, prefix) && (first == "" || name < first) {
			first = name
		}
	}
	if first == "" {
		return ""
	}
	return l.settings[first].where() + ": "
}

func checkURL(v string) string {
	rest, plain := strings.CutPrefix(v, "http://")
	if !plain {
		var ok bool
		if rest, ok = strings.CutPrefix(v, "https://"); !ok {
			return fmt.Sprintf("%q is not of the form http://HOST or https://HOST", v)
		}
	}
	if rest == "" || rest[0] == '/' {
		return fmt.Sprintf("%q has no host", v)
	}
	return ""
}

// checkChains holds the plugins that a listener names to those that are
// enabled.
func (l *Loaded) checkChains(li *Listener) error {
	key := "listener." + li.Transport + "." + li.Name
	for option, chain := range map[string][]string{"auth_plugins": li.AuthPlugins, "authz_plugins": li.AuthzPlugins} {
		for i, p := range chain {
			if slices.Contains(chain[:i], p) {
				return l.check(key+"."+option, "duplicate plugin in "+option+" chain: "+p)
			}
			if !slices.Contains(l.pluginNames(), p) || !l.on("plugins."+p) {
				return l.check(key+"."+option, "unknown or disabled plugin "+p+" in "+option+" chain")
			}
		}
	}
	return nil
}
