package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience is how long a packet, or the end of a connection, may take.
const patience = 10 * time.Second

// quiet is how long nothing must come. A message between loops takes less than a
// millisecond; the ping behind it waits for what is still under way.
const quiet = 60 * time.Millisecond

// run is a case in one version.
type run struct {
	of      *testCase
	level   byte
	step    int // bytes of a write
	address string
	clients map[string]*client
}

// client is one of its clients.
type client struct {
	name  string
	level byte     // of its protocol
	conn  net.Conn // nil while it is not connected
	r     *bufio.Reader
	id    uint16 // of the PUBLISH that came last
}

// verbs are what a line may do.
var verbs map[string]func(r *run, c *client, what string) error

func init() {
	verbs = map[string]func(r *run, c *client, what string) error{
		"<":       (*run).comes,
		"<*":      func(r *run, c *client, what string) error { return r.allCome(c, strings.Split(what, " | ")) },
		"none":    func(r *run, c *client, _ string) error { time.Sleep(quiet); return r.goesOn(c) },
		"open":    func(r *run, c *client, _ string) error { return r.goesOn(c) },
		"closed":  func(r *run, c *client, _ string) error { return r.closed(c) },
		"bye":     func(r *run, c *client, code string) error { return r.ends(c, "disconnect "+code) },
		"refused": func(r *run, c *client, code string) error { return r.ends(c, "connack 0 "+code) },
		"drop":    func(_ *run, c *client, _ string) error { c.close(); return nil },
		"shut":    func(_ *run, c *client, _ string) error { return c.conn.(*net.TCPConn).CloseWrite() },
		"connect": func(r *run, c *client, _ string) error { return r.connect(c, "02", "", "connack 0 00*") },
		"persist": func(r *run, c *client, _ string) error { return r.connect(c, "00", "110000012c", "connack 0 00*") },
		"resume":  (*run).resume,
		"end":     (*run).end,
		"wrong":   (*run).wrong,
		"as":      as,
		"wait":    wait,
	}
}

// run runs the case. The error names the line that failed.
func (r *run) run() error {
	defer func() {
		for _, c := range r.clients {
			c.close()
		}
	}()
	for i := range r.of.lines {
		l := &r.of.lines[i]
		if l.versions != "" && !strings.Contains(l.versions, strconv.Itoa(int(r.level&0x7f))) {
			continue
		}
		if err := r.line(l); err != nil {
			return fmt.Errorf("%v: %w", l, err)
		}
	}
	for _, c := range r.clients {
		if c.conn != nil {
			if err := r.goesOn(c); err != nil {
				return fmt.Errorf("%v: client %s when the case had ended: %w", &r.of.lines[len(r.of.lines)-1], c.name, err)
			}
		}
	}
	return nil
}

func (r *run) line(l *line) error {
	c := r.clients[l.client]
	if c == nil {
		c = &client{name: l.client, level: r.level}
		r.clients[l.client] = c
	}
	if times, ok := strings.CutPrefix(l.verb, ">"); ok {
		n, err := strconv.Atoi("0" + times)
		if err != nil {
			return err
		}
		return r.send(c, l.what, max(n, 1))
	}
	switch l.verb {
	case "as", "connect", "persist", "resume", "wrong", "drop", "wait":
	default:
		if c.conn == nil {
			return errors.New("client is not connected")
		}
	}
	return verbs[l.verb](r, c, l.what)
}

func as(_ *run, c *client, letter string) error {
	level, ok := levelOf[letter]
	if !ok {
		return errors.New("unknown version")
	}
	c.level = level
	return nil
}

func wait(_ *run, _ *client, what string) error {
	seconds, err := strconv.ParseFloat(what, 64)
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	return err
}

// connect connects with these flags and properties.
func (r *run) connect(c *client, flags, props, want string) error {
	c.close()
	if err := r.send(c, fmt.Sprintf("10 @ %s 003c (%s) %q", flags, props, c.name), 1); err != nil {
		return err
	}
	return r.comes(c, want)
}

func (r *run) resume(c *client, _ string) error {
	if c.level == 3 { // has no Session Present
		return r.connect(c, "00", "", "connack 0 00")
	}
	return r.connect(c, "00", "110000012c", "connack 1 00*")
}

// wrong sends a packet that ends the connection with a code.
func (r *run) wrong(c *client, what string) error {
	code, packet, _ := strings.Cut(what, " ")
	if err := r.connect(c, "02", "", "connack 0 00*"); err != nil {
		return err
	}
	if err := r.send(c, packet, 1); err != nil {
		return err
	}
	return r.ends(c, "disconnect "+code)
}

func (r *run) end(c *client, _ string) error {
	if err := r.send(c, "e0", 1); err != nil {
		return err
	}
	return r.closed(c)
}

func (r *run) send(c *client, what string, times int) error {
	out, err := notation{level: c.level, lastID: c.id}.render(what)
	if err != nil {
		return err
	}
	out = slices.Repeat(out, times)
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", r.address); err != nil {
			return err
		}
		c.r = bufio.NewReader(c.conn)
	}
	for step := max(r.step, len(out)/500); len(out) > 0; { // at most 500 writes
		n := min(step, len(out))
		if _, err := c.conn.Write(out[:n]); err != nil {
			return nil // closed already: what comes tells why
		}
		out = out[n:]
	}
	return nil
}

// next gives the next packet in words.
func (r *run) next(c *client) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	p, err := readPacket(c.r, c.level)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("nothing for %v", patience)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "", errors.New("the end of the connection within a packet")
	case err != nil:
		return "", errClosed
	}
	words := p.words()
	if p.id != 0 {
		c.id = p.id
	}
	return words, nil
}

var errClosed = errors.New("the end of the connection")

func (r *run) comes(c *client, want string) error {
	got, err := r.next(c)
	if err != nil {
		return fmt.Errorf("expected %q, got %w", want, err)
	}
	if !matches(want, got) {
		return fmt.Errorf("expected %q, got %q", want, got)
	}
	return nil
}

func (r *run) allCome(c *client, want []string) error {
	for len(want) > 0 {
		got, err := r.next(c)
		if err != nil {
			return fmt.Errorf("expected %q, got %w", want, err)
		}
		i := slices.IndexFunc(want, func(w string) bool { return matches(w, got) })
		if i < 0 {
			return fmt.Errorf("expected one of %q, got %q", want, got)
		}
		want = slices.Delete(want, i, i+1)
	}
	return nil
}

// matches compares; * stands for anything, [ab] for a or b.
func matches(want, got string) bool {
	p := regexp.QuoteMeta(strings.TrimSpace(want))
	p = strings.NewReplacer(`\*`, ".*", `\[`, "[", `\]`, "]").Replace(p)
	ok, err := regexp.MatchString("^(?s:"+p+")$", got)
	return err == nil && ok
}

// goesOn pings: nothing else may come before the answer.
func (r *run) goesOn(c *client) error {
	if err := r.send(c, "c0", 1); err != nil {
		return err
	}
	return r.comes(c, "pingresp")
}

// ends expects the last packet of a connection, which MQTT 3 does not have.
func (r *run) ends(c *client, last string) error {
	if c.level == 5 {
		if err := r.comes(c, last); err != nil {
			return err
		}
	}
	return r.closed(c)
}

func (r *run) closed(c *client) error {
	got, err := r.next(c)
	switch {
	case err == nil:
		return fmt.Errorf("expected the end of the connection, got %q", got)
	case err != errClosed:
		return fmt.Errorf("expected the end of the connection, got %w", err)
	}
	c.close()
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
