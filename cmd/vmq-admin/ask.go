package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"vernemq/server/admin/output"
	"vernemq/server/admin/wire"
	"vernemq/server/daemon"
)

// ask sends a command line to the broker and writes the answer.
func (t *tool) ask(socket string, args []string, timeout time.Duration) (code int, err error) {
	request, err := wire.Request(args)
	if err != nil {
		return 1, err
	}
	conn, err := daemon.DialAdmin(socket, request)
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	if timeout > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(timeout))
	}
	if len(args) > 1 && args[0] == "trace" && args[1] == "client" {
		go t.endWithInput(conn)
	}
	bold := term.IsTerminal(int(t.out.Fd()))
	code, err = wire.Receive(conn, func(format string) output.Format {
		return output.New(format, t.out, t.err, bold)
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 1, fmt.Errorf("no answer within %v", timeout)
	case errors.Is(err, syscall.ECONNRESET):
		return 1, daemon.ErrBusy
	case errors.Is(err, syscall.EPIPE): // head and others want no more
		return 1, nil
	}
	return code, err
}

// endWithInput ends a trace when the input ends, or on Ctrl-C. The broker then
// says the last word.
func (t *tool) endWithInput(conn *net.UnixConn) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, t.in)
		close(ended)
	}()
	select {
	case <-signals:
	case <-ended:
	}
	_ = conn.CloseWrite()
}

var errCompletion = errors.New("usage: vmq-admin completion bash|zsh|fish")

// completion prints a script for a shell, or the words that may come next.
func (t *tool) completion(args []string) error {
	if len(args) == 0 {
		return errCompletion
	}
	if args[0] == "--" {
		return t.complete(args[1:])
	}
	script, ok := scripts[args[0]]
	if !ok || len(args) > 1 {
		return errCompletion
	}
	_, err := fmt.Fprint(t.out, strings.TrimLeft(script, "\n"))
	return err
}
