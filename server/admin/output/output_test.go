package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestBlocks streams a table whose later rows are wider: they get wider columns
// from there on, and only a block of rows is kept.
func TestBlocks(t *testing.T) {
	var b bytes.Buffer
	o := New(Human, &b, &b, true)
	if err := o.Table("n", "text"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * blockRows {
		text := "ab"
		if i == 2*blockRows+5 {
			text = "a much longer one"
		}
		if err := o.Row(int64(i), text); err != nil {
			t.Fatal(err)
		}
		if i == blockRows && !strings.Contains(b.String(), "| 999 | ab   |") {
			t.Error("the first block is not written yet")
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if lines[1] != "| \x1b[1mn\x1b[0m   | \x1b[1mtext\x1b[0m |" {
		t.Errorf("header %q", lines[1])
	}
	if len(lines) != 3+2*3*blockRows+2 { // each change of widths has one border more
		t.Errorf("%d lines", len(lines))
	}
	for i, l := range lines {
		if i > 1 && len(l) != len("| 999 | ab   |") && len(l) != len("| 1000 | ab   |") && len(l) != len("| 2005 | a much longer one |") {
			t.Fatalf("line %d: %q", i, l)
		}
	}
	if lines[len(lines)-2] != "| 2999 | ab                |" {
		t.Errorf("%q", lines[len(lines)-2])
	}
}

// TestTerminal shows cells and texts that would change a terminal's state.
func TestTerminal(t *testing.T) {
	var b bytes.Buffer
	o := New(Human, &b, &b, false)
	_ = o.Table("a")
	_ = o.Row("x\x1b[2Jy\x80\tz\u202e")
	_ = o.Text("\x1b]0;title\x07")
	_ = o.Close()
	if strings.ContainsAny(b.String(), "\x1b\x07\t\u202e") || !strings.Contains(b.String(), "x\ufffd[2Jy\ufffd\ufffdz\ufffd") {
		t.Errorf("%q", b.String())
	}
}

func TestCSV(t *testing.T) {
	var b, e bytes.Buffer
	o := New(CSV, &b, &e, false)
	_ = o.Text("not shown")
	_ = o.Alert("on the error output")
	_ = o.Table("a", "b")
	_ = o.Row(`say "x"`, "1,2")
	_ = o.Row(nil, Undefined)
	_ = o.Row("1\n2\r3\r\n4", " ") // as they are
	if err := o.Close(); err != nil || b.String() != "a,b\r\n\"say \"\"x\"\"\",\"1,2\"\r\nnull,undefined\r\n\"1\n2\r3\r\n4\", \r\n" || e.String() != "on the error output\n" {
		t.Errorf("%q, %q, %v", b.String(), e.String(), err)
	}
}

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		do   func(o Output)
		want string
	}{
		{func(Output) {}, "[]\n"},
		{func(o Output) { _ = o.Text("a") }, `{"text":"a","type":"text"}`},
		{func(o Output) { _ = o.Alert("a") }, `{"alert":[{"text":"a","type":"text"}],"type":"alert"}`},
		{func(o Output) { _ = o.Table("x", "y"); _ = o.Row("a", int64(1)); _ = o.Row(true, nil) }, `{"table":[{"x":"a","y":1},{"x":true,"y":null}],"type":"table"}`},
		{func(o Output) { o.Several(); _ = o.Text("a"); _ = o.Table("x") }, `[{"text":"a","type":"text"},{"table":[],"type":"table"}]` + "\n"},
		{func(o Output) { o.Several() }, "[]\n"},
		{func(o Output) { _ = o.Plain("usage") }, "usage\n"},
	} {
		var b bytes.Buffer
		o := NewJSON(&b)
		c.do(o)
		if err := o.Close(); err != nil || b.String() != c.want {
			t.Errorf("%q, want %q, %v", b.String(), c.want, err)
		}
	}
}

// brokenPipe takes nothing more after some bytes.
type brokenPipe struct{ left int }

func (p *brokenPipe) Write(b []byte) (int, error) {
	if p.left -= len(b); p.left < 0 {
		return 0, fmt.Errorf("broken pipe")
	}
	return len(b), nil
}

// TestBrokenPipe ends a large answer when nobody reads it any more.
func TestBrokenPipe(t *testing.T) {
	for _, format := range []string{Human, JSON, CSV} {
		o := New(format, &brokenPipe{10000}, &bytes.Buffer{}, false)
		err := o.Table("a")
		for i := 0; err == nil; i++ {
			if i > 1_000_000 {
				t.Fatalf("%s: nobody noticed", format)
			}
			err = o.Row(strings.Repeat("x", 100))
		}
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\"\\\n\x00\x80ü€\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Errorf("%q becomes %q", s, back)
		}
		if !utf8.Valid(b) || bytes.ContainsAny(b, "\n\r\x00") {
			t.Errorf("%q", b)
		}
	})
}
