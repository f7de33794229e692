package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bufio"
)

// framed is the client's side of WebSocket, one frame for each Write.
type framed struct {
	net.Conn
	r    *bufio.Reader
	left int
}

// webSocket makes an HTTP connection one of WebSocket.
func webSocket(t *testing.T, c net.Conn) net.Conn {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c, "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Protocol") != "mqttv3.1" {
		t.Fatalf("%v %+v", err, answer)
	}
	return &framed{Conn: c, r: r}
}

func (f *framed) Write(b []byte) (int, error) { return len(b), f.frame(0x82, b) }

func (f *framed) frame(first byte, b []byte) error {
	head := []byte{first, 0x80 | byte(len(b))}
	if len(b) > 125 {
		head = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(b)))
	}
	_, err := f.Conn.Write(append(append(head, 0, 0, 0, 0), b...)) // a mask of zeros
	return err
}

// Read gives the payloads of binary frames. Another frame is an error.
func (f *framed) Read(b []byte) (int, error) {
	if f.left == 0 {
		first, n, err := f.head()
		if err != nil {
			return 0, err
		}
		if first != 0x82 {
			return 0, fmt.Errorf("frame %x", first)
		}
		f.left = n
	}
	n, err := f.r.Read(b[:min(len(b), f.left)])
	f.left -= n
	return n, err
}

func (f *framed) head() (first byte, n int, err error) {
	var b [4]byte
	if _, err := io.ReadFull(f.r, b[:2]); err != nil {
		return 0, 0, err
	}
	if n = int(b[1]); n == 126 {
		if _, err := io.ReadFull(f.r, b[2:4]); err != nil {
			return 0, 0, err
		}
		n = int(binary.BigEndian.Uint16(b[2:4]))
	}
	return b[0], n, nil
}

// overWebSocket dials a broker's listener.
func (d *doors) overWebSocket(t *testing.T) *framed {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port["ws.open"]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return webSocket(t, c).(*framed)
}

// TestPacketsInFrames sends packets that share frames and are cut by them
// [MQTT-6.0.0-2], and expects binary frames [MQTT-6.0.0-1] after a sub-protocol
// [MQTT-6.0.0-3] [MQTT-6.0.0-4].
func TestPacketsInFrames(t *testing.T) {
	d := openDoors(t)
	c := d.overWebSocket(t)
	all := append(connect{v: 4, id: unique("ws")}.bytes(), bytes.Repeat([]byte{0xc0, 0}, 20)...)
	want := append([]byte{0x20, 2, 0, 0}, bytes.Repeat([]byte{0xd0, 0}, 20)...)
	for len(all) > 0 {
		n := min(3, len(all))
		if _, err := c.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("% x %v", got, err)
	}
	// DISCONNECT ends it: Close, then the end of the connection.
	if _, err := c.Write([]byte{0xe0, 0}); err != nil {
		t.Fatal(err)
	}
	code := make([]byte, 2)
	if first, n, err := c.head(); err != nil || first != 0x88 || n != 2 {
		t.Fatal(first, n, err)
	} else if _, err := io.ReadFull(c.r, code); err != nil || binary.BigEndian.Uint16(code) != 1000 {
		t.Fatal(code, err)
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Fatal(err)
	}
}

// TestTextFrame ends the connection [MQTT-6.0.0-1].
func TestTextFrame(t *testing.T) {
	d := openDoors(t)
	c := d.overWebSocket(t)
	if err := c.frame(0x81, connect{v: 4, id: unique("ws")}.bytes()); err != nil {
		t.Fatal(err)
	}
	if first, n, err := c.head(); err != nil || first != 0x88 || n != 2 {
		t.Fatal(first, n, err)
	}
	if code, err := c.r.Peek(2); err != nil || binary.BigEndian.Uint16(code) != 1003 {
		t.Fatal(code, err)
	}
}

// npm has MQTT.js installed once for all tests.
var npm = sync.OnceValues(func() (modules string, err error) {
	dir := filepath.Join(tempRoot, "npm")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "mqtt@5")
	cmd.Dir = dir
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install mqtt: %w: %.300s", err, out)
	}
	return filepath.Join(dir, "node_modules"), nil
})

func needMQTTjs(t *testing.T) string {
	t.Helper()
	need(t, "npm", "nodejs npm")
	modules, err := npm()
	if err != nil {
		t.Skipf("MQTT.js cannot be had: %v", err)
	}
	return modules
}

// exchange is what MQTT.js does by each door, in Node.js and in a browser: it
// subscribes, publishes payloads of many sizes with each QoS, gets them back.
const exchange = `
async function exchange(mqtt, url, version, options) {
  const c = await mqtt.connectAsync(url, {protocolVersion: version, clientId: 'js' + Math.random().toString(16).slice(2, 10),
    reconnectPeriod: 0, connectTimeout: 10000, ...options});
  const topic = 'js/' + Math.random(), sizes = [0, 1, 125, 126, 70000, 300000], got = [];
  const all = new Promise((done, fail) => {
    setTimeout(() => fail(new Error('only ' + got)), 15000);
    c.on('error', fail);
    c.on('message', (t, payload) => {
      for (let i = 0; i < payload.length; i += 997) if (payload[i] !== i % 251) fail(new Error('payload at ' + i));
      if (got.push(payload.length) === 3 * sizes.length) done();
    });
  });
  await c.subscribeAsync(topic, {qos: 2});
  for (const qos of [0, 1, 2]) for (const n of sizes) {
    const b = new Uint8Array(n);
    for (let i = 0; i < n; i++) b[i] = i % 251;
    await c.publishAsync(topic, typeof Buffer === 'undefined' ? b : Buffer.from(b), {qos});
  }
  await all;
  await c.endAsync();
}
`

// TestMQTTjs runs MQTT.js in Node.js.
func TestMQTTjs(t *testing.T) {
	node := need(t, "node", "nodejs")
	modules := needMQTTjs(t)
	d := openDoors(t, "max_online_messages=-1")
	leaf := d.ca.Issue("device", nil)
	cert, key := leaf.Files(d.dir, "device")
	script := exchange + fmt.Sprintf(`
const mqtt = require('mqtt'), fs = require('fs');
const tls = {ca: fs.readFileSync(%q), cert: fs.readFileSync(%q), key: fs.readFileSync(%q)};
(async () => {
  for (const version of [4, 5]) {
    await exchange(mqtt, 'ws://127.0.0.1:%d/mqtt', version, {});
    await exchange(mqtt, 'wss://localhost:%d/mqtt', version, {...tls, family: 4});
    await exchange(mqtt, 'mqtts://127.0.0.1:%d', version, tls);
  }
  console.log('good');
  process.exit(0);
})().catch(e => { console.error(e); process.exit(1); });
`, d.dir+"/ca.pem", cert, key, d.port["ws.open"], d.port["wss.open"], d.port["ssl.certs"])
	file := filepath.Join(d.dir, "exchange.js")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, file)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "good\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBrowser runs MQTT.js in a page in headless Chromium.
func TestBrowser(t *testing.T) {
	chromium := need(t, "chromium", "chromium")
	modules := needMQTTjs(t)
	d := openDoors(t, "max_online_messages=-1")
	results := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mqtt.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(modules, "mqtt", "dist", "mqtt.js"))
	})
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		results <- string(b)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><script src="mqtt.js"></script><script>%s
(async () => {
  for (const version of [4, 5]) {
    await exchange(mqtt, 'ws://127.0.0.1:%d/mqtt', version, {});
    await exchange(mqtt, 'wss://127.0.0.1:%d/mqtt', version, {});
  }
  return 'good';
})().catch(e => String(e) + (e.stack || '')).then(body => fetch('/result', {method: 'POST', body}));
</script>`, exchange, d.port["ws.open"], d.port["wss.open"])
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	cmd := exec.Command(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--ignore-certificate-errors",
		"--no-first-run", "--disable-background-networking", "--user-data-dir="+t.TempDir(), s.URL)
	said := &client{t: t}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	select {
	case r := <-results:
		if r != "good" {
			t.Errorf("the page says %s", r)
		}
	case <-time.After(time.Minute):
		t.Errorf("the page says nothing\n%.2000s", said.text())
	}
}
