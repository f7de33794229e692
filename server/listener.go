package server

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/reactor"
	"vernemq/reactor/ws"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/pki"
	"vernemq/server/session"
	"vernemq/tuning"
)

// listener is what a connection has of its listener.
type listener struct {
	config     *config.Listener // as it was opened
	mountpoint string
	// What holds for clients that connect now; replaced by Reconfigure.
	limits    atomic.Pointer[session.Limits]
	anonymous atomic.Bool
	deleted   atomic.Bool // nobody comes in by it any more

	reactor  *reactor.Listener
	pki      *pki.Source // nil without TLS
	watching sync.WaitGroup
	unwatch  context.CancelFunc // ends the goroutine that looks at the files of pki
}

// newListener makes a listener whose clients the plugin chains of a number
// decide about.
func newListener(c *config.Config, li *config.Listener, chains int) *listener {
	l := &listener{config: li, mountpoint: li.Mountpoint}
	limits := limitsOf(c, li)
	limits.Chains = chains
	l.limits.Store(limits)
	l.anonymous.Store(li.AllowAnonymous)
	return l
}

// connectionOf is what auth_on_register is told about the listener that a
// client came through, nil for nothing.
func connectionOf(c *reactor.Conn) *hooks.Connection {
	li := listenerOf(c)
	if !li.config.ForwardConnectionOpts {
		return nil
	}
	addr := c.Listener().Addr()
	x := &hooks.Connection{ListenerAddr: addr.String(), ListenerType: listenerTypes[li.config.Transport]}
	if a, ok := addr.(*net.TCPAddr); ok {
		x.ListenerAddr, x.ListenerPort = a.IP.String(), a.Port
	}
	return x
}

func listenerOf(c *reactor.Conn) *listener { return c.Listener().Options().Tag.(*listener) }

func (li *listener) options(maxFrame int) reactor.ListenOptions {
	c := li.config
	o := reactor.ListenOptions{
		Name: c.Name, Network: c.Network, Address: c.Address,
		MaxConnections: c.MaxConnections, NoDelay: c.NoDelay,
		SndBuf: c.BufferSizes[0], RcvBuf: c.BufferSizes[1], KeepAlive: c.KeepAlive, Tag: li,
		Proxy: c.Proxy, ProxyCN: c.ProxyCN,
	}
	if c.TLS != nil {
		o.TLS, o.HandshakeTimeout = li.pki.Config, c.TLS.HandshakeTimeout
	}
	if w := c.WebSocket; w != nil {
		o.WebSocket = &reactor.WebSocket{
			Rules:     ws.Rules{MaxLine: w.MaxLine, MaxValue: w.MaxValue, CNField: w.CNField},
			MaxFrame:  maxFrame,
			Forwarded: w.Forwarded, Trusted: w.Trusted, RequireCN: w.CNField != "",
		}
	}
	return o
}

// readBuffer is the size of a loop's read buffer: the largest third number of
// buffer_sizes; else twice what the kernel gives a receive buffer at first,
// which is all that one read finds before the kernel lets the buffer grow. With
// neither known it is 0, the reactor's own. No connection has a read buffer
// for itself, so the number is not a cost for each.
func readBuffer(c *config.Config, root fs.FS, log *slog.Logger) int {
	size := 0
	for i := range c.Listeners {
		size = max(size, c.Listeners[i].BufferSizes[2])
	}
	if size > 0 {
		return size
	}
	m, err := tuning.ReceiveBuffer(root)
	if err != nil {
		log.Warn("receive buffer not known", "cause", err.Error())
	}
	return int(2 * min(m.Default, 1<<20))
}

// rules are those of the moment: some are settings that may change.
func (li *listener) rules(b *Broker) session.Rules {
	return session.Rules{
		Versions:        li.config.AllowedVersions,
		MaxClientIDSize: b.config.Load().MaxClientIDSize,
		TopicMaxDepth:   b.config.Load().TopicMaxDepth,
	}
}

// limitsOf gives the limits of the clients of a listener.
func limitsOf(c *config.Config, li *config.Listener) *session.Limits {
	return &session.Limits{
		MaxRate:              c.MaxMessageRate,
		Lifetime:             seconds(li.MaxConnectionLifetime),
		MaxInflight:          c.MaxInflightMessages,
		ReceiveMaxClient:     c.ReceiveMaxClient,
		ReceiveMaxBroker:     c.ReceiveMaxBroker,
		TopicAliasMaxClient:  c.TopicAliasMaxClient,
		TopicAliasMaxBroker:  c.TopicAliasMaxBroker,
		MaxOnline:            c.MaxOnlineMessages,
		MaxOffline:           c.MaxOfflineMessages,
		OverrideMaxOnline:    c.OverrideMaxOnlineMessages,
		LIFO:                 c.QueueLIFO,
		UpgradeQoS:           c.UpgradeOutgoingQoS,
		SuppressTakeoverWill: c.SuppressWillOnTakeover,
		Balance:              c.QueueBalance,
		MaxWillDelay:         c.MaxLastWillDelay,
		RetryInterval:        seconds(c.RetryInterval),
		PersistentExpiry:     seconds(c.PersistentClientExpiration),
		MaxSubscriptions:     c.MaxSubscriptionsPerClient,
		TopicMaxDepth:        c.TopicMaxDepth,
		MaxRemaining:         c.MaxMessageSize,
		Anonymous:            li.AllowAnonymous,

		DisconnectUnauthorizedV3: c.DisconnectUnauthorizedV3,
	}
}

func seconds(d time.Duration) uint32 {
	return uint32(min(int64(d/time.Second), int64(^uint32(0))))
}
