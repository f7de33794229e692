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
	"vernemq/queue/store"
	"vernemq/reactor"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/metrics"
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
	reactor    *reactor.Reactor
	loops      []*loop
	store      store.Store
	index      *trie.Index[route]
	retained   *trie.Topics[*queue.Message] // unpooled messages, readers do not count
	shares     map[uint32]*group            // by number
	lastShare  uint32                       // number given last; both under wideMu
	wideMu     sync.Mutex                   // guards changes of route.wide and group.refs
	stopping   chan struct{}                // closed when Stop begins
	background sync.WaitGroup               // goroutines beside the loops
	stopOnce   sync.Once
	stopErr    error               // under stopOnce
	listeners  []*reactor.Listener // written by Listen before and Stop after the loops run
}

// New makes a broker that does not listen yet. Its loops run.
func New(cfg *config.Config, st store.Store, log *slog.Logger) (*Broker, error) {
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
			l := newLoop(b, rl)
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
	r.Start()
	b.background.Go(b.giveBack)
	if every := cfg.ExpireRetainCache; every > 0 {
		b.background.Go(func() { b.sweep(every) })
	}
	return b, nil
}

// home is the loop of a client.
func (b *Broker) home(key uint64) int {
	return int(key & (1<<slotBits - 1) % uint64(len(b.loops)))
}

// Listen opens the listeners of the configuration. If one cannot be opened,
// none stays open.
func (b *Broker) Listen() error {
	for i := range b.config.Load().Listeners {
		l, err := b.listen(&b.config.Load().Listeners[i])
		if err != nil {
			b.closeListeners(context.Background())
			return err
		}
		b.listeners = append(b.listeners, l)
	}
	return nil
}

func (b *Broker) listen(c *config.Listener) (*reactor.Listener, error) {
	chains, err := b.chainsOf(c)
	if err != nil {
		return nil, fmt.Errorf("cannot open listener.%s.%s: %w", c.Transport, c.Name, err)
	}
	l, err := b.reactor.Listen(newListener(b.config.Load(), c, chains).options())
	if err != nil {
		return nil, fmt.Errorf("cannot open listener.%s.%s: %w", c.Transport, c.Name, err)
	}
	return l, nil
}

func (b *Broker) closeListeners(ctx context.Context) {
	for _, l := range b.listeners {
		l.Close(ctx)
	}
	b.listeners = nil
}

// Listeners are the open listeners.
func (b *Broker) Listeners() []*reactor.Listener { return b.listeners }

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
	if e := b.store.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("cannot close the store: %w", e))
	}
	return err
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

// publishWills publishes the wills of the loop's clients, delayed ones too:
// there will be no later.
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
			c.session.Kick(cause) // another connection may take this one's place
		}
	}
}

// Metrics are the counters of all loops, up to a second old.
func (b *Broker) Metrics() []metrics.Value {
	sets := make([]*metrics.Set, len(b.loops))
	for i, l := range b.loops {
		sets[i] = &l.metrics
	}
	return metrics.Sum(sets)
}
