package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// input asks for passwords: on a terminal without echo, else from a pipe.
type input struct {
	file  *os.File
	lines *bufio.Reader
	out   io.Writer
}

func newInput(file *os.File, out io.Writer) *input {
	return &input{file, bufio.NewReader(file), out}
}

// maxPassword is the longest password that MQTT can carry.
const maxPassword = 65535

// password asks twice.
func (in *input) password() ([]byte, error) {
	first, err := in.ask("Password: ")
	if err != nil {
		return nil, err
	}
	switch {
	case len(first) == 0:
		return nil, message("Empty password.")
	case len(first) > maxPassword:
		return nil, sayf("The password is longer than %d bytes.", maxPassword)
	}
	again, err := in.ask("Reenter password: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, message("Passwords do not match.")
	}
	return first, nil
}

func (in *input) ask(prompt string) ([]byte, error) {
	fmt.Fprint(in.out, prompt)
	defer fmt.Fprintln(in.out)
	if fd := int(in.file.Fd()); term.IsTerminal(fd) {
		return hidden(fd)
	}
	line, err := in.lines.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, unreadable(err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'}), nil
}

// hidden reads a line without echo. Who interrupts it gets the echo back.
func hidden(fd int) ([]byte, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, unreadable(err)
	}
	defer onSignal(func() { _ = term.Restore(fd, state) })()
	line, err := term.ReadPassword(fd)
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	return line, nil
}

func unreadable(err error) error {
	return sayf("Unable to read the password. %s", sentence(cause(err)))
}
