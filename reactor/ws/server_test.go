package ws

import (
	"net"
	"sync"
	"testing"

	"vernemq/codec"
)

// server is a tiny MQTT broker for one client at a time, that sends each
// PUBLISH back to who sent it. It uses the package as a reactor would.
type server struct {
	net.Listener
	t     *testing.T
	mu    sync.Mutex
	notes []string // how connections ended
}

func startServer(t *testing.T) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, t: t}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return s
}

func (s *server) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, text)
}

// ended gives how the connections have ended and forgets it.
func (s *server) ended() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.notes
	s.notes = nil
	return n
}

// peer is one connection of the server.
type peer struct {
	decoder Decoder
	open    bool // the handshake is done
	version codec.Version
	b       []byte
	kept    int
	out     []byte // MQTT
	done    bool   // DISCONNECT has come
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	p := &peer{b: make([]byte, 1<<20)}
	for {
		n, err := c.Read(p.b[p.kept:min(len(p.b), p.kept+1500)])
		if err != nil {
			s.note("cut: " + err.Error())
			return
		}
		send, err := p.data(p.kept + n)
		if _, e := c.Write(send); e != nil || err != nil {
			if err != nil {
				s.note(err.Error())
			}
			return
		}
	}
}

// data handles what has arrived and gives what is to be sent.
func (p *peer) data(have int) (send []byte, err error) {
	if !p.open {
		var r Request
		n, err := ParseRequest(p.b[:have], &Rules{}, &r)
		if err != nil {
			return err.(*Refusal).AppendAnswer(nil), err
		}
		if p.kept = have; n == 0 {
			return nil, nil
		}
		p.open, p.kept = true, 0
		have = copy(p.b, p.b[n:have])
		send = r.AppendAnswer(nil)
	}
	stream, total, reply, err := p.decoder.Decode(p.b[:have], p.kept, 1<<20, nil)
	used := p.packets(p.b[:stream])
	p.kept = copy(p.b, p.b[used:total])
	if len(p.out) > 0 {
		send = append(AppendHeader(send, len(p.out)), p.out...)
		p.out = p.out[:0]
	}
	send = append(send, reply...)
	if p.done && err == nil {
		send, err = p.decoder.Close(send, Normal), ErrClosed
	}
	return send, err
}

// packets answers the whole packets of b and gives how much they are.
func (p *peer) packets(b []byte) (used int) {
	for {
		f, n, _, err := codec.Cut(b[used:], 0)
		if err != nil {
			panic(err)
		}
		if n == 0 {
			return used
		}
		p.packet(f, b[used:used+n])
		used += n
	}
}

func (p *peer) packet(f codec.Frame, whole []byte) {
	switch f.Type() {
	case codec.CONNECT:
		var c codec.Connect
		if err := codec.DecodeConnect(f, &c); err != nil {
			panic(err)
		}
		if p.version = c.Version; p.version == codec.V5 {
			p.out = append(p.out, 0x20, 3, 0, 0, 0)
		} else {
			p.out = append(p.out, 0x20, 2, 0, 0)
		}
	case codec.SUBSCRIBE:
		var sub codec.Subscribe
		if err := codec.DecodeSubscribe(p.version, f, &sub); err != nil {
			panic(err)
		}
		p.out = codec.AppendSuback(p.out, p.version, sub.PacketID, []byte{0}, "")
	case codec.PUBLISH:
		p.out = append(p.out, whole...) // of QoS 0
	case codec.PINGREQ:
		p.out = append(p.out, 0xd0, 0)
	case codec.DISCONNECT:
		p.done = true
	}
}
