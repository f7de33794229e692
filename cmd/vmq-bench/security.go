package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"vernemq/bench"
)

// tlsFlags say how clients secure their connections; on: they do without
// being told.
func tlsFlags(on bool) []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "tls", Value: on, Usage: "connect over TLS (without --addr to " + secureAddr + ")"},
		&cli.StringFlag{Name: "cafile", Usage: "trust the certificates in `FILE` (without it: those of the system)"},
		&cli.BoolFlag{Name: "insecure", Usage: "take any certificate of the broker"},
		&cli.StringFlag{Name: "cert", Usage: "certificate of all clients in `FILE`, PEM"},
		&cli.StringFlag{Name: "key", Usage: "its key in `FILE`, PEM"},
		&cli.StringFlag{Name: "server-name", Usage: "`NAME` that the broker's certificate must have (without it: the host of --addr)"},
	}
}

// tlsOf is what the flags say, nil without TLS.
func tlsOf(c *cli.Context) (*bench.TLS, error) {
	t := &bench.TLS{CAFile: c.String("cafile"), CertFile: c.String("cert"), KeyFile: c.String("key"),
		ServerName: c.String("server-name"), Insecure: c.Bool("insecure"), Resume: c.Bool("resume")}
	if c.Bool("tls") {
		return t, t.Read()
	}
	for _, name := range []string{"cafile", "cert", "key", "server-name", "insecure", "resume"} {
		if c.IsSet(name) {
			return nil, fmt.Errorf("--%s needs --tls", name)
		}
	}
	return nil, nil
}

const (
	plainAddr  = "127.0.0.1:1883"
	secureAddr = "127.0.0.1:8883"
)

// addrFor is the usual port.
func addrFor(tls bool) string {
	if tls {
		return secureAddr
	}
	return plainAddr
}

// addrOf is where the broker is: what the flag says, or the usual port.
func addrOf(c *cli.Context) string {
	if c.IsSet("addr") {
		return c.String("addr")
	}
	return addrFor(c.Bool("tls"))
}

// passwordOf is the password of the flag, or the first line of the file.
func passwordOf(c *cli.Context) (string, error) {
	file := c.String("password-file")
	if file == "" {
		return c.String("password"), nil
	}
	if c.IsSet("password") {
		return "", errors.New("--password (or VMQ_BENCH_PASSWORD) and --password-file: only one of them")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the file of --password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("cannot use --password-file %s: its first line is empty", file)
	}
	return line, nil
}
