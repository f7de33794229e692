package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const key = "dGhlIHNhbXBsZSBub25jZQ==" // of RFC 6455, 1.3

// lines puts a request together: the good one, with lines replaced, left out
// ("Name:-") or added.
func lines(first string, changes ...string) string {
	out := []string{"Host: broker", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + key, "Sec-WebSocket-Protocol: mqtt"}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, ":")
		found := false
		for i, line := range out {
			if strings.HasPrefix(line, name+":") {
				if out[i] = c; value == "-" {
					out = append(out[:i], out[i+1:]...)
				}
				found = true
				break
			}
		}
		if !found {
			out = append(out, strings.TrimPrefix(c, "+"))
		}
	}
	return first + "\r\n" + strings.Join(out, "\r\n") + "\r\n\r\n"
}

const get = "GET /mqtt HTTP/1.1"

var granted = []struct{ name, request, protocol string }{
	{"plain", lines(get), "mqtt"},
	{"slash", lines("GET /mqtt/ HTTP/1.1"), "mqtt"},
	{"query", lines("GET /mqtt?a=/b?c HTTP/1.1"), "mqtt"},
	{"slash and query", lines("GET /mqtt/?token=x HTTP/1.1"), "mqtt"},
	{"absolute", lines("GET ws://broker:8080/mqtt HTTP/1.1"), "mqtt"},
	{"absolute http", lines("GET HTTP://broker/mqtt?x HTTP/1.1"), "mqtt"},
	{"later version", lines("GET /mqtt HTTP/1.2"), "mqtt"},
	{"old protocol", lines(get, "Sec-WebSocket-Protocol: mqttv3.1"), "mqttv3.1"},
	{"list", lines(get, "Sec-WebSocket-Protocol: stomp, mqttv3.1 ,mqtt"), "mqttv3.1"},
	{"two fields", lines(get, "Sec-WebSocket-Protocol: a,b", "+Sec-WebSocket-Protocol: mqtt,mqttv3.1"), "mqtt"},
	{"case", lines(get, "Upgrade:-", "Connection:-", "+uPGRADE: WebSocket", "+CONNECTION: keep-alive,  UPGRADE"), "mqtt"},
	{"upgrade list", lines(get, "Upgrade: h2c, websocket", "Connection: close", "+Connection: upgrade"), "mqtt"},
	{"white space", lines(get, "Upgrade:websocket", "Sec-WebSocket-Key:\t "+key+" \t"), "mqtt"},
	{"extensions", lines(get, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), "mqtt"},
	{"no body", lines(get, "Content-Length: 0"), "mqtt"},
	{"loose key", lines(get, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB=="), "mqtt"},
	{"longest line", lines("GET /mqtt?" + strings.Repeat("x", 8000-len(get)-1) + " HTTP/1.1"), "mqtt"},
	{"longest value", lines(get, "X: "+strings.Repeat("x", 4096)), "mqtt"},
	{"empty value", lines(get, "X:"), "mqtt"},
	{"latin 1", lines(get, "X: \xe9"), "mqtt"},
	{"most fields", lines(get, strings.Split(strings.Repeat("+X: 1\n", 94), "\n")[:94]...), "mqtt"},
}

var refused = []struct {
	name, request string
	want          *Refusal
}{
	{"mqtt", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", refuseMethodName},
	{"tls", "\x16\x03\x01\x02\x00", refuseMethodName},
	{"empty line", "\r\n" + lines(get), refuseMethodName},
	{"space first", " " + lines(get), refuseMethodName},
	{"long method", strings.Repeat("G", 33), refuseMethodName},
	{"bare LF", strings.ReplaceAll(lines(get), "\r", ""), refuseLineEnd},
	{"no version", lines("GET /mqtt"), refuseSyntax},
	{"two spaces", lines("GET  /mqtt HTTP/1.1"), refuseSyntax},
	{"space at the end", lines("GET /mqtt HTTP/1.1 "), refuseSyntax},
	{"no target", lines("GET  HTTP/1.1"), refuseSyntax},
	{"fragment", lines("GET /mqtt#a HTTP/1.1"), refuseSyntax},
	{"tab", lines("GET /mqtt?\t HTTP/1.1"), refuseSyntax},
	{"latin 1 target", lines("GET /mqtt?\xe9 HTTP/1.1"), refuseSyntax},
	{"authority", lines("GET broker:80 HTTP/1.1"), refuseSyntax},
	{"scheme", lines("GET ftp://broker/mqtt HTTP/1.1"), refuseSyntax},
	{"version text", lines("GET /mqtt HTTP/x.1"), refuseSyntax},
	{"version length", lines("GET /mqtt HTTP/1.10"), refuseSyntax},
	{"version name", lines("GET /mqtt http/1.1"), refuseSyntax},
	{"http 2", lines("GET /mqtt HTTP/2.0"), refuseVersion},
	{"http 2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refuseVersion},
	{"http 1.0", lines("GET /mqtt HTTP/1.0"), refuseNoUpgrade},
	{"long line", lines("GET /mqtt?" + strings.Repeat("x", 8000-len(get)) + " HTTP/1.1"), refuseLine},
	{"endless line", "GET /" + strings.Repeat("x", 9000), refuseLine},
	{"long value", lines(get, "X: "+strings.Repeat("x", 4097)), refuseValue},
	{"many fields", lines(get, strings.Split(strings.Repeat("+X: 1\n", 95), "\n")[:95]...), refuseFields},
	{"long request", lines(get, "X: "+strings.Repeat("x", 17000)), refuseTotal},
	{"endless request", get + "\r\nX: " + strings.Repeat("x", 17000), refuseTotal},
	{"no colon", lines(get, "+X"), refuseField},
	{"no name", lines(get, "+: x"), refuseField},
	{"space before colon", lines(get, "+X : x"), refuseField},
	{"folded", lines(get, "+X: a\r\n b"), refuseField},
	{"LF in fields", lines(get, "+X: a\nY: b"), refuseField},
	{"CR in fields", lines(get, "+X: a\rb"), refuseField},
	{"NUL", lines(get, "+X: a\x00"), refuseField},
	{"DEL", lines(get, "+X: a\x7f"), refuseField},
	{"no host", lines(get, "Host:-"), refuseHost},
	{"two hosts", lines(get, "+Host: other"), refuseHost},
	{"body", lines(get, "Content-Length: 3"), refuseBody},
	{"chunks", lines(get, "Transfer-Encoding: chunked"), refuseBody},
	{"root", lines("GET / HTTP/1.1"), refusePath},
	{"other path", lines("GET /mqtt2 HTTP/1.1"), refusePath},
	{"two slashes", lines("GET /mqtt// HTTP/1.1"), refusePath},
	{"case of path", lines("GET /MQTT HTTP/1.1"), refusePath},
	{"encoded path", lines("GET /%6dqtt HTTP/1.1"), refusePath},
	{"absolute root", lines("GET http://mqtt HTTP/1.1"), refusePath},
	{"asterisk", lines("OPTIONS * HTTP/1.1"), refusePath},
	{"post", lines("POST /mqtt HTTP/1.1"), refuseMethod},
	{"lower case", lines("get /mqtt HTTP/1.1"), refuseMethod},
	{"head", lines("HEAD /mqtt HTTP/1.1"), refuseMethod},
	{"browser", get + "\r\nHost: broker\r\nConnection: keep-alive\r\n\r\n", refuseNoUpgrade},
	{"no connection", lines(get, "Connection:-"), refuseNoUpgrade},
	{"other upgrade", lines(get, "Upgrade: websocket2"), refuseNoUpgrade},
	{"no ws version", lines(get, "Sec-WebSocket-Version:-"), refuseNot13},
	{"ws version 8", lines(get, "Sec-WebSocket-Version: 8"), refuseNot13},
	{"two ws versions", lines(get, "+Sec-WebSocket-Version: 13"), refuseNot13},
	{"list of ws versions", lines(get, "Sec-WebSocket-Version: 13, 8"), refuseNot13},
	{"no key", lines(get, "Sec-WebSocket-Key:-"), refuseKey},
	{"two keys", lines(get, "+Sec-WebSocket-Key: "+key), refuseKey},
	{"short key", lines(get, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), refuseKey},
	{"15 bytes", lines(get, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA===="), refuseKey},
	{"17 bytes", lines(get, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="), refuseKey},
	{"18 bytes", lines(get, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"), refuseKey},
	{"no base64", lines(get, "Sec-WebSocket-Key: ????????????????????????"), refuseKey},
	{"no protocol", lines(get, "Sec-WebSocket-Protocol:-"), refuseProtocol},
	{"other protocol", lines(get, "Sec-WebSocket-Protocol: stomp"), refuseProtocol},
	{"case of protocol", lines(get, "Sec-WebSocket-Protocol: MQTT"), refuseProtocol},
	{"two names", lines(get, "+X-CN: a", "+x-cn: b"), refuseCN},
}

var rules = Rules{CNField: "X-Cn"}

// upTo parses a request that comes in pieces of size bytes.
func upTo(raw []byte, size int, r *Request) (n int, err error) {
	for at := min(size, len(raw)); ; at = min(at+size, len(raw)) {
		if n, err = ParseRequest(raw[:at], &rules, r); n > 0 || err != nil || at == len(raw) {
			return n, err
		}
	}
}

func TestGranted(t *testing.T) {
	for _, c := range granted {
		for _, size := range []int{1, 7, 1 << 20} {
			var r Request
			raw := []byte(c.request + "\x82\x80")
			n, err := upTo(raw, size, &r)
			if err != nil || n != len(c.request) || r.Protocol != c.protocol {
				t.Errorf("%s in pieces of %d: %d of %d bytes, %q, %v", c.name, size, n, len(c.request), r.Protocol, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		for _, size := range []int{1, 7, 1 << 20} {
			var r Request
			n, err := upTo([]byte(c.request), size, &r)
			if n != 0 || err != c.want {
				t.Errorf("%s in pieces of %d: %d, %v", c.name, size, n, err)
			}
		}
		answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.want.AppendAnswer(nil))), nil)
		if err != nil || answer.StatusCode != c.want.Status || !answer.Close || answer.ContentLength < 1 {
			t.Errorf("%s: answer %+v %v", c.name, answer, err)
		}
	}
	answer := string(refuseMethod.AppendAnswer(nil)) + string(refuseNot13.AppendAnswer(nil))
	for _, want := range []string{"Allow: GET\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n"} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %q in %q", want, answer)
		}
	}
}

// TestAnswer holds the example of RFC 6455, 1.3, and that parsing allocates
// nothing.
func TestAnswer(t *testing.T) {
	var r Request
	raw, out := []byte(lines(get)), make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseRequest(raw, &rules, &r); err != nil {
			t.Fatal(err)
		}
		out = r.AppendAnswer(out[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	if string(out) != want {
		t.Errorf("%q", out)
	}
}

// TestForwarded holds what is taken from fields of a proxy.
func TestForwarded(t *testing.T) {
	for value, want := range map[string]string{"": "", "1.2.3.4": "1.2.3.4", "1.2.3.4, 5.6.7.8": "1.2.3.4",
		" 1.2.3.4:99 ,x": "1.2.3.4", "2001:db8::1": "2001:db8::1", "[2001:db8::1]:80": "2001:db8::1",
		"::ffff:1.2.3.4": "1.2.3.4", "unknown": "", "1.2.3": "", ", 1.2.3.4": ""} {
		var r Request
		raw := lines(get, "X-Forwarded-For: "+value, "+x-forwarded-for: 9.9.9.9", "x-cn: client 7")
		if value == "" {
			raw = lines(get)
		}
		if _, err := ParseRequest([]byte(raw), &rules, &r); err != nil {
			t.Fatal(err)
		}
		a, ok := r.ForwardedAddr()
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%q: %v %v", value, a, ok)
		}
		if cn := string(r.CN); value != "" && cn != "client 7" || value == "" && r.CN != nil {
			t.Errorf("CN %q", cn)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	raw := []byte(lines(get, "User-Agent: "+strings.Repeat("x", 100), "Origin: http://broker", "Cookie: "+fmt.Sprint(1<<60)))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var r Request
		if _, err := ParseRequest(raw, &rules, &r); err != nil {
			b.Fatal(err)
		}
	}
}
