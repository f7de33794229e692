package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"vernemq/server/config"
	"vernemq/tuning"
)

// The files of a profile.
const (
	sysctlName = "90-vernemq.conf"
	unitName   = "vernemq.service"
)

// tuningProfile writes the files that make this host suffice.
func tuningProfile(c *cli.Context) error {
	t, err := tune(c)
	if err != nil {
		return err
	}
	host, err := t.read()
	if err != nil {
		return err
	}
	u, err := unitOf(c)
	if err != nil {
		return err
	}
	unit, err := u.Write(host, t.plan)
	if err != nil {
		return err
	}
	settings := tuning.Sysctl(host, t.plan, c.Bool("full"))
	if c.String("output") == "-" {
		_, err := fmt.Fprintf(c.App.Writer, "# === %s ===\n%s\n# === %s ===\n%s", sysctlName, settings, unitName, unit)
		return err
	}
	return writeProfile(c, []profileFile{{sysctlName, settings}, {unitName, unit}})
}

// unitOf describes the installed package, or the node below --base.
func unitOf(c *cli.Context) (u tuning.Unit, err error) {
	if u.Executable, err = os.Executable(); err != nil {
		return u, fmt.Errorf("cannot find this program's path: %w", err)
	}
	u.Base = "/"
	if c.IsSet("base") {
		if u.Base, err = filepath.Abs(c.String("base")); err != nil {
			return u, fmt.Errorf("cannot find the base directory: %w", err)
		}
	}
	if f := c.String("config"); f != "" {
		if u.Config, err = filepath.Abs(f); err != nil {
			return u, fmt.Errorf("cannot find the configuration: %w", err)
		}
	}
	u.Set = c.StringSlice("set")
	d := config.DirsOf(u.Base)
	u.Data, u.Logs = d.Data, d.Log
	// The configuration as the unit will read it: relative paths start from
	// its base.
	file := u.Config
	if file == "" {
		file = d.Etc + "/vernemq.conf"
	}
	if l, err := config.Load(file, u.Set, d); err == nil {
		u.Data, u.Logs = l.Config.DataDir, l.Config.LogDir
		u.Others = pathsOf(l.Config)
	}
	return u, nil
}

// pathsOf are the sockets and files of a configuration, wherever they lie.
func pathsOf(c *config.Config) []string {
	w := &c.WebhookSettings
	paths := []string{c.StoreDir, c.PasswordFile, c.ACLFile, c.Log.File.Path, c.Log.Error.Path, c.Log.Crash.Path, w.CAFile, w.CertFile, w.KeyFile}
	secured := func(t *config.TLS) {
		if t != nil {
			paths = append(paths, t.CAFile, t.CertFile, t.KeyFile, t.CRLFile)
		}
	}
	for _, li := range c.Listeners {
		if li.Network == "unix" {
			paths = append(paths, li.Address)
		}
		secured(li.TLS)
	}
	for _, li := range c.HTTPListeners {
		secured(li.TLS)
	}
	return paths
}

type profileFile struct{ name, text string }

// writeProfile writes the files, or none of them when one exists already.
func writeProfile(c *cli.Context, files []profileFile) error {
	dir, flags := c.String("output"), os.O_WRONLY|os.O_CREATE|os.O_EXCL
	if c.Bool("force") {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	} else {
		for _, f := range files {
			path := filepath.Join(dir, f.name)
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				if err == nil {
					err = errors.New("it exists; --force writes over it")
				}
				return fmt.Errorf("cannot write %s: %w", path, err)
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := write(path, f.text, flags); err != nil {
			return fmt.Errorf("cannot write the profile: %w", err)
		}
		fmt.Fprintln(c.App.Writer, path)
	}
	return nil
}

func write(path, text string, flags int) error {
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
