package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/codec"
	"vernemq/reactor"
	"vernemq/server/config"
	"vernemq/server/pki"
)

// The listeners come and go while the broker runs. The list is an immutable
// snapshot; Broker.listenersMu is held while one is added, changed or removed.
// Nothing of this is kept: after a restart the listeners of the file are there.

// What can be wrong with a change of the listeners.
var (
	ErrListenerExists  = errors.New("already_started")
	ErrListenerUnknown = errors.New("not_found")
)

// ListenerInfo is what is to be known of a listener.
type ListenerInfo struct {
	Config    *config.Listener
	Address   string // numeric, or local:PATH
	Port      int    // 0 of a unix socket
	Suspended bool
	Active    int64  // connections now
	Total     uint64 // connections so far
}

// listenerTypes are VerneMQ's words for transports.
var listenerTypes = map[string]string{"tcp": "mqtt", "ssl": "mqtts", "ws": "mqttws", "wss": "mqttwss"}

// Type is the kind of a listener in VerneMQ's words.
func (i *ListenerInfo) Type() string { return listenerTypes[i.Config.Transport] }

// Listen opens the listeners of the configuration. If one cannot be opened,
// none stays open.
func (b *Broker) Listen() error {
	for i := range b.config.Load().Listeners {
		li := &b.config.Load().Listeners[i]
		if err := b.StartListener(li); err != nil {
			b.closeListeners(context.Background())
			return fmt.Errorf("cannot open listener.%s.%s: %w", li.Transport, li.Name, err)
		}
	}
	return nil
}

// StartListener opens one more listener. The error is ErrListenerExists when
// there is one at that address.
func (b *Broker) StartListener(c *config.Listener) error {
	b.listenersMu.Lock()
	defer b.listenersMu.Unlock()
	if c.Network == "unix" || portOf(c.Address) != 0 {
		if at, port := placeOf(c); b.findListener(at, port) != nil {
			return ErrListenerExists
		}
	}
	chains, err := b.chainsOf(c)
	if err != nil {
		return err
	}
	li := newListener(b.config.Load(), c, chains)
	if err := li.openTLS(b); err != nil {
		return err
	}
	l, err := b.reactor.Listen(li.options(b.config.Load().MaxFrameSize))
	if err != nil {
		li.closeTLS()
		return err
	}
	li.reactor = l
	list := append(slices.Clone(b.listenerList()), li)
	b.listeners.Store(&list)
	return nil
}

// Reason is the word that VerneMQ has for an error of StartListener, or the
// error's own text.
func Reason(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return "eaddrinuse"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "eaddrnotavail"
	case errors.Is(err, unix.EACCES):
		return "eacces"
	}
	return err.Error()
}

// SuspendListener stops accepting. Sessions live on unless kill is set: then
// they end, and the listener is gone.
func (b *Broker) SuspendListener(ctx context.Context, address string, port int, kill bool) error {
	if kill {
		return b.DeleteListener(ctx, address, port)
	}
	return b.change(address, port, (*reactor.Listener).Suspend)
}

// ResumeListener accepts again.
func (b *Broker) ResumeListener(address string, port int) error {
	return b.change(address, port, (*reactor.Listener).Resume)
}

func (b *Broker) change(address string, port int, f func(*reactor.Listener)) error {
	b.listenersMu.Lock()
	defer b.listenersMu.Unlock()
	li := b.findListener(address, port)
	if li == nil {
		return ErrListenerUnknown
	}
	f(li.reactor)
	return nil
}

// DeleteListener closes a listener and ends its sessions.
func (b *Broker) DeleteListener(ctx context.Context, address string, port int) error {
	b.listenersMu.Lock()
	li := b.findListener(address, port)
	if li != nil {
		list := slices.DeleteFunc(slices.Clone(b.listenerList()), func(x *listener) bool { return x == li })
		b.listeners.Store(&list)
	}
	b.listenersMu.Unlock()
	if li == nil {
		return ErrListenerUnknown
	}
	li.deleted.Store(true)
	li.close(ctx)
	// Who is on the way from one loop to another has arrived a turn later.
	b.everywhere(ctx, func(l *loop) { l.reactor.CloseWaiting(li.reactor) })
	b.everywhere(ctx, func(*loop) {})
	b.everywhere(ctx, func(l *loop) { l.endSessionsOf(li) })
	return nil
}

// errListenerClosed is what sessions are told whose listener is deleted.
var errListenerClosed = &codec.Error{Code: codec.AdministrativeAction, Text: "listener was closed"}

// endSessionsOf ends the sessions that came in by a listener.
func (l *loop) endSessionsOf(li *listener) {
	var some []*client
	for c := range l.clients.all {
		if c.session.Online() {
			some = append(some, c)
		}
	}
	for _, c := range some {
		for _, a := range slices.Clone(c.others()) {
			if a.conn != nil && listenerOf(a.conn) == li {
				a.session.Kick(errListenerClosed)
			}
		}
		if c.conn != nil && listenerOf(c.conn) == li {
			c.session.Kick(errListenerClosed) // one that takes its place is of another listener
		}
	}
}

// ShowListeners describes the listeners, by address and port.
func (b *Broker) ShowListeners() (out []ListenerInfo) {
	for _, li := range b.listenerList() {
		i := ListenerInfo{Config: li.config, Suspended: li.reactor.Suspended(), Active: li.reactor.Active(), Total: li.reactor.Total()}
		i.Address, i.Port = placeOf(li.config)
		if i.Port == 0 {
			if a, ok := li.reactor.Addr().(*net.TCPAddr); ok {
				i.Port = a.Port
			}
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(x, y ListenerInfo) int {
		return cmp.Or(cmp.Compare(x.Address, y.Address), cmp.Compare(x.Port, y.Port))
	})
	return out
}

// Listeners are the open listeners.
func (b *Broker) Listeners() (out []*reactor.Listener) {
	for _, li := range b.listenerList() {
		out = append(out, li.reactor)
	}
	return out
}

// listenerList is the snapshot. Any goroutine.
func (b *Broker) listenerList() []*listener {
	if p := b.listeners.Load(); p != nil {
		return *p
	}
	return nil
}

// placeOf is where a listener listens as administrators name it.
func placeOf(c *config.Listener) (address string, port int) {
	if c.Network == "unix" {
		return "local:" + c.Address, 0
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return c.Address, 0
	}
	return host, portOf(c.Address)
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

// findListener finds a listener by its address and the port that it was given
// or has.
func (b *Broker) findListener(address string, port int) *listener {
	for _, li := range b.listenerList() {
		at, configured := placeOf(li.config)
		if at != address {
			continue
		}
		if a, ok := li.reactor.Addr().(*net.TCPAddr); configured == port || ok && a.Port == port {
			return li
		}
	}
	return nil
}

func (b *Broker) closeListeners(ctx context.Context) {
	b.listenersMu.Lock()
	defer b.listenersMu.Unlock()
	for _, li := range b.listenerList() {
		li.close(ctx)
	}
	b.listeners.Store(nil)
}

func (li *listener) close(ctx context.Context) {
	li.reactor.Close(ctx)
	li.closeTLS()
}

// certificateInterval is the time between two looks at the files of a TLS
// listener, but for the list of revoked certificates.
const certificateInterval = 2 * time.Second

// openTLS reads a listener's certificates, and reads them again when they
// change, until closeTLS.
func (li *listener) openTLS(b *Broker) (err error) {
	if li.config.TLS == nil {
		return nil
	}
	protocol := "mqtt"
	if li.config.WebSocket != nil {
		protocol = "http/1.1"
	}
	if li.pki, err = pki.Open(li.config.TLS, protocol); err != nil {
		return err
	}
	if err := pki.Expired(li.pki.Leaf(), time.Now()); err != nil {
		b.log.Warn("certificate of a listener is not valid", "listener", li.config.Name, "cause", err.Error())
	}
	ctx, cancel := context.WithCancel(context.Background())
	li.unwatch = cancel
	li.watching.Go(func() {
		li.pki.Run(ctx, certificateInterval, b.config.Load().CRLRefreshInterval, func(err error) { li.logReload(b, err) })
	})
	return nil
}

func (li *listener) logReload(b *Broker, err error) {
	if err != nil {
		b.log.Error("cannot take new TLS files, the old ones stay in force", "listener", li.config.Name, "cause", err.Error())
		return
	}
	b.log.Info("new TLS files are in force", "listener", li.config.Name)
}

func (li *listener) closeTLS() {
	if li.unwatch != nil {
		li.unwatch()
		li.watching.Wait()
	}
}

// ReloadTLS reads all files of TLS listeners that have changed. The error says
// which could not be taken; there the old ones stay in force.
func (b *Broker) ReloadTLS() error {
	var errs []error
	for _, li := range b.listenerList() {
		if li.pki == nil {
			continue
		}
		changed, err := li.pki.Reload()
		if err != nil || changed {
			li.logReload(b, err)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", li.config.Name, err))
		}
	}
	return errors.Join(errs...)
}

// TLSSources are the certificates of the TLS listeners, for those who show
// them.
func (b *Broker) TLSSources() (out []*pki.Source) {
	for _, li := range b.listenerList() {
		if li.pki != nil {
			out = append(out, li.pki)
		}
	}
	return out
}
