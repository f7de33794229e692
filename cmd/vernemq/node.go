package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"vernemq/server"
	"vernemq/server/config"
	"vernemq/server/daemon"
	"vernemq/server/logging"
)

// stopTimeout is how long a node may take to end.
const stopTimeout = 15 * time.Second

// console runs a node until a signal or a stop command ends it.
func console(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	logs, err := logging.Open(l.Config.Log, c.App.Writer)
	if err != nil {
		return err
	}
	defer logs.Close()
	log := logs.Logger()
	slog.SetDefault(logs.Module("library")) // what libraries write to the standard log
	for _, w := range l.Warnings {
		log.Warn(w)
	}
	defer reopenOnSignal(logs)()
	if err := run(c, l.Config, logs); err != nil {
		log.Error("node failed", "cause", err.Error())
		return err
	}
	return nil
}

// reopenOnSignal opens the log files again after SIGUSR1, as logrotate wants
// it, until the result is called.
func reopenOnSignal(logs *logging.Log) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer close(done)
		for range signals {
			logs.Reopen()
		}
	}()
	return func() { signal.Stop(signals); close(signals); <-done }
}

func run(c *cli.Context, cfg *config.Config, logs *logging.Log) error {
	log := logs.Logger()
	lock, err := daemon.Acquire(cfg.DataDir)
	if err != nil {
		return err
	}
	defer lock.Release()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more ends nothing
	defer signal.Stop(signals)

	st, err := openStore(cfg, log)
	if err != nil {
		return err
	}
	b, err := server.New(cfg, st, log)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	if err := serve(c, b, cfg, logs, signals); err != nil {
		return errors.Join(err, stopBroker(b))
	}
	return stopBroker(b)
}

// serve opens the doors and waits for the end.
func serve(c *cli.Context, b *server.Broker, cfg *config.Config, logs *logging.Log, signals chan os.Signal) error {
	log := logs.Logger()
	stopped := make(chan struct{}, 1)
	control, err := daemon.Serve(cfg.DataDir, log, func(request string) string {
		switch request {
		case "ping":
			return "pong"
		case "stop":
			select {
			case stopped <- struct{}{}:
			default:
			}
			return "stopping"
		}
		return "unknown request"
	})
	if err != nil {
		return err
	}
	defer control.Close()
	if err := b.Listen(); err != nil {
		return err
	}
	m, err := startMonitor(b, logs, nil)
	if err != nil {
		return err
	}
	defer m.stop()
	judgeLimits(cfg, log)
	log.Info("node started", "node", cfg.NodeName, "version", version, "loops", cfg.Loops)
	for _, li := range b.Listeners() {
		log.Info("listening", "listener", li.Options().Name, "address", li.Addr().String())
	}
	for _, li := range m.http.Listeners() {
		log.Info("listening", "listener", li.Config.Name, "address", li.Config.Transport+"://"+li.Addr.String())
	}
	if c.Bool("hello") {
		hello(c, b, m)
	}
	daemon.Ready()
	select {
	case s := <-signals:
		log.Info("node stops", "signal", s.String())
	case <-stopped:
		log.Info("node stops", "by", "vernemq stop")
	}
	return nil
}

func stopBroker(b *server.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return b.Stop(ctx)
}

// urls are how clients name listeners.
var urls = map[string]string{"tcp": "mqtt://%s", "ssl": "mqtts://%s", "ws": "ws://%s/mqtt", "wss": "wss://%s/mqtt"}

// hello tells a newcomer what listens and how to send a first message.
func hello(c *cli.Context, b *server.Broker, m *monitor) {
	w := c.App.Writer
	fmt.Fprintln(w, "\nThe broker is running. It listens on:")
	first := "127.0.0.1:1883"
	for _, li := range b.ShowListeners() {
		address := li.Address
		if li.Config.Network != "unix" {
			address = net.JoinHostPort(li.Address, strconv.Itoa(li.Port))
		}
		if li.Type() == "mqtt" && li.Config.Network != "unix" {
			first = address
		}
		fmt.Fprintf(w, "  "+urls[li.Config.Transport]+"  (MQTT 3.1, 3.1.1 and 5)\n", address)
	}
	for _, li := range m.http.Listeners() {
		fmt.Fprintf(w, "  %s://%s/status  (status of the node)\n", li.Config.Transport, li.Addr)
	}
	host, port, err := net.SplitHostPort(first)
	if err != nil {
		return
	}
	fmt.Fprintf(w, `
Try it from two other terminals (Debian: apt install mosquitto-clients):
  mosquitto_sub -h %[1]s -p %[2]s -t 'hello/#' -v
  mosquitto_pub -h %[1]s -p %[2]s -t hello/world -m 'first message'

Ctrl-C stops the broker.

`, host, port)
}

// start runs console in the background.
func start(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	if answer, err := daemon.Ask(l.Config.DataDir, "ping"); err == nil && answer == "pong" {
		return errors.New("node is already running")
	}
	args := []string{"console", "--base", c.String("base")}
	if f := c.String("config"); f != "" {
		args = append(args, "--config", f)
	}
	for _, s := range c.StringSlice("set") {
		args = append(args, "--set", s)
	}
	if err := daemon.Spawn(args, filepath.Join(l.Config.LogDir, "start.log")); err != nil {
		return fmt.Errorf("cannot start the node: %w", err)
	}
	return nil
}

func ping(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	answer, err := daemon.Ask(l.Config.DataDir, "ping")
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, answer)
	return nil
}

// stop asks the node to stop and waits until its data directory is free.
func stop(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	if _, err := daemon.Ask(l.Config.DataDir, "stop"); err != nil {
		return err
	}
	for end := time.Now().Add(2 * stopTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if daemon.Free(l.Config.DataDir) {
			fmt.Fprintln(c.App.Writer, "ok")
			return nil
		}
	}
	return fmt.Errorf("node has not ended after %s", 2*stopTimeout)
}
