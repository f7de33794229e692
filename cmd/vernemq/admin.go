package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"

	"vernemq/server/admin"
	"vernemq/server/admin/apikey"
	"vernemq/server/admin/wire"
	"vernemq/server/config"
	"vernemq/server/daemon"
	"vernemq/server/logging"
)

// keysFile is the file of the API keys in the data directory.
const keysFile = "api-keys.json"

// administrable puts the node together as the commands of an operator see it.
func administrable(n *life, logs *logging.Log) (*admin.Node, *apikey.Store, error) {
	cfg := n.live.Current().Config
	keys, err := apikey.Open(filepath.Join(cfg.DataDir, keysFile), func() apikey.Rules { return keyRules(n.live.Current()) })
	if err != nil {
		return nil, nil, err
	}
	return &admin.Node{
		Name: cfg.NodeName, Version: version, Base: cfg.BaseDir,
		Broker: n.administered, Life: n, Settings: admin.LiveSettings(n.live), Keys: keys, Log: adminLog{logs, n.log},
		Cluster: &admin.Single{Node: cfg.NodeName, Suspend: n.suspend, End: n.Stop},
	}, keys, nil
}

// administered is the broker as the commands see it, nil while it does not run.
func (n *life) administered() *admin.Broker {
	shown, b := n.shown.Load(), n.broker.Load()
	if shown == nil || b == nil {
		return nil
	}
	now := *shown
	now.Webhooks = b.AdminWebhooks() // the plugin may come and go
	return &now
}

// keyRules are the settings about API keys.
func keyRules(l *config.Loaded) (r apikey.Rules) {
	number := func(key string) int {
		n, _ := l.Value(key).(int64)
		return int(n)
	}
	return apikey.Rules{MinLength: number("min_apikey_length"), MaxExpiryDays: number("max_apikey_expiry_days")}
}

// adminLog is the log as an operator sees it.
type adminLog struct {
	logs *logging.Log
	log  *slog.Logger
}

func (a adminLog) Loggers() (out []admin.Logger) {
	for _, p := range a.logs.Places() {
		x := admin.Logger{Name: p.Logger, Level: p.Level, Type: p.Type}
		if p.Type == "file" {
			x.File = p.File
			if whole, err := filepath.Abs(p.File); err == nil {
				x.File = whole
			}
		}
		out = append(out, x)
	}
	return out
}

func (a adminLog) SetLevel(logger, level string) (bool, error) {
	err := a.logs.SetLevel(logger, level)
	if errors.Is(err, logging.ErrUnknown) {
		return false, nil
	}
	return err == nil, err
}

// stream answers vmq-admin.
func stream(ctx context.Context, node *admin.Node, log *slog.Logger) func(net.Conn, []byte) {
	return func(conn net.Conn, request []byte) {
		if err := wire.Serve(ctx, conn, request, node); err != nil {
			log.Debug("answer to vmq-admin was cut off", "cause", err.Error())
		}
	}
}

// reload reads the configuration again and opens the log file anew.
func reload(n *life, logs *logging.Log) {
	daemon.Notify(daemon.Reloading()...)
	defer daemon.Notify("READY=1")
	logs.Reopen()
	changed, restart, err := n.live.Reload()
	if err != nil {
		n.log.Error("configuration is not reloaded: what was in force stays", "cause", err.Error())
		return
	}
	n.log.Info("configuration reloaded", "changed", strings.Join(changed, ","))
	if len(restart) > 0 {
		n.log.Warn("settings that need a restart have changed", "keys", strings.Join(restart, ","))
	}
}
