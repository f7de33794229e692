package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/reactor/tlstest"
)

// benchDoors starts a broker of one loop with a listener of each kind and gives
// a way to dial each.
func benchDoors(b *testing.B, ca *tlstest.Authority, leaf *tlstest.Leaf) (*broker, map[string]func(*tls.Config) (net.Conn, error)) {
	dir := b.TempDir()
	cert, key := leaf.Files(dir, "server")
	ports := map[string]int{"ssl": freePort(), "ws": freePort(), "wss": freePort()}
	var settings []string
	for transport, port := range ports {
		settings = append(settings, fmt.Sprintf("listener.%s.x=127.0.0.1:%d", transport, port))
		if transport != "ws" {
			settings = append(settings, "listener."+transport+".certfile="+cert, "listener."+transport+".keyfile="+key, "listener."+transport+".tls_version=tlsv1.2,tlsv1.3")
		}
	}
	br := &broker{loops: 1, settings: append(settings, "max_online_messages=-1"), base: b.TempDir()}
	if err := br.start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = br.stop() })
	ports["tcp"] = br.port
	dial := map[string]func(*tls.Config) (net.Conn, error){}
	for transport, port := range ports {
		dial[transport] = func(cfg *tls.Config) (net.Conn, error) {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil && strings.HasSuffix(transport, "ss") || err == nil && transport == "ssl" {
				if cfg == nil {
					cfg = &tls.Config{RootCAs: ca.Pool()}
				}
				cfg.ServerName = "localhost"
				c = tls.Client(c, cfg)
				err = c.(*tls.Conn).Handshake()
			}
			if err == nil && strings.HasPrefix(transport, "ws") {
				c = upgradeForBench(c)
			}
			return c, err
		}
	}
	return br, dial
}

func upgradeForBench(c net.Conn) net.Conn {
	t := &testing.T{}
	f := webSocket(t, c)
	_ = c.SetDeadline(time.Time{})
	return f
}

// BenchmarkHandshake counts the broker's processor time for a TLS handshake and
// a CONNECT.
func BenchmarkHandshake(b *testing.B) {
	ca := tlstest.New(b, "authority")
	for _, key := range []string{"ECDSA", "RSA"} {
		leaf := ca.Issue("server", nil)
		if key == "RSA" {
			leaf = ca.IssueRSA("server")
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, resumed := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/resumed=%v", key, strings.ReplaceAll(tls.VersionName(version), " ", ""), resumed), func(b *testing.B) {
					br, dial := benchDoors(b, ca, leaf)
					cfg := &tls.Config{RootCAs: ca.Pool(), MinVersion: version, MaxVersion: version}
					if resumed {
						cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
					}
					one := func() {
						c, err := dial["ssl"](cfg)
						if err == nil {
							err = hello(c)
						}
						if err != nil {
							b.Fatal(err)
						}
						c.Close()
					}
					one()
					start := br.cpu(b)
					for b.Loop() {
						one()
					}
					used := br.cpu(b) - start
					b.ReportMetric(float64(used.Microseconds())/float64(b.N), "broker-us/op")
					b.ReportMetric(float64(b.N)/used.Seconds(), "handshakes/cpu-s")
				})
			}
		}
	}
}

// BenchmarkDoors counts the broker's processor time for a message of 64 bytes
// that goes to its sender: one at a time on each of 20 connections, and in
// batches of 50.
func BenchmarkDoors(b *testing.B) {
	ca := tlstest.New(b, "authority")
	leaf := ca.Issue("server", nil)
	for _, batch := range []int{1, 50} {
		for _, transport := range []string{"tcp", "ws", "ssl", "wss"} {
			b.Run(fmt.Sprintf("%s/batch=%d", transport, batch), func(b *testing.B) {
				br, dial := benchDoors(b, ca, leaf)
				const clients = 20
				var conns []net.Conn
				for i := range clients {
					c, err := dial[transport](nil)
					if err == nil {
						err = hello(c)
					}
					if err == nil {
						_, err = c.Write(pkt(0x82, id(1), fmt.Sprint("t", i), 0))
					}
					if err == nil {
						_, err = io.ReadFull(c, make([]byte, 5))
					}
					if err != nil {
						b.Fatal(err)
					}
					_ = c.SetDeadline(time.Time{})
					conns = append(conns, c)
				}
				start := br.cpu(b)
				rounds := max(1, b.N/clients/batch)
				var all sync.WaitGroup
				for i, c := range conns {
					all.Go(func() {
						packet := bytes.Repeat(publish{topic: fmt.Sprint("t", i), payload: strings.Repeat("x", 64)}.bytes(4), batch)
						got := make([]byte, len(packet))
						for range rounds {
							if _, err := c.Write(packet); err != nil {
								b.Error(err)
								return
							}
							if _, err := io.ReadFull(c, got); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				used := br.cpu(b) - start
				b.ReportMetric(float64(used.Nanoseconds())/1000/float64(rounds*clients*batch), "broker-us/msg")
			})
		}
	}
}

// BenchmarkIdle measures the broker's resident memory for a connection that
// does nothing.
func BenchmarkIdle(b *testing.B) {
	ca := tlstest.New(b, "authority")
	leaf := ca.Issue("server", nil)
	for _, transport := range []string{"tcp", "ws", "ssl", "wss"} {
		b.Run(transport, func(b *testing.B) {
			br, dial := benchDoors(b, ca, leaf)
			const few, many = 200, 3000
			var conns []net.Conn
			defer func() {
				for _, c := range conns {
					c.Close()
				}
			}()
			hold := func(n int) int64 {
				for len(conns) < n {
					c, err := dial[transport](nil)
					if err == nil {
						err = hello(c)
					}
					if err != nil {
						b.Fatal(err)
					}
					_ = c.SetDeadline(time.Time{})
					conns = append(conns, c)
				}
				lowest := br.rss(b)
				for range 40 { // the garbage collector gives memory back by and by
					time.Sleep(500 * time.Millisecond)
					lowest = min(lowest, br.rss(b))
				}
				return lowest
			}
			before := hold(few)
			after := hold(many)
			b.ReportMetric(float64(after-before)/1024/(many-few), "KiB/conn")
		})
	}
}
