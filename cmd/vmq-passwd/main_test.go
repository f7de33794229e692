package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vernemq/server/plugin/passwd"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("VMQ_PASSWD_TEST") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), "VMQ_PASSWD_TEST=1"), 10*time.Second
	return cmd
}

// run runs the command with a pipe as its input.
func run(t *testing.T, dir, in string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := command(dir, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.MultiReader(strings.NewReader(in)), &out, &errOut // a pipe, not a file
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

const prompts = "Password: \nReenter password: \n"

// TestCommand is a life of a file, with what VerneMQ's tool says.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	for i, tt := range []struct {
		in, args    string
		out, err    string
		code        int
		users       string // user=password of all that can log in then
		leaveNoFile bool
	}{
		{"", "", usage, "", 1, "", true},
		{"", "f", usage, "", 1, "", true},
		{"", "f u x", usage, "", 1, "", true},
		{"", "-U f u", usage, "", 1, "", true},
		{"", "-D f", usage, "", 1, "", true},
		{"", "-c -D f u", usage, "", 1, "", true},
		{"", "-x f u", usage, "Error: flag provided but not defined: -x\n", 1, "", true},
		{"", "--help", usage, "", 0, "", true},
		{"", "--hash md5 -c f u", "", "Error: Unknown hash \"md5\", it is one of vmq, bcrypt, argon2id.\n", 1, "", true},
		{"a\na\n", "f u", "", "Error: Unable to open password file f. No such file or directory.\n", 1, "", true},
		{"", "-D f u", "", "Error: Unable to open password file f. No such file or directory.\n", 1, "", true},
		{"", "-U f", "", "Error: Unable to open password file f. No such file or directory.\n", 1, "", true},
		{"\n\n", "-c f alice", "Password: \n", "Error: Empty password.\n", 1, "", true},
		{"", "-c f alice", "Password: \n", "Error: Empty password.\n", 1, "", true},
		{"a\nb\n", "-c f alice", prompts, "Error: Passwords do not match.\n", 1, "", true},
		{"a\n", "-c f alice", prompts, "Error: Passwords do not match.\n", 1, "", true},
		{"a\na\n", "-c f al:ice", "", "Error: A user name must not contain a colon.\n", 1, "", true},
		{"a\na\n", "-c f #alice", "", "Error: A user name must not begin with #: the line would be a comment.\n", 1, "", true},
		{"a\na\n", "-c f alice", prompts, "", 0, "alice=a", false},
		{"b\nb\n", "-c f alice", "", "Error: File f already exists. Please use -cf in case you want to overwrite the file\n", 1, "alice=a", false},
		{"b\r\nb\r\n", "f bob", prompts, "", 0, "alice=a bob=b", false},
		{"c\nc", "--hash bcrypt f carol", prompts, "", 0, "alice=a bob=b carol=c", false},
		{"d\nd\nrest", "--hash argon2id f alice", prompts, "", 0, "alice=d bob=b carol=c", false},
		{strings.Repeat(strings.Repeat("x", 73)+"\n", 2), "--hash bcrypt f bob", prompts, "Error: Cannot hash the password: bcrypt takes at most 72 bytes.\n", 1, "alice=d bob=b carol=c", false},
		{"", "-D f nosuch", "", "Warning: User nosuch not found in password file.\n", 0, "alice=d bob=b carol=c", false},
		{"", "-D f alice", "", "", 0, "bob=b carol=c", false},
		{"", "-U f", "", "Warning: 2 users had hashed passwords already. They are as before.\n", 0, "bob=b carol=c", false},
		{"a\na\n", "-cf f alice", "File already exists. PLEASE ABORT OPERATION IF YOU DO NOT INTENT TO OVERWRITE THE ALREADY EXISTING FILE!\n" + prompts, "", 0, "alice=a", false},
		{"a\na\n", "-cf g alice", prompts, "", 0, "alice=a", false},
	} {
		out, errOut, code := run(t, dir, tt.in, strings.Fields(tt.args)...)
		if out != tt.out || errOut != tt.err || code != tt.code {
			t.Errorf("%d %q: exit %d\nstdout %q\nstderr %q", i, tt.args, code, out, errOut)
		}
		if _, err := os.Stat(filepath.Join(dir, "f")); (err != nil) != tt.leaveNoFile {
			t.Errorf("%d %q: %v", i, tt.args, err)
		}
		if !tt.leaveNoFile {
			letIn(t, filepath.Join(dir, "f"), tt.users)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// letIn holds the table made of a file to a list of users and their passwords.
func letIn(t *testing.T, file, users string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	table, err := passwd.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(users)
	if table.Len() != len(list) {
		t.Errorf("%d users, want %s", table.Len(), users)
	}
	if testing.Short() {
		return // dear hashes
	}
	for _, u := range list {
		name, password, _ := strings.Cut(u, "=")
		if table.Check(name, []byte(password)) != passwd.Right {
			t.Errorf("%s is not let in", u)
		}
	}
}

// TestUpdate has the file of the capture of 2.1.2, and what must stay.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	in := "# c\n\nno colon\nbob:secret\nal:p w\n"
	if err := os.WriteFile(file, []byte(in), 0o640); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := run(t, dir, "", "-U", "f")
	text, _ := os.ReadFile(file)
	want := `^# c\n\nno colon\nbob:\$6\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==\nal:\$6\$.{16}\$.{88}\n$`
	const warning = "Warning: The broker refuses this file: f:3: USER:HASH was expected.\n"
	if out != "" || errOut != warning || code != 0 || !regexp.MustCompile(want).Match(text) {
		t.Errorf("exit %d %s%s, file:\n%s", code, out, errOut, text)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o640 {
		t.Errorf("mode is now %v", info.Mode())
	}
	if err := os.WriteFile(file, []byte("a:1\nbob:sec:ret\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	_, errOut, code = run(t, dir, "", "-U", "f")
	text, _ = os.ReadFile(file)
	if code != 1 || !strings.HasPrefix(errOut, "Error: f:2: ") || strings.Contains(errOut, "ret") || string(text) != "a:1\nbob:sec:ret\n" {
		t.Errorf("exit %d %s, file:\n%s", code, errOut, text)
	}
}

// TestFiles looks at modes, links, and the work copy of somebody else.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if _, errOut, code := run(t, dir, "a\na\n", "-c", "f", "u"); code != 0 {
		t.Fatal(errOut)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a new file is %v", info.Mode())
	}
	if err := os.Symlink("f", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := run(t, dir, "b\nb\n", "link", "v"); code != 0 {
		t.Fatal(errOut)
	}
	if info, _ := os.Lstat(filepath.Join(dir, "link")); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link has become a file")
	}
	letIn(t, file, "u=a v=b")
	if err := os.WriteFile(file+".tmp", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errOut, code := run(t, dir, "", "-D", "f", "u")
	if left, _ := os.ReadFile(file + ".tmp"); code != 1 || !strings.Contains(errOut, "f.tmp exists") || string(left) != "x" {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if _, errOut, code = run(t, dir, "", "-D", ".", "u"); code != 1 {
		t.Errorf("a directory: exit %d: %s", code, errOut)
	}
	letIn(t, file, "u=a v=b")
}

// terminal gives both ends of a new one.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { ours.Close() })
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	theirs, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return ours, theirs
}

// echoes tells, asked of our end, whether a terminal shows what is typed.
func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// typist types an answer behind each prompt, once the echo is off.
func typist(t *testing.T, ours *os.File, answers map[string]string, seen *bytes.Buffer) {
	buf := make([]byte, 1024)
	for {
		n, err := ours.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			return
		}
		for prompt, answer := range answers {
			if !strings.HasSuffix(seen.String(), prompt) {
				continue
			}
			for deadline := time.Now().Add(10 * time.Second); echoes(t, ours) && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if _, err := ours.WriteString(answer); err != nil {
				return
			}
			delete(answers, prompt)
		}
	}
}

func TestTerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		answers map[string]string
		code    int
	}{
		"typed":       {map[string]string{"Password: ": "hush hush\n", "Reenter password: ": "hush hush\n"}, 0},
		"interrupted": {nil, 130},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := terminal(t)
			dir := t.TempDir()
			cmd := command(dir, "-c", "f", "u")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var seen bytes.Buffer
			done := make(chan struct{})
			go func() {
				defer close(done)
				typist(t, ours, tt.answers, &seen)
			}()
			if tt.code != 0 {
				for deadline := time.Now().Add(10 * time.Second); echoes(t, ours) && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
				_ = cmd.Process.Signal(os.Interrupt)
			}
			_ = cmd.Wait()
			if code, echo := cmd.ProcessState.ExitCode(), echoes(t, ours); code != tt.code || !echo {
				t.Errorf("exit %d, echo %v", code, echo)
			}
			theirs.Close()
			<-done
			if strings.Contains(seen.String(), "hush") {
				t.Errorf("the password is on the terminal: %q", seen.String())
			}
			if tt.code == 0 {
				text, _ := os.ReadFile(filepath.Join(dir, "f"))
				if table, err := passwd.Parse("f", text); err != nil || table.Check("u", []byte("hush hush")) != passwd.Right {
					t.Errorf("%v; %q", err, seen.String())
				}
			}
		})
	}
}
