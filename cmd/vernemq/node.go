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
	"golang.org/x/term"

	"vernemq/server"
	"vernemq/server/config"
	"vernemq/server/daemon"
	"vernemq/server/logging"
)

// stopTimeout is how long a node may take to end; the disk may take stopGrace
// longer.
const (
	stopTimeout = 15 * time.Second
	stopGrace   = 5 * time.Second
)

// console runs a node until a signal or a stop command ends it.
func console(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	if running(l.Config.DataDir) {
		return errRunning
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
	if err := run(c, &life{live: config.NewLive(l), log: log, logs: logs}, logs); err != nil {
		log.Error("node failed", "cause", err.Error())
		return err
	}
	return nil
}

// running tells that a node answers on a data directory.
func running(dataDir string) bool {
	answer, err := daemon.Ask(dataDir, "ping")
	return err == nil && answer == "pong"
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

func run(c *cli.Context, n *life, logs *logging.Log) error {
	lock, err := daemon.Acquire(n.live.Current().Config.DataDir)
	if err != nil {
		return err
	}
	defer lock.Release()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more ends nothing
	defer signal.Stop(signals)

	err = serve(c, n, logs, signals)
	daemon.Notify("STOPPING=1")
	return errors.Join(err, n.end())
}

// serve opens the doors and waits for the end.
func serve(c *cli.Context, n *life, logs *logging.Log, signals chan os.Signal) error {
	cfg := n.live.Current().Config
	node, keys, err := administrable(n, logs)
	if err != nil {
		return err
	}
	n.node, n.keys = node, keys
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan struct{}, 1)
	control, err := daemon.Serve(cfg.DataDir, n.log, daemon.Handlers{Answer: answer(stopped), Stream: stream(ctx, node, n.log)})
	if err != nil {
		return err
	}
	defer control.Close()
	n.live.Vet(n.vet)
	n.live.Follow(n.reconfigure)
	if err := n.open(); err != nil {
		return err
	}
	n.greet(c)
	daemon.Ready()
	daemon.Notify("READY=1")
	go daemon.Watchdog(ctx, n.alive)
	onTerminal := term.IsTerminal(int(os.Stdin.Fd()))
	for {
		select {
		case s := <-signals:
			terminalGone := onTerminal && !term.IsTerminal(int(os.Stdin.Fd()))
			if s == syscall.SIGHUP && !terminalGone {
				reload(n, logs)
				continue
			}
			n.log.Info("node stops", "signal", s.String())
		case <-stopped:
			n.log.Info("node stops", "by", "vernemq stop")
		}
		return nil
	}
}

// answer answers the one-line requests of the control socket.
func answer(stopped chan<- struct{}) func(string) string {
	return func(request string) string {
		switch request {
		case "ping":
			return "pong"
		case "getpid":
			return strconv.Itoa(os.Getpid())
		case "stop":
			select {
			case stopped <- struct{}{}:
			default:
			}
			return "stopping"
		}
		return "unknown request"
	}
}

// greet says what listens.
func (n *life) greet(c *cli.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	cfg, b := n.live.Current().Config, n.broker.Load()
	if b == nil { // somebody has stopped it already
		return
	}
	judgeLimits(cfg, n.log)
	n.log.Info("node started", "node", cfg.NodeName, "version", version, "loops", cfg.Loops)
	for _, li := range b.Listeners() {
		n.log.Info("listening", "listener", li.Options().Name, "address", li.Addr().String())
	}
	for _, li := range n.monitor.http.Listeners() {
		n.log.Info("listening", "listener", li.Config.Name, "address", li.Config.Transport+"://"+li.Addr.String())
	}
	if c.Bool("hello") {
		hello(c, b, n.monitor)
	}
}

// end stops the broker if it runs.
func (n *life) end() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shut()
}

// shut stops the broker and what tells of it. Under mu.
func (n *life) shut() error {
	n.shown.Store(nil)
	b := n.broker.Swap(nil)
	if b == nil {
		return nil
	}
	n.monitor.stop()
	n.monitor = nil
	return stopBroker(b)
}

func stopBroker(b *server.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(stopTimeout + stopGrace):
		// What is acknowledged is written; to close the store only tidies up.
		return fmt.Errorf("the broker has not stopped within %s: the disk does not answer", stopTimeout+stopGrace)
	}
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

// start runs console in the background. Under systemd it is the service itself.
func start(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	if running(l.Config.DataDir) {
		return errRunning
	}
	if daemon.Supervised() {
		return console(c)
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

// restart stops the node and starts it again. It fails when there is none, and
// stops nothing that it could not start again.
func restart(c *cli.Context) error {
	if _, err := load(c); err != nil {
		return err
	}
	if err := stop(c); err != nil {
		return err
	}
	return start(c)
}

// ask asks the node something. Without a node the error says so in VerneMQ's
// words. The node answers even when it could not start with its configuration
// any more.
func ask(c *cli.Context, request string) (dataDir, answer string, err error) {
	file, dirs, err := files(c)
	if err != nil {
		return "", "", err
	}
	node, wrong := config.Locate(file, c.StringSlice("set"), dirs)
	if node.DataDir == "" {
		return "", "", wrong
	}
	answer, err = daemon.Ask(node.DataDir, request)
	switch {
	case errors.Is(err, daemon.ErrNotRunning) && wrong != nil:
		err = wrong
	case errors.Is(err, daemon.ErrNotRunning):
		err = notResponding(node.NodeName)
	}
	return node.DataDir, answer, err
}

// alreadyRunning is the error when there is a node already, in VerneMQ's words.
type alreadyRunning struct{}

func (alreadyRunning) Error() string { return "Node is already running!" }

var errRunning error = alreadyRunning{}

// notResponding is the error when no node answers.
type notResponding string

func (n notResponding) Error() string {
	return fmt.Sprintf("Node '%s' not responding to pings.", string(n))
}

func ping(c *cli.Context) error { return printAnswer(c, "ping") }

func getpid(c *cli.Context) error { return printAnswer(c, "getpid") }

func printAnswer(c *cli.Context, request string) error {
	_, answer, err := ask(c, request)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, answer)
	return nil
}

// stop asks the node to stop and waits until its data directory is free.
func stop(c *cli.Context) error {
	dataDir, _, err := ask(c, "stop")
	if err != nil {
		var none notResponding
		if errors.As(err, &none) {
			fmt.Fprintln(c.App.Writer, "Node is not running!")
		}
		return err
	}
	for end := time.Now().Add(2 * stopTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if daemon.Free(dataDir) {
			fmt.Fprintln(c.App.Writer, "ok")
			return nil
		}
	}
	return fmt.Errorf("node has not ended after %s", 2*stopTimeout)
}
