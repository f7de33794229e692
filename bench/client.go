// Package bench loads a running MQTT broker and measures what that costs it:
// CPU time per message and memory per connection, read from /proc for the
// broker's process. It never imports the broker.
package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"vernemq/codec"
)

// client is a connection that sends and reads packets.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	v    codec.Version
	body []byte // of the latest packet
}

const dialTimeout = 10 * time.Second

// dial connects a client with a clean session.
func dial(addr, id string, v codec.Version) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	c := &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), v: v}
	_, err = conn.Write(codec.AppendConnect(nil, &codec.Connect{Version: v, CleanStart: true, ClientID: []byte(id), RequestProblemInfo: true}))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot send CONNECT: %w", err)
	}
	var ack codec.Connack
	f, err := c.read()
	if err == nil {
		err = codec.DecodeConnack(v, f, &ack)
	}
	if err == nil && ack.Reason != codec.Success {
		err = fmt.Errorf("client %s refused: code %d", id, ack.Reason)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// read reads one packet, which is valid until the next call.
func (c *client) read() (f codec.Frame, err error) {
	if f.First, err = c.r.ReadByte(); err != nil {
		return f, err
	}
	n, err := binary.ReadUvarint(c.r)
	if err != nil {
		return f, err
	}
	if n > codec.MaxRemaining {
		return f, errors.New("packet is too long")
	}
	if uint64(cap(c.body)) < n {
		c.body = make([]byte, n)
	}
	f.Body = c.body[:n]
	_, err = io.ReadFull(c.r, f.Body)
	return f, err
}

func (c *client) subscribe(filter string, qos byte) error {
	_, err := c.conn.Write(codec.AppendSubscribe(nil, c.v, 1, 0, []codec.Filter{{Filter: []byte(filter), QoS: qos}}))
	if err != nil {
		return fmt.Errorf("cannot subscribe: %w", err)
	}
	for {
		f, err := c.read()
		if err != nil {
			return fmt.Errorf("cannot subscribe: %w", err)
		}
		if f.Type() != codec.SUBACK {
			continue
		}
		var s codec.Suback
		if err := codec.DecodeSuback(c.v, f, &s); err != nil {
			return err
		}
		if s.Codes[0] >= 0x80 {
			return fmt.Errorf("subscription to %s refused: code 0x%02x", filter, s.Codes[0])
		}
		return nil
	}
}
