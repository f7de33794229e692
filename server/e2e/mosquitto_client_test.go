package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var clientVersions = []string{"mqttv31", "mqttv311", "mqttv5"}

// forClients runs f against both brokers with each protocol version of the
// mosquitto clients.
func forClients(t *testing.T, f func(t *testing.T, b *broker, version string)) {
	t.Helper()
	needClients(t)
	forLoops(t, func(t *testing.T, b *broker) {
		for _, v := range clientVersions {
			t.Run(v, func(t *testing.T) { f(t, b, v) })
		}
	})
}

func needClients(t *testing.T) {
	t.Helper()
	for _, program := range []string{"mosquitto_pub", "mosquitto_sub", "stdbuf"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI_REQUIRE") == "1" {
				t.Fatalf("%s is missing (apt-get install mosquitto-clients) and CI_REQUIRE=1", program)
			}
			t.Skipf("%s is missing: apt-get install mosquitto-clients", program)
		}
	}
}

// client is a running mosquitto_pub or mosquitto_sub.
type client struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan error

	mu  sync.Mutex
	out bytes.Buffer
}

// Write takes the client's output.
func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *client) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// client starts a mosquitto client with line buffered output.
func (b *broker) client(t *testing.T, program, version string, args ...string) *client {
	t.Helper()
	args = append([]string{"-oL", program, "-h", "127.0.0.1", "-p", strconv.Itoa(b.port), "-V", version}, args...)
	c := &client{t: t, cmd: exec.Command("stdbuf", args...), done: make(chan error, 1)}
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- c.cmd.Wait() }()
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

// format prints one line for a message; debug lines do not begin with this.
const format = "msg %t qos=%q retain=%r %p"

// sub starts mosquitto_sub and waits until it is subscribed. Messages that
// waited for a session may come before that.
func (b *broker) sub(t *testing.T, version string, args ...string) *client {
	t.Helper()
	c := b.client(t, "mosquitto_sub", version, append([]string{"-d", "-W", "20", "-F", format}, args...)...)
	eventually(t, "mosquitto_sub is subscribed", func() bool {
		return strings.Contains(c.text(), "Subscribed (mid") || len(c.soFar()) > 0
	})
	return c
}

// pub runs mosquitto_pub to its end.
func (b *broker) pub(t *testing.T, version string, args ...string) {
	t.Helper()
	if err := b.client(t, "mosquitto_pub", version, args...).wait(); err != nil {
		t.Fatalf("mosquitto_pub %v: %v", args, err)
	}
}

// pubLines publishes a message of QoS 1 for each line on one connection.
func (b *broker) pubLines(t *testing.T, version, topic string, lines []string) {
	t.Helper()
	pub := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", strconv.Itoa(b.port), "-V", version,
		"-t", topic, "-q", "1", "-l")
	pub.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := pub.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub -l: %v\n%s", err, out)
	}
}

// wait waits for the end of the client.
func (c *client) wait() error {
	select {
	case err := <-c.done:
		return err
	case <-time.After(2 * patience):
		return errors.New("it does not end")
	}
}

// messages waits for the end of a mosquitto_sub -C and returns its messages,
// without "msg " and what is equal in all.
func (c *client) messages() []string {
	c.t.Helper()
	if err := c.wait(); err != nil {
		c.t.Fatalf("mosquitto_sub: %v, its output:\n%s", err, c.text())
	}
	return c.soFar()
}

func (c *client) soFar() (out []string) {
	for line := range strings.SplitSeq(c.text(), "\n") {
		if m, ok := strings.CutPrefix(line, "msg "); ok {
			out = append(out, m)
		}
	}
	return out
}

func (c *client) want(messages ...string) {
	c.t.Helper()
	if got := c.messages(); strings.Join(got, "\n") != strings.Join(messages, "\n") {
		c.t.Fatalf("got  %q\nwant %q", got, messages)
	}
}

// keepArgs are the arguments of a session that is kept.
func keepArgs(version, name string) []string {
	args := []string{"-c", "-i", name}
	if version == "mqttv5" {
		args = append(args, "-x", "120")
	}
	return args
}

func TestClientsPublish(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		topic := unique("cli")
		s := b.sub(t, version, "-q", "2", "-t", topic, "-C", "3")
		for qos := range 3 {
			b.pub(t, version, "-t", topic, "-q", strconv.Itoa(qos), "-m", fmt.Sprint("hello ", qos))
		}
		s.want(topic+" qos=0 retain=0 hello 0", topic+" qos=1 retain=0 hello 1", topic+" qos=2 retain=0 hello 2")
	})
}

func TestClientsRetained(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		topic := unique("cli")
		b.pub(t, version, "-t", topic, "-q", "1", "-r", "-m", "kept")
		b.sub(t, version, "-q", "1", "-t", topic, "-C", "1").want(topic + " qos=1 retain=1 kept")
		b.pub(t, version, "-t", topic, "-q", "1", "-r", "-n")
		s := b.sub(t, version, "-q", "1", "-t", topic, "-C", "1")
		b.pub(t, version, "-t", topic, "-m", "live")
		s.want(topic + " qos=0 retain=0 live")
	})
}

func TestClientsWill(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		topic := unique("cli")
		watch := b.sub(t, version, "-q", "1", "-t", topic, "-C", "2")
		args := []string{"-t", unique("idle"), "--will-topic", topic, "--will-payload", "gone", "--will-qos", "1"}
		// A DISCONNECT removes the will, kill -9 does not.
		if err := b.client(t, "mosquitto_sub", version, append(args, "-E")...).wait(); err != nil {
			t.Fatal(err)
		}
		b.pub(t, version, "-t", topic, "-m", "between")
		rude := b.sub(t, version, append(args, "--will-retain")...)
		_ = rude.cmd.Process.Kill()
		watch.want(topic+" qos=0 retain=0 between", topic+" qos=1 retain=0 gone")
		b.sub(t, version, "-q", "2", "-t", topic, "-C", "1").want(topic + " qos=1 retain=1 gone")
		b.pub(t, version, "-t", topic, "-r", "-n")
	})
}

func TestClientsOffline(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		topic := unique("cli")
		keep := keepArgs(version, unique("off"))
		create := b.client(t, "mosquitto_sub", version, append(keep, "-q", "1", "-t", topic, "-E")...)
		if err := create.wait(); err != nil {
			t.Fatalf("mosquitto_sub -E: %v\n%s", err, create.text())
		}
		var lines, want []string
		for i := range 200 {
			lines = append(lines, fmt.Sprint("line ", i))
			want = append(want, fmt.Sprintf("%s qos=1 retain=0 line %d", topic, i))
		}
		b.pubLines(t, version, topic, lines)
		b.sub(t, version, append(keep, "-q", "1", "-t", topic, "-C", "200")...).want(want...)
		// Nothing is left.
		s := b.sub(t, version, append(keep, "-q", "1", "-t", topic, "-C", "1")...)
		b.pub(t, version, "-t", topic, "-q", "1", "-m", "next")
		s.want(topic + " qos=1 retain=0 next")
	})
}

func TestClientsOverlap(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		oursOnly(t, "it merges overlapping subscriptions")
		topic := unique("cli")
		s := b.sub(t, version, "-q", "1", "-t", topic+"/a", "-t", topic+"/+", "-t", topic+"/#", "-C", "4")
		b.pub(t, version, "-q", "1", "-t", topic+"/a", "-m", "m")
		b.pub(t, version, "-q", "1", "-t", topic+"/b/c", "-m", "end")
		one := topic + "/a qos=1 retain=0 m"
		s.want(one, one, one, topic+"/b/c qos=1 retain=0 end")
	})
}

func TestClientsTakeover(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		name, topic := unique("same"), unique("cli")
		will := unique("will")
		watch := b.sub(t, version, "-t", will, "-C", "1")
		old := b.sub(t, version, "-i", name, "-t", topic, "--will-topic", will, "--will-payload", "taken")
		s := b.sub(t, version, "-i", name, "-t", topic, "-C", "1")
		watch.want(will + " qos=0 retain=0 taken")
		// The old client would reconnect and so take over again.
		_ = old.cmd.Process.Kill()
		eventually(t, "the new client has the session", func() bool {
			b.pub(t, version, "-t", topic, "-m", "who")
			select {
			case <-s.done:
				return true
			default:
				return len(s.soFar()) > 0
			}
		})
	})
}

func TestClientsBigPayload(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		topic := unique("cli")
		payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, payload, 0o644); err != nil {
			t.Fatal(err)
		}
		for qos := range 3 {
			s := b.sub(t, version, "-q", "2", "-t", topic, "-C", "1")
			b.pub(t, version, "-t", topic, "-q", strconv.Itoa(qos), "-f", file)
			got := s.messages()
			want := fmt.Sprintf("%s qos=%d retain=0 %s", topic, qos, payload)
			if len(got) != 1 || got[0] != want {
				t.Fatalf("qos %d: the payload did not arrive as it was", qos)
			}
		}
	})
}

func TestClientsV5Properties(t *testing.T) {
	needClients(t)
	forLoops(t, func(t *testing.T, b *broker) {
		const v = "mqttv5"
		topic := unique("cli")
		s := b.sub(t, v, "-q", "1", "-t", topic, "-C", "1", "-F", "msg %p|%C|%R|%D|%P|%F")
		b.pub(t, v, "-t", topic, "-q", "1", "-m", "m",
			"-D", "publish", "user-property", "a", "1", "-D", "publish", "user-property", "a", "2",
			"-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "re/ply",
			"-D", "publish", "correlation-data", "corr", "-D", "publish", "payload-format-indicator", "1")
		s.want("m|text/plain|re/ply|corr|a:1 a:2|1")
	})
}

func TestClientsV5MessageExpiry(t *testing.T) {
	needClients(t)
	forLoops(t, func(t *testing.T, b *broker) {
		const v = "mqttv5"
		topic := unique("cli")
		keep := append(keepArgs(v, unique("exp")), "-q", "1", "-t", topic)
		if err := b.client(t, "mosquitto_sub", v, append(keep, "-E")...).wait(); err != nil {
			t.Fatal(err)
		}
		for expiry, m := range map[string]string{"1": "short", "60": "long"} {
			b.pub(t, v, "-t", topic, "-q", "1", "-m", m, "-D", "publish", "message-expiry-interval", expiry)
			b.pub(t, v, "-t", topic+"/"+m, "-q", "1", "-r", "-m", m, "-D", "publish", "message-expiry-interval", expiry)
		}
		time.Sleep(2200 * time.Millisecond)
		got := b.sub(t, v, append(keep, "-C", "1", "-F", "msg %p %E")...).messages()
		if got[0] != "long 57" && got[0] != "long 58" && got[0] != "long 56" {
			t.Errorf("got %q, want long with what is left of 60 s", got)
		}
		got = b.sub(t, v, "-t", topic+"/short", "-t", topic+"/long", "-C", "1", "-F", "msg %p").messages()
		if got[0] != "long" {
			t.Errorf("retained: got %q, want long", got)
		}
	})
}

func TestClientsShared(t *testing.T) {
	forClients(t, func(t *testing.T, b *broker, version string) {
		if version == "mqttv31" {
			oursOnly(t, "no shared subscriptions on 3.1")
		}
		topic := unique("cli")
		one := b.sub(t, version, "-q", "1", "-t", "$share/g/"+topic)
		two := b.sub(t, version, "-q", "1", "-t", "$share/g/"+topic)
		var lines []string
		for i := range 50 {
			lines = append(lines, fmt.Sprint("n", i))
		}
		b.pubLines(t, version, topic, lines)
		eventually(t, "all messages have come", func() bool {
			return len(one.soFar())+len(two.soFar()) >= len(lines)
		})
		seen := map[string]int{}
		for _, m := range append(one.soFar(), two.soFar()...) {
			seen[m]++
		}
		if len(seen) != len(lines) {
			t.Errorf("%d different messages, want %d: %v", len(seen), len(lines), seen)
		}
		if len(one.soFar()) == 0 || len(two.soFar()) == 0 {
			t.Error("a member got nothing")
		}
	})
}
