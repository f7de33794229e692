package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files writes the files of a test and gives their directory.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const listen = "listener.tcp.default = 127.0.0.1:1883\n"

// loadText loads a configuration of one file.
func loadText(t testing.TB, text string, overrides ...string) (*Loaded, error) {
	t.Helper()
	dir := files(t, map[string]string{"vernemq.conf": text})
	return Load(filepath.Join(dir, "vernemq.conf"), overrides, testDirs(dir))
}

func testDirs(dir string) Dirs {
	return Dirs{Base: dir, Etc: dir + "/etc", Data: dir + "/data", Log: dir + "/log", Share: dir + "/share"}
}

func TestDefaults(t *testing.T) {
	l, err := loadText(t, listen)
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if len(l.Warnings) > 0 {
		t.Errorf("warnings: %v", l.Warnings)
	}
	if c.AllowAnonymous || c.MaxClientIDSize != 23 || c.RetryInterval != 20*time.Second || c.MaxInflightMessages != 20 ||
		c.MaxOnlineMessages != 1000 || c.MaxOfflineMessages != 1000 || c.TopicMaxDepth != 10 || c.ReceiveMaxBroker != 65535 ||
		c.ConnectTimeout != 5*time.Second || c.SendTimeout != 30*time.Second || c.MaxLastWillDelay != 1<<32-1 || c.Loops < 1 {
		t.Errorf("%+v", c)
	}
	li := c.Listeners[0]
	if li.Name != "default" || li.Network != "tcp4" || li.MaxConnections != 10000 || string(li.AllowedVersions) != "\x03\x04" ||
		li.Mountpoint != "" || li.AllowAnonymous || !li.NoDelay {
		t.Errorf("%+v", li)
	}
}

func TestGrammar(t *testing.T) {
	t.Setenv("CONF_TEST_ID", "77")
	dir := files(t, map[string]string{
		"vernemq.conf": "\ufeff# comment\r\n" +
			"  nodename\t=  a@b   # behind a value\r\n" +
			"max_client_id_size = 10\n" +
			"max_client_id_size = 11#no blank needed\n" +
			"listener.tcp.one = 127.0.0.1:1883\n" +
			"listener.tcp.one.mountpoint = 'with # and blank '  # quoted\n" +
			"listener.tcp.six = ::1:1884\n" +
			"listener.tcp.sock = local:/run/x.sock:0\n" +
			"log.console.file = '''\nfirst\nsecond\n'''\n" +
			"topic_max_depth = $(CONF_TEST_ID)\n" +
			"max_online_messages = $(max_offline_messages)\n" +
			"max_offline_messages = 5$(zero)0\n" +
			"prometheus_namespace = $(<name.txt)\n" +
			"include conf.d/*.conf\n" +
			"include none/*.conf\n",
		"name.txt":         "from_file\n",
		"conf.d/10-a.conf": "max_inflight_messages = 1\nretry_interval = 3\n",
		"conf.d/20-b.conf": "max_inflight_messages = 2\n",
	})
	t.Setenv("zero", "0")
	l, err := Load(filepath.Join(dir, "vernemq.conf"), []string{"retry_interval=4"}, testDirs(dir))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"nodename": "a@b", "max_client_id_size": "11", "listener.tcp.one.mountpoint": "with # and blank ",
		"log.console.file": "first\nsecond", "topic_max_depth": "77", "max_online_messages": "500",
		"prometheus_namespace": "from_file", "max_inflight_messages": "2", "retry_interval": "4",
	} {
		if got := l.value(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	var seen []string
	for _, li := range l.Config.Listeners {
		seen = append(seen, li.Name+" "+li.Network+" "+li.Address)
	}
	if got := strings.Join(seen, ", "); got != "one tcp4 127.0.0.1:1883, six tcp6 [::1]:1884, sock unix /run/x.sock" {
		t.Error(got)
	}
}

// TestErrors gives bad configurations: the message names file and line and
// says what is wrong.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "max_inflght_messages = 3\n", "vernemq.conf:2: You've tried to set max_inflght_messages, but there is no setting with that name.\n  Did you mean one of these?\n    max_inflight_messages\n"},
		{"unknown option", "listener.tcp.default.mountpiont = x\n", "    listener.tcp.default.mountpoint"},
		{"empty value", "retry_interval =\n", "after line 2 column 17, parsing incomplete: value is missing"},
		{"only a comment", "retry_interval = # 5\n", "value is missing"},
		{"no =", "retry_interval 5\n", "after line 2 column 16"},
		{"no key", "= 5\n", "a key was expected"},
		{"bad key", "retry..interval = 5\n", "a key was expected"},
		{"open quote", "nodename = 'a@b\n", "closing ' is missing"},
		{"rest after quote", "nodename = 'a@b' c\n", "nothing but a comment"},
		{"open block", "nodename = '''a@b\n", "after line 2 column 1, parsing incomplete: closing ''' is missing"},
		{"integer", "retry_interval = abc\n", `vernemq.conf:2: Error transforming datatype for: retry_interval: "abc" cannot be converted to a(n) integer`},
		{"flag", "allow_anonymous = true\n", `"true" is not a valid enum value, acceptable values are: on, off`},
		{"negative", "topic_max_depth = -1\n", "must be a non-negative integer"},
		{"too large", "receive_max_broker = 70000\n", "value must be an integer between 1 and 65535"},
		{"versions", "listener.tcp.allowed_protocol_versions = 3,6\n", `"6" is not a protocol version`},
		{"buffer sizes", "listener.tcp.buffer_sizes = 1,2\n", "value must be three comma-separated, positive integers"},
		{"a huge buffer", "listener.tcp.buffer_sizes = 4294967296,0,0\n", "a buffer of 4294967296 bytes is larger than 2147483647"},
		{"expiry unit", "persistent_client_expiration = 5x\n", "is not a number with one of the units"},
		{"address without port", "listener.tcp.x = 127.0.0.1\n", "IP address with a port"},
		{"address taken", "listener.tcp.x = 127.0.0.1:0\nlistener.tcp.y = 127.0.0.1:0\nlistener.tcp.z = ::1:1883\nlistener.ws.z = ::1:1883\n", ":5: listener.ws.z invalid, listener.tcp.z has this address already"},
		{"host name", "listener.tcp.x = localhost:1883\n", "is not a numeric IPv4 or IPv6 address"},
		{"port", "listener.tcp.x = 127.0.0.1:70000\n", "is not a port from 0 to 65535"},
		{"option as listener", "listener.tcp.mountpoint.max_connections = 5\n", "vernemq.conf:2: You've tried to set listener.tcp.mountpoint.max_connections, but no listener may be called mountpoint, which is an option"},
		{"substitution", "nodename = $(nope)@b\n", "vernemq.conf:2: 'nodename' substitution requires a config variable 'nope' to be set"},
		{"circle", "nodename = $(distributed_cookie)@b\ndistributed_cookie = $(nodename)\n", "goes in a circle"},
		{"missing file", "nodename = $(<nope.txt)\n", "nope.txt: file does not exist"},
		{"missing include", "include nope.conf\n", "vernemq.conf:2: cannot include"},
		{"include itself", "include vernemq.conf\n", "file includes itself"},
		{"include path", "include a b.conf\n", "include needs a path"},
		{"no connection", "listener.max_connections = 0\n", "must be at least 1"},
		{"less than none", "listener.tcp.default.max_connections = -5\n", "must be at least 1"},
		{"too long", "mqtt_connect_timeout = 9223372036854775807\n", "must be at most 2147483647"},
		{"no output", "reactor.send_buffer_limit = 0\n", "must be from 4096 bytes"},
		{"option of one as listener", "listener.tcp.auth_plugins = 127.0.0.1:9\n", "there is no setting with that name"},
		{"long line", "nodename = " + strings.Repeat("x", 70000) + "\n", "line is longer than 65536 bytes"},
		{"not UTF-8", "nodename = \uFFFD@b\nnodename = \xff@b\n", "vernemq.conf:3: file is not UTF-8"},
		{"unknown module", "http_modules = [vmq_health_http, nosuch]\n", `vernemq.conf:2: Error transforming datatype for: http_modules: "nosuch" is not a module`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(t, listen+c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := loadText(t, listen+"a_b = 1\nretry_interval = x\nqueue_type = filo\n", "max_message_size=-4", "nonsense")
	for _, want := range []string{":2: You've tried to set a_b", ":3: Error transforming", ":4: Error transforming", "--set max_message_size: Error transforming", "--set nonsense: KEY=VALUE was expected"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

// TestDoubling refers to each value twice, thirty times over.
func TestDoubling(t *testing.T) {
	text := listen
	for i := range 30 {
		text += fmt.Sprintf("a%d = $(a%d)$(a%d)\n", i, i+1, i+1)
	}
	text += "a30 = ''\n"
	start := time.Now()
	if _, err := loadText(t, text); err == nil {
		t.Error("unknown keys are accepted")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := loadText(t, listen+strings.Replace(strings.Replace(text[len(listen):], "a0 =", "nodename =", 1), "a30 = ''", "a30 = 'x'", 1)); err == nil {
		t.Error("a value of a gigabyte is accepted")
	}
}

func TestNoListener(t *testing.T) {
	if _, err := loadText(t, "allow_anonymous = on\n"); err == nil || !strings.Contains(err.Error(), "no listener is configured") {
		t.Error(err)
	}
	// As VerneMQ 2.1 installs it: MQTT listeners are started with vmq-admin.
	l, err := loadText(t, "listener.http.default = 127.0.0.1:8888\n")
	if err != nil || len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "no MQTT listener is configured") {
		t.Errorf("only an HTTP listener: %v", err)
	}
	if _, err := Load("/nonexistent/vernemq.conf", nil, Dirs{}); err == nil || !strings.Contains(err.Error(), "file does not exist") {
		t.Error(err)
	}
}

// TestListenerLevels checks that an option of a listener comes before that of
// its transport, and that before the one of all.
func TestListenerLevels(t *testing.T) {
	l, err := loadText(t, listen+"listener.tcp.b = 127.0.0.1:2\nlistener.tcp.c = 127.0.0.1:3\n"+
		"listener.max_connections = 1\nlistener.tcp.max_connections = 2\nlistener.tcp.b.max_connections = 3\nlistener.tcp.c.max_connections = -1\n"+
		"listener.mountpoint = all\nlistener.tcp.b.mountpoint = b/\nlistener.tcp.c.mountpoint = off\n"+
		"listener.tcp.b.allow_anonymous_override = on\nlistener.tcp.c.allowed_protocol_versions = [5, 131]\nlistener.tcp.c.buffer_sizes = 1,2,3\n")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, li := range l.Config.Listeners {
		got += fmt.Sprintf("%s %d %q %v % x %v; ", li.Name, li.MaxConnections, li.Mountpoint, li.AllowAnonymous, li.AllowedVersions, li.BufferSizes)
	}
	want := `default 2 "all" false 03 04 [0 0 0]; b 3 "b" true 03 04 [0 0 0]; c 2 "" false 05 83 [1 2 3]; `
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestWarnings says in one line which keys do nothing yet; switching off what
// is not there is no reason for a word.
func TestWarnings(t *testing.T) {
	l, err := loadText(t, listen+"listener.vmq.clustering = 127.0.0.1:44053\nplugins.vmq_acl = off\nplugins.vmq_bridge = on\nmax_queued_messages = 7\nerlang.max_ports = 2000\nsystree_enabled = off\n"+
		"retry_interval = 3\nlistener.http.a = 127.0.0.1:9\nlistener.http.a.http_modules = vmq_web_ui\nretry_interval = 4\n", "retry_interval=5", "retry_interval=6")
	if err != nil {
		t.Fatal(err)
	}
	if l.Config.MaxOnlineMessages != 7 {
		t.Errorf("an old name has no effect")
	}
	got := strings.Join(l.Warnings, "\n")
	if len(l.Warnings) != 4 || !strings.Contains(got, "max_queued_messages is an old name of max_online_messages") ||
		!strings.Contains(got, "not available yet: listener.vmq.clustering") || !strings.Contains(got, "plugins.vmq_bridge") ||
		!strings.Contains(got, ":11: retry_interval is set on line 8 already") || !strings.Contains(got, "vmq_web_ui of listener.http.a") ||
		strings.Contains(got, "vmq_acl") || strings.Contains(got, "systree") {
		t.Error(got)
	}
	l, err = loadText(t, listen+"max_queued_messages = 0\n")
	if err != nil || len(l.Warnings) != 2 || !strings.HasSuffix(l.Warnings[1], "max_online_messages = 0: connected clients get no messages at all") {
		t.Error(err, l.Warnings)
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]int64{"10": 10, "4KB": 4096, "1.5kb": 1536, "2MB": 2 << 20, "1GB": 1 << 30} {
		if got, ok := parseBytes(in); !ok || got != want {
			t.Errorf("%s: %d %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "KB", "1Kb", "-1", "x", "1e3KB", "99999999999GB"} {
		if _, ok := parseBytes(in); ok {
			t.Errorf("%s is accepted as bytes", in)
		}
	}
	for in, want := range map[string]time.Duration{"5s": 5 * time.Second, "2h": 2 * time.Hour, "1d": day, "1w": week, "1m": 28 * day, "1y": 336 * day} {
		if got, ok := parseExpiry(in); !ok || got != want {
			t.Errorf("%s: %v %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "s", "5", "5x", "-1s", "1.5h", "99999999999999999y"} {
		if _, ok := parseExpiry(in); ok {
			t.Errorf("%s is accepted as expiry", in)
		}
	}
	for in, want := range map[string]time.Duration{"1h30m": 90 * time.Minute, ".5s": 500 * time.Millisecond, "10ms": 10 * time.Millisecond, "1f": 14 * day} {
		if got, ok := parseDuration(in); !ok || got != want {
			t.Errorf("%s: %v %v", in, got, ok)
		}
	}
}

// TestSchema holds what every entry of the schema must be.
func TestSchema(t *testing.T) {
	seen := map[string]bool{}
	l := &Loaded{dirs: testDirs("/x"), settings: map[string]Setting{}}
	for i := range schema {
		k := &schema[i]
		if seen[k.name] {
			t.Errorf("%s stands twice", k.name)
		}
		seen[k.name] = true
		if k.doc == "" || k.typ.check == nil {
			t.Errorf("%s has no documentation or no type", k.name)
		}
		if def, ok := l.defaultOf(k.name); ok && def != "" && def != "-1" && !strings.Contains(def, "$(") {
			if why := k.typ.check(def); why != "" {
				t.Errorf("%s: its default %q is refused: %s", k.name, def, why)
			}
		}
	}
}

// TestKnownKeys finds every key of testdata/keys.tsv, the keys of VerneMQ 2.x,
// in the schema, with its default unless the documentation has another.
func TestKnownKeys(t *testing.T) {
	deviates := map[string]bool{"max_client_id_size": true, "max_drain_time": true, "max_msgs_per_drain_step": true,
		"outgoing_clustering_buffer_size": true, "log.crash": true, "prometheus_namespace": true}
	text, err := os.ReadFile("testdata/keys.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		f := strings.Split(line, "\t")
		k := find(strings.ReplaceAll(f[0], "$", "x"))
		if k == nil {
			t.Errorf("%s is not in the schema", f[0])
			continue
		}
		want := strings.TrimSuffix(f[2], "/")
		switch want {
		case "-":
			want = none
		case `""`:
			want = ""
		}
		if strings.HasSuffix(f[0], "_ratio") {
			want += "%"
		}
		acceptors := strings.HasSuffix(f[0], "nr_of_acceptors") // an inherited 10 is a 10
		if k.def != want && !deviates[f[0]] && !acceptors && !strings.HasSuffix(f[0], "allowed_protocol_versions") {
			t.Errorf("%s: default %q, want %q", f[0], k.def, want)
		}
	}
}

// TestEffective loads again what it printed.
func TestEffective(t *testing.T) {
	l, err := loadText(t, listen+"max_inflight_messages = 7\nlistener.tcp.default.mountpoint = mp\n")
	if err != nil {
		t.Fatal(err)
	}
	var again []string
	for _, line := range l.Effective() {
		if !strings.HasSuffix(line, " = ") {
			k, v, _ := strings.Cut(line, " = ")
			again = append(again, k+" = '"+v+"'")
		}
	}
	text := strings.Join(again, "\n")
	for _, want := range []string{"max_inflight_messages = '7'", "retry_interval = '20'", "listener.tcp.default.mountpoint = 'mp'", "listener.tcp.default.allow_anonymous_override = 'off'"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	l2, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if l2.Config.MaxInflightMessages != 7 || l2.Config.Listeners[0].Mountpoint != "mp" {
		t.Errorf("%+v", l2.Config)
	}
}

func TestDescribe(t *testing.T) {
	l, err := loadText(t, listen+"max_inflight_messages = 7\n")
	if err != nil {
		t.Fatal(err)
	}
	text, ok := l.Describe("max_inflight_messages")
	for _, want := range []string{"acknowledgement", "   Valid Values: \n     - integer, at least 0\n   Default Value : 20\n", "may change at run time", "in force", "   Set Value     : 7 (", "vernemq.conf:2)"} {
		if !ok || !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
	if text, ok := Describe("listener.vmqs.x.cafile"); !ok || !strings.Contains(text, "not available yet") {
		t.Error(text, ok)
	}
	if _, ok := Describe("nosuch"); ok {
		t.Error("nosuch is described")
	}
}

var update = flag.Bool("update", false, "write the document of keys anew")

// TestDocument holds docs/configuration.md to the schema.
func TestDocument(t *testing.T) {
	const path = "../../docs/configuration.md"
	var b strings.Builder
	if err := WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != b.String() {
		t.Errorf("%s is not what the schema says (%v): run this test with -update", path, err)
	}
}

// FuzzParse reads any text: it ends, and every error names the file.
func FuzzParse(f *testing.F) {
	for _, s := range []string{listen, "a = 'b'\n", "a = '''\nb\n'''\n", "include x\n", "a.b\\.c = $(x)\n", "\ufeff#\r\n", "= '", "a=b#c\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := &parser{}
		p.text("/nonexistent/f.conf", text)
		for _, err := range p.errs {
			if !strings.Contains(err.Error(), "/nonexistent/") {
				t.Fatalf("error without a file: %v", err)
			}
		}
		l := &Loaded{settings: map[string]Setting{}, dirs: testDirs("/x")}
		for _, err := range l.take(p.settings) {
			if !strings.Contains(err.Error(), "/nonexistent/f.conf:") {
				t.Fatalf("error without a line: %v", err)
			}
		}
	})
}

// TestIncludeBelowBrackets: a pattern is what stands in the file, not the
// directory that the file lies in.
func TestIncludeBelowBrackets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node[1]*")
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"vernemq.conf": "listener.tcp.x = 127.0.0.1:0\ninclude conf.d/*.conf\ninclude more.conf\n",
		"conf.d/a.conf": "max_online_messages = 7\n", "more.conf": "max_offline_messages = 8\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Load(filepath.Join(dir, "vernemq.conf"), nil, DirsOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	if c := l.Config; c.MaxOnlineMessages != 7 || c.MaxOfflineMessages != 8 {
		t.Error(c.MaxOnlineMessages, c.MaxOfflineMessages)
	}
}

// TestOldNameReferred: an old name stands for the new one in a reference, too.
func TestOldNameReferred(t *testing.T) {
	for _, name := range []string{"max_queued_messages", "max_online_messages"} {
		file := filepath.Join(t.TempDir(), "vernemq.conf")
		text := "listener.tcp.x = 127.0.0.1:0\n" + name + " = 7\nmax_offline_messages = $(max_queued_messages)\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Load(file, nil, DirsOf(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if l.Config.MaxOfflineMessages != 7 {
			t.Error(name, l.Config.MaxOfflineMessages)
		}
	}
}

// TestSendTimeout: a time that is too long to be counted is long, not short.
func TestSendTimeout(t *testing.T) {
	for option, want := range map[string]time.Duration{"{send_timeout, 2000}": 2 * time.Second, "{send_timeout,1}": time.Second, "{nodelay, true}": 30 * time.Second,
		"{send_timeout, infinity}": largest * time.Millisecond, "{send_timeout, 10000000000000}": largest * time.Millisecond,
		"{send_timeout, 99999999999999999999}": largest * time.Millisecond} {
		file := filepath.Join(t.TempDir(), "vernemq.conf")
		if err := os.WriteFile(file, []byte("listener.tcp.x = 127.0.0.1:0\ntcp_listen_options = ["+option+"]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Load(file, nil, DirsOf(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Config.SendTimeout; got != want {
			t.Errorf("%s: %v, want %v", option, got, want)
		}
	}
}
