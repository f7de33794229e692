package ws

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// upgrade lets net/http do the handshake.
func upgrade(t *testing.T, addr string) io.ReadWriteCloser {
	r, err := http.NewRequest("GET", "http://"+addr+"/mqtt?x=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": "mqtt"} {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		answer.Header.Get("Sec-WebSocket-Protocol") != "mqtt" || answer.Header.Get("Sec-WebSocket-Extensions") != "" {
		t.Fatalf("%+v", answer)
	}
	return answer.Body.(io.ReadWriteCloser)
}

func expect(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("% x, not % x: %v", got, want, err)
	}
}

var connect = unhex("10 0d 0004 4d515454 04 02 003c 0001 61")

// TestHTTPClient talks to the server over a connection of net/http.
func TestHTTPClient(t *testing.T) {
	s := startServer(t)
	c := upgrade(t, s.Addr().String())
	defer c.Close()
	write := func(b []byte) {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	half := len(connect) / 2
	write(frame(opBinary, 1234567, connect[:half]))
	write(frame(bitFin|opPing, 99, text("are you there?")))
	expect(t, c, append([]byte{0x8a, 14}, "are you there?"...))
	write(frame(bitFin|opContinuation, 7654321, connect[half:]))
	expect(t, c, unhex("8204 20020000"))
	publish := append(unhex("30 ac02 0001 61"), make([]byte, 297)...)
	write(frame(bitFin|opBinary, rand.Uint32(), append(publish, publish...)))
	expect(t, c, append(append(unhex("827e025e"), publish...), publish...))
	write(append(frame(bitFin|opBinary, 5, unhex("c000 e000")), frame(bitFin|opClose, 6, unhex("03e8"))...))
	expect(t, c, unhex("8202 d000 8802 03e8"))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	if notes := s.ended(); !slices.Equal(notes, []string{ErrClosed.Error()}) {
		t.Fatal(notes)
	}
}

// TestHTTPRefused holds that net/http understands a refusal.
func TestHTTPRefused(t *testing.T) {
	s := startServer(t)
	for path, status := range map[string]int{"/mqtt": 426, "/": 404} {
		answer, err := http.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || len(body) == 0 || answer.StatusCode != status {
			t.Errorf("%s: %+v %q %v", path, answer, body, err)
		}
		_ = answer.Body.Close()
	}
}

// TestPaho is the Go client of Eclipse, with gorilla's WebSocket.
func TestPaho(t *testing.T) {
	s := startServer(t)
	got := make(chan int, 100)
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("ws://" + s.Addr().String() + "/mqtt").SetClientID("paho").
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { got <- len(m.Payload()) }))
	wait := func(token mqtt.Token) {
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	wait(c.Connect())
	for _, size := range []int{0, 10, 125, 126, 1000, 66_000, 300_000} {
		wait(c.Publish("a", 0, false, make([]byte, size)))
		select {
		case n := <-got:
			if n != size {
				t.Fatalf("%d bytes came back as %d", size, n)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d bytes did not come back", size)
		}
	}
	c.Disconnect(100)
}

// modules is where npm may have put packages: $NODE_PATH, or what
// `npm install -g` uses.
func modules(t *testing.T) string {
	if p := os.Getenv("NODE_PATH"); p != "" {
		return p
	}
	out, err := exec.CommandContext(t.Context(), "npm", "root", "-g").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// TestNode runs clients in Node.js: its own WebSocket (from version 20.10 on),
// the package ws and MQTT.js.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed (apt install nodejs npm)")
	}
	s := startServer(t)
	for _, c := range []struct{ script, needs string }{{"websocket.js", ""}, {"ws.js", "ws"}, {"mqtt.js", "mqtt"}} {
		t.Run(c.script, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", c.script), "ws://"+s.Addr().String()+"/mqtt")
			if c.needs == "" {
				cmd.Args = slices.Insert(cmd.Args, 1, "--experimental-websocket") // until version 22
				if exec.CommandContext(t.Context(), node, "--experimental-websocket", "-e", "WebSocket").Run() != nil {
					t.Skip("node has no WebSocket of its own (20.10 or later has)")
				}
			} else {
				path := modules(t)
				if _, err := os.Stat(filepath.Join(path, c.needs, "package.json")); path == "" || err != nil {
					t.Skipf("npm's package %s is not installed (npm install -g %s, or NODE_PATH)", c.needs, c.needs)
				}
				cmd.Env = append(os.Environ(), "NODE_PATH="+path)
			}
			timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.HasSuffix(out, []byte("good\n")) {
				t.Fatalf("%s %v, server: %q", out, err, s.ended())
			}
		})
	}
}
