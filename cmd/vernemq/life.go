package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"vernemq/server"
	"vernemq/server/admin"
	"vernemq/server/admin/apikey"
	"vernemq/server/config"
	"vernemq/server/logging"
)

// life is the broker of a node, which may be stopped and started while the
// process goes on.
type life struct {
	live *config.Live
	log  *slog.Logger
	logs *logging.Log
	node *admin.Node
	keys *apikey.Store

	mu      sync.Mutex // one change at a time
	monitor *monitor   // of broker, under mu
	broker  atomic.Pointer[server.Broker]
	told    atomic.Pointer[config.Loaded] // of what plugins were told last
	shown   atomic.Pointer[admin.Broker]
}

// open makes the broker and opens its doors, unless there is one.
func (n *life) open() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broker.Load() != nil {
		return nil
	}
	loaded := n.live.Current()
	cfg := loaded.Config
	st, err := openStore(cfg, n.log)
	if err != nil {
		return err
	}
	b, err := server.New(cfg, st, n.log)
	if err != nil {
		return errors.Join(advise(cfg, err, st.Check()), st.Close())
	}
	if err := b.Listen(); err != nil {
		return errors.Join(err, stopBroker(b))
	}
	m, err := startMonitor(b, n.logs, n.keys.Valid, n.modules(b)...)
	if err != nil {
		return errors.Join(err, stopBroker(b))
	}
	shown := b.Admin()
	shown.Listeners = doors{shown.Listeners, m, b.Config}
	n.monitor = m
	n.shown.Store(shown)
	n.told.Store(loaded)
	n.broker.Store(b)
	if l := n.live.Current(); l.Config != cfg { // changed meanwhile
		n.reconfigure(l)
	}
	return nil
}

// Start starts the broker after Stop.
func (n *life) Start(context.Context) error {
	n.log.Info("broker starts", "by", "vmq-admin node start")
	return n.open()
}

// Stop stops the broker; the process goes on.
func (n *life) Stop(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broker.Load() == nil {
		return nil
	}
	n.log.Info("broker stops", "by", "vmq-admin node stop")
	return n.shut()
}

// reconfigure is told of each new configuration.
func (n *life) reconfigure(l *config.Loaded) {
	b := n.broker.Load()
	if b == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := b.Reconfigure(ctx, l.Config); err != nil {
		n.log.Error("new settings are not in force everywhere", "cause", err.Error())
	}
	if old := n.told.Swap(l); old != nil && !l.Same(old) {
		b.ConfigChanged(l.Settings)
	}
}

// vet tells why a configuration cannot be put in force.
func (n *life) vet(l *config.Loaded) error {
	if b := n.broker.Load(); b != nil {
		return b.Vet(l.Config)
	}
	return nil
}

// alive tells that the node does something. A broker that is stopped is fine.
func (n *life) alive(ctx context.Context) bool {
	b := n.broker.Load()
	return b == nil || b.Alive(ctx) || n.broker.Load() != b
}

// suspend stops accepting clients.
func (n *life) suspend(context.Context) error {
	if b := n.broker.Load(); b != nil {
		for _, l := range b.Listeners() {
			l.Suspend()
		}
	}
	return nil
}
