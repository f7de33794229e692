// Package server is the broker: it puts reactor, sessions, subscription index,
// queues and store together and routes messages between them.
//
// Every client has a home loop, chosen by its name. A loop owns its clients;
// what crosses loops is said at each field.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/codec"
	"vernemq/queue"
	"vernemq/queue/store/disk"
	"vernemq/reactor"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/trie"
)

// slotBits is the number of bits of a client's key that choose its slot. Slots
// are fixed; which loop a slot belongs to depends on the number of loops.
const slotBits = 12

// Broker is a running broker.
type Broker struct {
	log        *slog.Logger
	config     atomic.Pointer[config.Config] // replaced as a whole
	hooks      *hooks.Registry
	hookTimes  hookTimes
	reactor    *reactor.Reactor
	loops      []*loop
	store      *disk.Store
	readers    readers
	trouble    atomic.Pointer[string] // why nothing is stored, nil when all is well
	index      *trie.Index[route]
	retained   *trie.Topics[*queue.Message] // unpooled messages, readers do not count
	shares     map[uint32]*group            // by number
	lastShare  uint32                       // number given last; both under wideMu
	wideMu     sync.Mutex                   // guards changes of route.wide and group.refs
	stopping   chan struct{}                // closed when Stop begins
	background sync.WaitGroup               // goroutines beside the loops
	stopOnce   sync.Once
	stopErr    error // under stopOnce
	observed

	changes sync.Mutex // one Reconfigure at a time
	traces  traces

	listenersMu sync.Mutex // see listeners.go
	listeners   atomic.Pointer[[]*listener]
}

// New makes a broker with what the store has. It does not listen yet; its loops
// run. The store is the broker's from now on, unless there is an error.
func New(cfg *config.Config, st *disk.Store, log *slog.Logger) (*Broker, error) {
	if cfg.Loops > maxLoops {
		return nil, fmt.Errorf("cannot run %d loops: at most %d", cfg.Loops, maxLoops)
	}
	b := &Broker{log: log, store: st, stopping: make(chan struct{}), shares: map[uint32]*group{}, index: trie.NewIndex[route](), retained: trie.NewTopics[*queue.Message]()}
	b.config.Store(cfg)
	b.hooks = hooks.New(log, cfg.TopicMaxDepth)
	if err := b.startPlugins(cfg); err != nil {
		return nil, errors.Join(err, b.stopPlugins(context.Background()))
	}
	r, err := reactor.New(reactor.Config{
		Loops:          cfg.Loops,
		LobbySize:      cfg.LobbySize,
		ConnectTimeout: func() time.Duration { return b.config.Load().ConnectTimeout },
		HighWater:      cfg.SendBufferLimit,
		SendTimeout:    cfg.SendTimeout,
		ReadBuffer:     readBuffer(cfg, os.DirFS("/"), log),
		MaxRemaining:   func(*reactor.Listener) int { return b.config.Load().MaxMessageSize },
		NewHandler: func(rl *reactor.Loop) reactor.Handler {
			l := newLoop(b, rl, st)
			b.loops = append(b.loops, l)
			return l
		},
		Log: log,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make the reactor: %w", err), b.stopPlugins(context.Background()))
	}
	b.reactor = r
	for _, l := range b.loops {
		l.out = make([][]delivery, len(b.loops))
	}
	b.observe()
	if err := b.restore(st); err != nil {
		_ = r.Stop(context.Background())
		return nil, fmt.Errorf("cannot read the store: %w", err)
	}
	b.readers.start()
	r.Start()
	for _, l := range b.loops {
		l.reactor.Post(l.readLeft)
	}
	b.background.Go(b.watchDisk)
	b.background.Go(b.giveBack)
	if every := cfg.ExpireRetainCache; every > 0 {
		b.background.Go(func() { b.sweep(every) })
	}
	return b, nil
}

// Config is the configuration in force. Any goroutine.
func (b *Broker) Config() *config.Config { return b.config.Load() }

// home is the loop of a client.
func (b *Broker) home(key uint64) int {
	return int(key & (1<<slotBits - 1) % uint64(len(b.loops)))
}

// homeOf is the loop of a client by its name.
func (b *Broker) homeOf(mountpoint, id string) *loop {
	return b.loops[b.home(queue.KeyOf(mountpoint, id))]
}

// Stop ends the broker in order: listeners, wills, clients (those of MQTT 5 are
// told that the server shuts down), loops, store. A second call gives the
// result of the first.
func (b *Broker) Stop(ctx context.Context) error {
	b.stopOnce.Do(func() { b.stopErr = b.stop(ctx) })
	return b.stopErr
}

func (b *Broker) stop(ctx context.Context) error {
	close(b.stopping)
	b.background.Wait()
	b.closeListeners(ctx)
	// A will goes to the loops of its subscribers when the turn ends, and is
	// in their output a turn later: only then are the connections closed.
	b.everywhere(ctx, (*loop).publishWills)
	b.everywhere(ctx, func(*loop) {})
	b.everywhere(ctx, func(*loop) {})
	b.everywhere(ctx, func(l *loop) { l.endSessions(errShutdown) })
	b.readers.stop()
	err := b.reactor.Stop(ctx)
	if err != nil {
		err = fmt.Errorf("cannot stop the loops: %w", err)
		if errors.Is(err, reactor.ErrStuck) {
			return err // what runs may use the store
		}
	}
	if e := b.stopPlugins(ctx); e != nil {
		err = errors.Join(err, e)
	}
	for _, l := range b.loops {
		l.handIn() // connections that were cut
	}
	if e := b.store.Close(); e != nil {
		err = errors.Join(err, e)
	}
	return err
}

// Alive tells that every loop does something within ctx.
func (b *Broker) Alive(ctx context.Context) bool {
	for _, l := range b.loops {
		if b.onLoop(ctx, l, func() {}) != nil {
			return false
		}
	}
	return true
}

// everywhere runs f on every loop and waits until all have done so or ctx
// ends.
func (b *Broker) everywhere(ctx context.Context, f func(*loop)) {
	done := make(chan struct{}, len(b.loops))
	for _, l := range b.loops {
		l.reactor.Post(func() { f(l); done <- struct{}{} })
	}
	for range b.loops {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

var errShutdown = &codec.Error{Code: codec.ServerShuttingDown, Text: "server shuts down"}

// publishWills publishes the wills of the loop's clients, delayed ones too if
// the store does not keep them: there will be no later.
func (l *loop) publishWills() {
	for c := range l.clients.all {
		c.session.PublishWill()
		for _, a := range c.others() {
			a.session.PublishWill()
		}
	}
}

// endSessions ends every connection of the loop.
func (l *loop) endSessions(cause *codec.Error) {
	l.ending = true
	var online []*client
	for c := range l.clients.all {
		if c.session.Online() {
			online = append(online, c)
		}
	}
	for _, c := range online {
		for c.session.Online() {
			c.session.Suspend(cause) // another connection may take this one's place
		}
	}
}
