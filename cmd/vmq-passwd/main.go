// Command vmq-passwd changes the password files of the broker.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"vernemq/server/plugin/passwd"
)

const usage = `vmq-passwd is a tool for managing password files for VerneMQ.

Usage: vmq-passwd [-c | -D] passwordfile username
       vmq-passwd -U passwordfile
 -c[f] : create a new password file. Use -cf to (f)orce overwriting existing files.
 -D    : delete the username rather than adding/updating its password.
 -U    : update a plain text password file to use hashed passwords.
 --hash KIND : vmq (as VerneMQ writes it), bcrypt or argon2id. Default: vmq.
`

func main() {
	t := &tool{in: newInput(os.Stdin, os.Stdout), out: os.Stdout, err: os.Stderr}
	if err := t.app().Run(os.Args); err != nil {
		os.Exit(t.report(err))
	}
}

// tool is the command with its files.
type tool struct {
	in       *input
	out, err io.Writer
}

// errUsage is the error of a line that is none of those in the usage.
var errUsage = errors.New("usage")

// report prints an error and gives the exit code.
func (t *tool) report(err error) int {
	if errors.Is(err, errUsage) {
		fmt.Fprint(t.out, usage)
	} else {
		fmt.Fprintln(t.err, "Error:", err)
	}
	return 1
}

func (t *tool) app() *cli.App {
	return &cli.App{
		Name:                  "vmq-passwd",
		Writer:                t.out,
		ErrWriter:             t.err,
		HideVersion:           true,
		HideHelpCommand:       true,
		CustomAppHelpTemplate: usage,
		ExitErrHandler:        func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			fmt.Fprintln(t.err, "Error:", err)
			return errUsage
		},
		Action: t.run,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "c"}, &cli.BoolFlag{Name: "cf"}, &cli.BoolFlag{Name: "D"}, &cli.BoolFlag{Name: "U"},
			&cli.StringFlag{Name: "hash", Value: passwd.Hashes()[0]},
		},
	}
}

func (t *tool) run(c *cli.Context) error {
	var does []string
	for _, name := range []string{"c", "cf", "D", "U"} {
		if c.Bool(name) {
			does = append(does, name)
		}
	}
	do, args := strings.Join(does, " "), c.Args().Slice()
	if len(does) > 1 || do == "U" && len(args) != 1 || do != "U" && len(args) != 2 {
		return errUsage
	}
	hash := c.String("hash")
	if !slices.Contains(passwd.Hashes(), hash) {
		return sayf("Unknown hash %q, it is one of %s.", hash, strings.Join(passwd.Hashes(), ", "))
	}
	switch do {
	case "c", "cf":
		return t.create(args[0], args[1], hash, do == "cf")
	case "D":
		return t.remove(args[0], args[1])
	case "U":
		return t.hashAll(args[0], hash)
	}
	return t.set(args[0], args[1], hash)
}

// create makes a file with one user.
func (t *tool) create(file, user, hash string, force bool) error {
	_, err := os.Lstat(file)
	switch {
	case err == nil && !force:
		return sayf("File %s already exists. Please use -cf in case you want to overwrite the file", file)
	case err == nil:
		fmt.Fprintln(t.out, "File already exists. PLEASE ABORT OPERATION IF YOU DO NOT INTENT TO OVERWRITE THE ALREADY EXISTING FILE!")
	}
	line, err := t.ask(user, hash)
	if err != nil {
		return err
	}
	return change(file, true, func([]byte) ([]byte, error) { return withUser(nil, user, line) })
}

// set adds or replaces a user.
func (t *tool) set(file, user, hash string) error {
	if err := openable(file); err != nil {
		return err
	}
	line, err := t.ask(user, hash)
	if err != nil {
		return err
	}
	return t.change(file, func(text []byte) ([]byte, error) { return withUser(text, user, line) })
}

// change is change of a file that is there. It tells when the broker will not
// take the file, because of lines that were there before.
func (t *tool) change(file string, edit func(text []byte) ([]byte, error)) error {
	var wrong error
	err := change(file, false, func(text []byte) (out []byte, err error) {
		if out, err = edit(text); err == nil {
			_, wrong = passwd.Parse(file, out)
		}
		return out, err
	})
	if err == nil && wrong != nil {
		fmt.Fprintf(t.err, "Warning: The broker refuses this file: %v.\n", wrong)
	}
	return err
}

func withUser(text []byte, user, line string) ([]byte, error) {
	out, err := passwd.Set(text, user, line)
	if err != nil {
		return nil, sentence(err)
	}
	return out, nil
}

// ask reads the password of a user and hashes it.
func (t *tool) ask(user, hash string) (string, error) {
	if err := passwd.ValidUser(user); err != nil {
		return "", sentence(err)
	}
	password, err := t.in.password()
	if err != nil {
		return "", err
	}
	line, err := passwd.Hash(hash, password)
	if err != nil {
		return "", sentence(err)
	}
	return line, nil
}

func (t *tool) remove(file, user string) error {
	found := false
	err := t.change(file, func(text []byte) (out []byte, _ error) {
		out, found = passwd.Delete(text, user)
		return out, nil
	})
	if err == nil && !found {
		fmt.Fprintf(t.err, "Warning: User %s not found in password file.\n", user)
	}
	return err
}

func (t *tool) hashAll(file, hash string) error {
	already := 0
	err := t.change(file, func(text []byte) (out []byte, err error) {
		out, already, err = passwd.HashAll(file, text, func(password []byte) (string, error) { return passwd.Hash(hash, password) })
		return out, err
	})
	if err == nil && already > 0 {
		fmt.Fprintf(t.err, "Warning: %d users had hashed passwords already. They are as before.\n", already)
	}
	return err
}

// openable tells early that a file is not there, before anybody types a password.
func openable(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return unable(file, err)
	}
	return f.Close()
}

// unable is the error of a file that cannot be opened, in VerneMQ's words.
func unable(file string, err error) error {
	return sayf("Unable to open password file %s. %s", file, sentence(cause(err)))
}

// cause takes the operation and the path off an error.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// sentence makes a sentence of an error.
func sentence(err error) error {
	s := err.Error()
	return message(strings.ToUpper(s[:1]) + s[1:] + ".")
}

// message is an error as the user reads it. The words are VerneMQ's, or like
// them: sentences.
type message string

func (m message) Error() string { return string(m) }

func sayf(format string, args ...any) error { return message(fmt.Sprintf(format, args...)) }
