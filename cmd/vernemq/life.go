package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"vernemq/queue/store"
	"vernemq/server"
	"vernemq/server/admin"
	"vernemq/server/config"
)

// life is the broker of a node, which may be stopped and started while the
// process goes on.
type life struct {
	live *config.Live
	log  *slog.Logger

	mu     sync.Mutex // one change at a time
	broker atomic.Pointer[server.Broker]
	shown  atomic.Pointer[admin.Broker]
}

// open makes the broker and opens its doors, unless there is one.
func (n *life) open() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broker.Load() != nil {
		return nil
	}
	cfg := n.live.Current().Config
	b, err := server.New(cfg, store.NewMemory(cfg.Loops), n.log)
	if err != nil {
		return err
	}
	if err := b.Listen(); err != nil {
		return errors.Join(err, stopBroker(b))
	}
	n.shown.Store(b.Admin())
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
	b := n.broker.Swap(nil)
	n.shown.Store(nil)
	if b == nil {
		return nil
	}
	n.log.Info("broker stops", "by", "vmq-admin node stop")
	return stopBroker(b)
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
		n.log.Error("not all clients follow the new settings yet", "cause", err.Error())
	}
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
