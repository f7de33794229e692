package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPlugins(t *testing.T) {
	l, err := loadText(t, listen)
	if err != nil {
		t.Fatal(err)
	}
	c, etc := l.Config, l.Config.EtcDir
	if want := []Plugin{{Name: "vmq_acl", Dir: etc}, {Name: "vmq_passwd", Dir: etc}}; !reflect.DeepEqual(c.Plugins, want) {
		t.Errorf("%+v", c.Plugins)
	}
	if !strings.HasSuffix(c.PasswordFile, "/vmq.passwd") || !strings.HasSuffix(c.ACLFile, "/vmq.acl") || c.ACLReload != 10*time.Second || c.PasswordReload != 10*time.Second {
		t.Errorf("%+v", c)
	}
	l, err = loadText(t, listen+"plugins.vmq_acl = off\nplugins.vmq_webhooks = on\nplugins.mine = on\nplugins.mine.path = mine\nplugins.mine.priority = 3\nplugins.other = off\nplugins.vmq_bridge = on\n"+
		"vmq_acl.acl_file = x.acl\nvmq_acl.acl_reload_interval = 0\nvmq_webhooks.b.hook = auth_on_publish\nvmq_webhooks.b.endpoint = http://h/x\n"+
		"vmq_webhooks.a.hook = on_auth_m5\nvmq_webhooks.a.endpoint = https://h\nvmq_webhooks.a.base64encode = off\nvmq_webhooks.a.no_payload = on\nvmq_webhooks.a.response_timeout = 7\n"+
		"vmq_webhooks.pool_max_connections = 3\nvmq_webhooks.verify_peer = off\nlistener.tcp.default.auth_plugins = [mine, vmq_passwd]\nlistener.tcp.default.forward_connection_opts = on\n")
	if err != nil {
		t.Fatal(err)
	}
	c = l.Config
	if want := []Plugin{{Name: "mine", Dir: l.path("mine"), Priority: 3, HasPriority: true}, {Name: "vmq_passwd", Dir: c.EtcDir}, {Name: "vmq_webhooks", Dir: c.EtcDir}}; !reflect.DeepEqual(c.Plugins, want) {
		t.Errorf("%+v", c.Plugins)
	}
	if want := []Webhook{{Hook: "on_auth_m5", Endpoint: "https://h", NoPayload: true, ResponseTimeout: 7 * time.Millisecond},
		{Hook: "auth_on_publish", Endpoint: "http://h/x", Base64: true, ResponseTimeout: 5 * time.Second}}; !reflect.DeepEqual(c.Webhooks, want) {
		t.Errorf("%+v", c.Webhooks)
	}
	if c.ACLFile != l.path("x.acl") || c.ACLReload != 0 || c.WebhookSettings.MaxConnections != 3 || !c.WebhookSettings.SkipVerify || c.WebhookSettings.CAFile != "" {
		t.Errorf("%+v", c)
	}
	if li := c.Listeners[0]; !reflect.DeepEqual(li.AuthPlugins, []string{"mine", "vmq_passwd"}) || li.AuthzPlugins != nil || !li.ForwardConnectionOpts {
		t.Errorf("%+v", li)
	}
	for text, want := range map[string]string{
		"vmq_webhooks.a.hook = on_publish\n":                                         ":2: vmq_webhooks.a.endpoint is not defined",
		"vmq_webhooks.a.endpoint = http://h\n":                                       ":2: vmq_webhooks.a.hook is not defined",
		"vmq_webhooks.a.hook = on_publish\nvmq_webhooks.a.endpoint = nourl\n":        "vmq_webhooks.a.endpoint invalid",
		"vmq_webhooks.a.hook = on_nothing\n":                                         "not a valid enum value",
		"listener.tcp.default.auth_plugins = vmq_passwd, vmq_passwd\n":               "duplicate plugin in auth_plugins chain: vmq_passwd",
		"listener.tcp.default.authz_plugins = vmq_webhooks\n":                        "unknown or disabled plugin vmq_webhooks in authz_plugins chain",
		"plugins.vmq_passwd = off\nlistener.tcp.default.auth_plugins = vmq_passwd\n": "unknown or disabled plugin vmq_passwd in auth_plugins chain",
		"plugins.mine.priority = high\n":                                             "cannot be converted to a(n) integer",
	} {
		if _, err := loadText(t, listen+text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
